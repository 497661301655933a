"""Every route of the API, with what it takes to call each: the rows of tests/api/test_matrix.py.

A new route that reads needs nothing here as long as the parts of its path are names that `World` knows. One
that takes a body needs a line in BODIES; one that answers another client other than 404 about what is
Vera's, a line in FOREIGN.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core import clock, publisher
from core.models import WebhookDelivery, WebhookEndpoint
from paygo.api.urls import urlpatterns
from paygo.api.views import PublicView
from sessions_app.models import StreamingSession
from tests.api.world import ALICE, BOB, Api, create_active, permission_body, session_body, start
from tests.evm.rows import TOKEN, WALLET, make_authorization
from zcash.node.rpc import RpcClient


@dataclass(frozen=True)
class Route:
    """One method of one path; `scope` is None for a public one."""

    method: str
    path: str
    scope: str | None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        return [part[1:-1].removeprefix("str:") for part in self.path.split("/") if part.startswith("<")]

    @property
    def template(self) -> str:
        """The path as OpenAPI has it."""
        return "/api/" + self.path.replace("<str:", "{").replace(">", "}")


@dataclass
class World:
    """What Vera has, and what is a secret of hers."""

    vera: Api
    permission: dict[str, Any]
    session: dict[str, Any]
    more: dict[str, str] = field(default_factory=dict)

    @property
    def in_path(self) -> dict[str, str]:
        return {
            "permission_id": self.permission["permission_id"],
            "address": ALICE,
            "session_code": self.session["session_code"],
            "vendor_id": "veras-own",
            **self.more,
        }

    def path(self, route: Route) -> str:
        """Return the path of a route to what is Vera's."""
        path = "/api/" + route.path
        for name in route.parameters:
            path = path.replace(f"<str:{name}>", self.in_path[name])
        return path

    def secrets(self, *, told: str) -> set[str]:
        """Return what nobody else may be told, less what a call itself has named."""
        permission, session = self.permission, self.session
        mine = {permission["permission_id"], permission["payment_address"], "veras-own"}
        mine |= {session["session_code"], session["session_id"], *self.more.values()}
        return {each for each in mine if each not in told}


Body = Mapping[str, Any] | Callable[[World], Mapping[str, Any]] | None


def _session(world: World) -> dict[str, Any]:
    return {"session_code": world.session["session_code"]}


