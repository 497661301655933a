"""Every POST twice: with an Idempotency-Key the first answer is repeated; the others change nothing more.

A new POST is in here by itself. Either it takes a key, or a line in BY_NATURE says that a repetition does no
harm, and the test sees to it that it is true.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from billing import extensions
from billing.operators import Word
from core import clock
from core.models import ReceiptRow, WebhookDelivery
from core.webhooks.rules import DeliveryStatus
from paygo.api.schema import document
from paygo.api.views import IDEMPOTENCY_HEADER
from tests.api import matrix
from tests.api.matrix import Route, World
from tests.api.world import END, PERMISSIONS, Answer, Api, permission_body, rows
from zcash.models import SpendingPermission
from zcash.node.rpc import RpcClient

ENDPOINTS, ROTATE = "/api/v1/webhooks/endpoints", "/api/v1/keys/rotate"
HOOK = {"url": "https://vera.example/hook"}
# What leaves everything as it is when it is said again, with what differs in the second answer.
BY_NATURE: Mapping[str, tuple[str, ...]] = {
    "POST v1/zcash/permissions/<str:permission_id>/verify": (),
    "POST v1/zcash/permissions/<str:permission_id>/revoke": (),
    "POST v1/ethereum/authorizations/<str:authorization_id>/verify": ("request_id",),
    "POST v1/ethereum/authorizations/<str:authorization_id>/revoke": (),
    "POST v1/sessions/end": (),
    "POST v1/sessions/heartbeat": ("granted_until",),
    "POST v1/sandbox/faults/end": (),
}
# What this world refuses is refused again; nothing is kept of it.
REFUSED = {name for name, status in matrix.OWN.items() if status >= 400}
POSTS = [route for route in matrix.routes() if route.method == "POST"]


def takes_key(route: Route) -> bool:
    parameters = document()["paths"][route.template]["post"].get("parameters", ())
    return any(each["name"] == IDEMPOTENCY_HEADER for each in parameters)


KEYED = [route for route in POSTS if takes_key(route)]
NATURAL = [route for route in POSTS if not takes_key(route)]


def named(route: Route) -> str:
    return route.name


@pytest.fixture
def world(vera: Api, node: RpcClient) -> World:
    return matrix.build(vera, node)


def send(world: World, route: Route, *, key: str = "", **changes: Any) -> Answer:
    asked = {**(matrix.body_of(route, world) or {}), **changes}
    headers = {"idempotency_key": key} if key else {}
    return world.vera.post(world.path(route), asked, **headers)


def without(answer: Answer, fields: tuple[str, ...] = ()) -> Any:
    return {name: value for name, value in answer.body.items() if name not in fields}


def test_every_post_takes_a_key_or_needs_none() -> None:
    assert {route.name for route in NATURAL} == set(BY_NATURE)


@pytest.mark.parametrize("route", KEYED, ids=named)
def test_a_key_has_one_answer_and_one_effect_for_one_body(route: Route, world: World) -> None:
    malformed = send(world, route, key="two words")
    assert (malformed.status, malformed.fields) == (400, {IDEMPOTENCY_HEADER: "invalid"})

    first = send(world, route, key="one")
    after_first = [rows(), matrix.state_of(world.vera.client_id)]
    again = send(world, route, key="one")

    assert again.status == first.status
    kept = ReceiptRow.objects.filter(endpoint=f"POST {world.path(route)}", key="one")
    if route.name in REFUSED:
        assert kept.count() == 0
        return
    assert (again.status, again.body) == (first.status, first.body)
    assert first.status in (200, 201, 202)
    assert [rows(), matrix.state_of(world.vera.client_id)] == after_first

    # As if the first body had been another one.
    kept.update(body_digest=bytes(32))
    other = send(world, route, key="one")
    assert (other.status, other.code) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("route", NATURAL, ids=named)
def test_what_takes_no_key_changes_nothing_when_it_is_said_again(route: Route, world: World) -> None:
    if not route.path.startswith("v1/sessions"):
        # So that nothing goes on by itself.
        world.vera.post(END, {"session_code": world.session["session_code"]})
    first = send(world, route, key="one")
    after_first = [rows(), matrix.state_of(world.vera.client_id)]
    again = send(world, route, key="one")

    differs = BY_NATURE[route.name]
    assert (again.status, without(again, differs)) == (first.status, without(first, differs))
    assert [rows(), matrix.state_of(world.vera.client_id)] == after_first


def test_keeps_no_secret_that_it_answers_again(world: World) -> None:
    for route in KEYED:
        if not route.name.endswith(("payer_links", "/rotate", "webhooks/endpoints")):
            continue
        answer = send(world, route, key="one")
        told = answer.body
        shown = told.get("key") or told.get("secret") or told["payer_url"].rpartition("/")[2]
        kept = ReceiptRow.objects.get(endpoint=f"POST {world.path(route)}")

        assert shown not in str(kept.result)
        assert send(world, route, key="one").body == answer.body


def test_answers_again_what_an_endpoint_was_when_it_was_made(vera: Api) -> None:
    made = vera.post(ENDPOINTS, HOOK, idempotency_key="one")
    path = f"{ENDPOINTS}/{made.body['endpoint_id']}"
    rotated = vera.post(f"{path}/rotate", {"overlap_hours": 2}, idempotency_key="one")
    vera.post(f"{path}/rotate", {"overlap_hours": 2})
    vera.post(f"{path}/disable")

    assert vera.post(ENDPOINTS, HOOK, idempotency_key="one").body == made.body
    assert vera.post(f"{path}/rotate", {"overlap_hours": 2}, idempotency_key="one").body == rotated.body

    vera.post(f"{path}/delete")

    again = vera.post(ENDPOINTS, HOOK, idempotency_key="one")
    assert (again.status, again.body) == (made.status, made.body)
    assert again.headers["Location"] == made.headers["Location"]


def test_answers_again_what_a_redelivery_was_when_it_was_asked_for(world: World) -> None:
    path = f"/api/v1/webhooks/deliveries/{world.more['delivery_id']}/redeliver"
    first = world.vera.post(path, idempotency_key="one")
    WebhookDelivery.objects.filter(public_id=first.body["delivery_id"]).update(
        status=DeliveryStatus.DELIVERED, attempts=1, next_attempt_at=None, finished_at=clock.now()
    )

    again = world.vera.post(path, idempotency_key="one")

    assert (again.status, again.body) == (first.status, first.body)


def test_answers_again_how_long_a_new_key_was_to_live(vera: Api) -> None:
    rotated = vera.post(ROTATE, {"overlap_seconds": 3600}, idempotency_key="one")
    successor = Api(vera.user, rotated.body["key"])
    assert successor.post(ROTATE, {"overlap_seconds": 60}).status == 201

    assert vera.post(ROTATE, {"overlap_seconds": 3600}, idempotency_key="one").body == rotated.body


@pytest.mark.usefixtures("node")
def test_answers_again_which_last_day_a_new_permission_had(vera: Api) -> None:
    made = vera.post(PERMISSIONS, permission_body(), idempotency_key="one")
    word = Word(None, "ops", "they asked for it")
    permission = SpendingPermission.objects.get()
    last_day = permission.expires_at.isoformat()
    extensions.extend(permission.pk, days=3, last_day=last_day, word=word, now=clock.now())

    assert vera.post(PERMISSIONS, permission_body(), idempotency_key="one").body == made.body
