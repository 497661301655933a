"""The demo player: pay on the simulated node with one button, watch, see the meter, take the rest back."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from types import MappingProxyType

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from billing import engine, funding, pauses
from billing.engine import StartRequest
from core import clock
from core.errors import DomainError
from paygo.pages import answers, demo_state, limits, payer_links
from paygo.pages.demo_state import HEARTBEAT_SECONDS, DemoState
from paygo.pages.models import Checkout
from zcash.errors import PermissionGone
from zcash.node.simulated import SimulatedNode, simulated_node

_PARTS = {
    "stage": "pages/parts/demo_stage.html",
    "meter": "pages/parts/demo_meter.html",
    "call": "pages/parts/demo_call.html",
}
_QUICK_SECONDS, _CALM_SECONDS = 1, 5
_PAYER_MINUTES = 60


@answers.private
@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """Say what is going to happen."""
    demo_state.client()
    with simulated_node() as node:
        _require(node)
    return render(request, "pages/demo_landing.html")


@answers.private
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Make a viewer and a permission, and lead to its demo."""
    limits.count(request, limits.DEMOS)
    with simulated_node() as node:
        _require(node)
    return redirect("demo-player", demo_state.begin(now=clock.now()).token)


@answers.private
@require_safe
def player(request: HttpRequest, token: str) -> HttpResponse:
    """Show the player."""
    found = demo_state.read(_find(token), now=clock.now())
    return render(request, "pages/demo.html", {"state": found, "heartbeat_seconds": HEARTBEAT_SECONDS})


@answers.private
@require_safe
def state(request: HttpRequest, token: str) -> HttpResponse:
    """Answer the parts of the player that change."""
    checkout = _find(token)
    found = demo_state.read(checkout, now=clock.now())
    if found.pay.is_open and found.pay.payment.received_zat:
        demo_state.look(checkout)
        found = demo_state.read(checkout, now=clock.now())
    return _parts(request, found)


@answers.private
@require_POST
def beat(request: HttpRequest, token: str) -> HttpResponse:
    """Take a sign of life of the running session, as a player sends it, and answer the parts."""
    checkout = _find(token)
    found = demo_state.read(checkout, now=clock.now())
    if found.running:
        # It may end at this very moment.
        with suppress(DomainError):
            engine.heartbeat(
                found.running.session.code, client_id=checkout.permission.client_id, now=clock.now()
            )
    return _parts(request, found)


@answers.private
@require_POST
def act(request: HttpRequest, token: str, verb: str) -> HttpResponse:  # noqa: ARG001
    """Do what a button says, and lead back to the player or, by a link for payers, to their page."""
    todo = _VERBS.get(verb)
    if todo is None:
        raise Http404
    checkout = _find(token)
    return todo(checkout) or redirect("demo-player", token)


def _pay(checkout: Checkout) -> None:
    found = demo_state.read(checkout, now=clock.now())
    if found.pay.due is None:
        return
    with simulated_node() as node:
        _require(node).pay(checkout.permission.payment_address, amount_zat=found.pay.due.amount_zat)
    demo_state.look(checkout)


def _mine(checkout: Checkout) -> None:
    with simulated_node() as node:
        _require(node).mine(1)
    demo_state.look(checkout)


def _play(checkout: Checkout) -> None:
    permission = checkout.permission
    found = demo_state.read(checkout, now=clock.now())
    if found.paused:
        pauses.resume(found.paused.session.code, client_id=permission.client_id, now=clock.now())
        return
    vendor = demo_state.vendor(demo_state.client())
    request = StartRequest(permission.wallet_address, vendor.slug, heartbeat_seconds=HEARTBEAT_SECONDS)
    engine.start(request, client_id=permission.client_id, now=clock.now())


def _pause(checkout: Checkout) -> None:
    found = demo_state.read(checkout, now=clock.now())
    if found.running:
        client_id = checkout.permission.client_id
        pauses.pause(found.running.session.code, client_id=client_id, now=clock.now())


def _stop(checkout: Checkout) -> None:
    found = demo_state.read(checkout, now=clock.now())
    if found.newest:
        client_id = checkout.permission.client_id
        engine.end(found.newest.session.code, client_id=client_id, now=clock.now())


def _revoke(checkout: Checkout) -> None:
    permission = checkout.permission
    with suppress(PermissionGone):
        funding.revoke(
            client_id=permission.client_id, public_id=permission.public_id, now=clock.now(), actor="demo"
        )


def _payer(checkout: Checkout) -> HttpResponse:
    lasts = timedelta(minutes=_PAYER_MINUTES)
    made = payer_links.make(
        checkout.permission, valid=lasts, lasts=lasts, may_redirect=False, now=clock.now()
    )
    return redirect(made.url)


_VERBS: Mapping[str, Callable[[Checkout], HttpResponse | None]] = MappingProxyType(
    {
        "pay": _pay,
        "mine": _mine,
        "play": _play,
        "pause": _pause,
        "stop": _stop,
        "revoke": _revoke,
        "payer": _payer,
    }
)


def _find(token: str) -> Checkout:
    """Return the demo with a token; with a node that is no simulated one a checkout's token plays nothing."""
    found = demo_state.find(token)
    with simulated_node() as node:
        _require(node)
    return found


def _require(node: SimulatedNode | None) -> SimulatedNode:
    """Return the simulated node: with real money there is no demo."""
    if node is None:
        raise Http404
    return node


def _parts(request: HttpRequest, found: DemoState) -> HttpResponse:
    # Only a payment and a meter move by themselves.
    is_calm = found.step not in ("confirm", "watch")
    return answers.parts(
        request, _PARTS, {"state": found}, every_seconds=_CALM_SECONDS if is_calm else _QUICK_SECONDS
    )