# What Vera posts, and who else posts with her ids in it.
BODIES: Mapping[str, Body] = {
    "POST v1/zcash/permissions": permission_body(user_wallet_address=BOB),
    "POST v1/zcash/permissions/<str:permission_id>/verify": None,
    "POST v1/zcash/permissions/<str:permission_id>/revoke": None,
    "POST v1/zcash/permissions/<str:permission_id>/refund_address": {"refund_address": BOB},
    "POST v1/zcash/permissions/<str:permission_id>/payer_links": None,
    "POST v1/zcash/permissions/<str:permission_id>/payer_links/revoke": None,
    "POST v1/ethereum/authorizations": {
        "chain_id": 31337,
        "wallet_address": WALLET,
        "token": TOKEN,
        "limit": "100000000",
        "rate_per_hour": "1000000",
        "privacy_consent": True,
    },
    "POST v1/ethereum/authorizations/<str:authorization_id>/verify": {"signature": "0x" + "11" * 65},
    "POST v1/ethereum/authorizations/<str:authorization_id>/revoke": None,
    "POST v1/sessions": session_body(client_ref="living room"),
    "POST v1/sessions/end": _session,
    "POST v1/sessions/heartbeat": _session,
    "POST v1/sessions/pause": _session,
    "POST v1/sessions/resume": _session,
    "POST v1/vendors": {"vendor_id": "new-tv", "name": "New TV", "rate_per_hour": 1.5},
    "POST v1/vendors/<str:vendor_id>/activate": None,
    "POST v1/vendors/<str:vendor_id>/deactivate": None,
    "POST v1/vendors/<str:vendor_id>/prices": {"rate_per_hour": 1.5},
    "POST v1/vendors/<str:vendor_id>/token_prices": {
        "chain_id": 31337,
        "token": TOKEN,
        "rate_per_hour": "1000000",
    },
    "POST v1/vendors/<str:vendor_id>/payouts": None,
    "POST v1/vendors/<str:vendor_id>/payout_terms": {
        "payout_address": BOB,
        "payout_schedule": "weekly",
        "payout_minimum": 1.5,
    },
    "POST v1/webhooks/endpoints": {"url": "https://vera.example/hook", "types": ["session.ended"]},
    "POST v1/webhooks/endpoints/<str:endpoint_id>/rotate": {"overlap_hours": 24},
    "POST v1/webhooks/endpoints/<str:endpoint_id>/enable": None,
    "POST v1/webhooks/endpoints/<str:endpoint_id>/disable": None,
    "POST v1/webhooks/endpoints/<str:endpoint_id>/delete": None,
    "POST v1/webhooks/deliveries/<str:delivery_id>/redeliver": None,
    "POST v1/sandbox/clock": {"advance_seconds": 3600},
    "POST v1/sandbox/payments": lambda world: {
        "permission_id": world.permission["permission_id"],
        "amount": 2.5,
    },
    "POST v1/sandbox/blocks": {"count": 1},
    "POST v1/sandbox/reorgs": {"depth": 1},
    "POST v1/sandbox/faults": {"kind": "syncing", "times": 1},
    "POST v1/sandbox/faults/end": None,
    "POST v1/keys/rotate": {"overlap_seconds": 3600},
}
# What another client is answered, where that is not 404 for a route to something of Vera's and success else.
FOREIGN: Mapping[str, int] = {
    # What the chain shows to everybody; without what is in a permission.
    "GET v1/zcash/balance/<str:address>": 200,
    # No chain is configured here.
    "POST v1/ethereum/authorizations": 400,
    # Another's permission can be named in a body, too.
    "POST v1/sandbox/payments": 404,
    # The wallet has no permission with Mallory.
    "POST v1/sessions": 402,
}
# What Vera is answered, where that is no success.
OWN: Mapping[str, int] = {
    # No chain is configured here: tests/evm has one.
    "POST v1/ethereum/authorizations": 400,
    "POST v1/ethereum/authorizations/<str:authorization_id>/verify": 400,
    "POST v1/vendors/<str:vendor_id>/token_prices": 400,
    # Everything that was asked for has been paid.
    "GET v1/zcash/permissions/<str:permission_id>/qr": 409,
    # Nothing was earned yet.
    "POST v1/vendors/<str:vendor_id>/payouts": 409,
}
# What another client may do though Vera's rows change by it.
SHARED = {
    # A sandbox has one clock, and the rounds that are due by it settle everybody.
    "POST v1/sandbox/clock",
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def routes() -> Iterator[Route]:
    """Return every method of every path that the API answers."""
    for pattern in urlpatterns:
        view = pattern.callback.view_class
        path = str(pattern.pattern)
        if issubclass(view, PublicView):
            yield from (Route(each, path, None) for each in _METHODS if hasattr(view, each.lower()))
        else:
            yield from (Route(method, path, scope) for method, scope in view.scopes.items())


def unscoped() -> list[str]:
    """Return methods of guarded views that no scope is named for."""
    return [
        f"{method} {pattern.pattern}"
        for pattern in urlpatterns
        for method in _METHODS
        if not issubclass(pattern.callback.view_class, PublicView)
        and hasattr(pattern.callback.view_class, method.lower())
        and method not in pattern.callback.view_class.scopes
    ]


def build(vera: Api, node: RpcClient) -> World:
    """Return a world in which Vera has one of everything."""
    assert vera.post("/api/v1/vendors", {"vendor_id": "veras-own", "name": "Vera's own"}).status == 201
    endpoint = vera.post("/api/v1/webhooks/endpoints", {"url": "https://vera.example/hook"}).body
    permission = create_active(vera, node)
    session = start(vera, vendor_id="veras-own")
    publisher.publish_all(now=clock.now())
    delivery = WebhookDelivery.objects.filter(endpoint__public_id=endpoint["endpoint_id"]).latest("pk")
    assert vera.user is not None
    authorization = make_authorization(vera.user, now=clock.now())
    more = {
        "endpoint_id": endpoint["endpoint_id"],
        "delivery_id": str(delivery.public_id),
        "authorization_id": str(authorization.public_id),
    }
    return World(vera, permission, session, more)


def body_of(route: Route, world: World) -> Mapping[str, Any] | None:
    """Return what is posted; a route that is missing in BODIES is named by the test."""
    found = BODIES[route.name] if route.method != "GET" else None
    return found(world) if callable(found) else found


def is_about_vera(route: Route, world: World) -> bool:
    """Whether a call names something of Vera's, so that nobody else can succeed with it."""
    return bool(route.parameters) or BODIES.get(route.name) is _session


def state_of(client_id: int) -> list[Any]:
    """Return Vera's rows that another client's call must leave as they are."""
    from billing.models_ethereum import Authorization
    from sessions_app.models import Vendor
    from zcash.models import SpendingPermission

    kinds = (SpendingPermission, Authorization, StreamingSession, Vendor, WebhookEndpoint)
    return [list(kind.objects.filter(client=client_id).order_by("pk").values()) for kind in kinds]
