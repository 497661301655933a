"""What can be changed back: one call with one Idempotency-Key has one effect, whoever dies or comes late."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from core import idempotency
from core.models import Event, ReceiptRow
from tests.api import matrix
from tests.api.matrix import World
from tests.api.world import ALICE_T, Answer, Api, make_api, rows
from tests.concurrency.test_receipts import GATE, STOPS_AFTER_ITS_SNAPSHOT
from tests.concurrency.threads import elsewhere, in_background, lock_held, together, wait_until_blocked
from zcash.node.rpc import RpcClient

ROUNDS = 3
IN_FLIGHT = (409, "idempotency_key_in_flight")
PERMISSION = "POST v1/zcash/permissions/<str:permission_id>"
VENDOR, ENDPOINT = "POST v1/vendors/<str:vendor_id>", "POST v1/webhooks/endpoints/<str:endpoint_id>"
# Each call with the one that takes its effect back, and what that one says differently.
OPPOSITES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "POST v1/sessions/pause": ("POST v1/sessions/resume", {}),
    "POST v1/sessions/resume": ("POST v1/sessions/pause", {}),
    f"{PERMISSION}/refund_address": (f"{PERMISSION}/refund_address", {"refund_address": ALICE_T}),
    f"{VENDOR}/payout_terms": (f"{VENDOR}/payout_terms", {"payout_address": ALICE_T}),
    f"{VENDOR}/activate": (f"{VENDOR}/deactivate", {}),
    f"{VENDOR}/deactivate": (f"{VENDOR}/activate", {}),
    f"{ENDPOINT}/enable": (f"{ENDPOINT}/disable", {}),
    f"{ENDPOINT}/disable": (f"{ENDPOINT}/enable", {}),
}
ROUTES = {route.name: route for route in matrix.routes()}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.parametrize("name", OPPOSITES)]


@pytest.fixture
def vera(transactional_db: None) -> Api:
    return make_api("vera-tv")


@pytest.fixture
def world(vera: Api, node: RpcClient, name: str) -> World:
    """A world in which the call changes something."""
    found = matrix.build(vera, node)
    undo(found, name)
    return found


def send(world: World, name: str, key: str = "", **changes: Any) -> Answer:
    route = ROUTES[name]
    asked = {**(matrix.body_of(route, world) or {}), **changes}
    return world.vera.post(world.path(route), asked, **({"idempotency_key": key} if key else {}))


def undo(world: World, name: str) -> None:
    opposite, changes = OPPOSITES[name]
    answer = send(world, opposite, **changes)
    assert answer.status == 200, answer.body


def told(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.body


def all_of(world: World) -> list[Any]:
    return [rows(), matrix.state_of(world.vera.client_id)]


def counted() -> dict[str, int]:
    """Return how many rows there are, and how many events of each kind."""
    kinds = list(Event.objects.values_list("kind", flat=True))
    return {**rows(), **{kind: kinds.count(kind) for kind in kinds}}


def more(since: dict[str, int]) -> dict[str, int]:
    now = counted()
    return {what: now[what] - since.get(what, 0) for what in now if now[what] != since.get(what, 0)}


def test_a_late_repetition_changes_nothing_back(world: World, name: str) -> None:
    first = send(world, name, "one")
    undo(world, name)
    before = all_of(world)

    again = send(world, name, "one")

    assert first.status == 200
    assert told(again) == told(first)
    assert all_of(world) == before


def test_a_call_that_saw_no_answer_of_the_first_changes_nothing_back(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = idempotency._CLAIM
    gated = stock.replace("pg_try_advisory_xact_lock(%(number)s)", STOPS_AFTER_ITS_SNAPSHOT)
    with ExitStack() as background:
        with lock_held("SELECT pg_advisory_xact_lock(%s)", [GATE]):
            monkeypatch.setattr(idempotency, "_CLAIM", gated)
            second = background.enter_context(in_background(lambda: send(world, name, "one")))
            wait_until_blocked()
            monkeypatch.setattr(idempotency, "_CLAIM", stock)
            first = send(world, name, "one")
            undo(world, name)
            before = all_of(world)
        late = second.result()

    assert first.status == 200
    assert (late.status, late.code) == IN_FLIGHT
    assert all_of(world) == before
    assert told(send(world, name, "one")) == told(first)


def test_two_calls_at_once_have_one_effect_and_one_answer(world: World, name: str) -> None:
    before = counted()
    assert send(world, name, "alone").status == 200
    one_effect = more(since=before)

    for number in range(ROUNDS):
        undo(world, name)
        before = counted()
        found = together(*[lambda key=f"key-{number}": send(world, name, key)] * 2)

        answered = [told(each) for each in found if each.status == 200]
        assert answered, "one of them is first"
        assert all(each == answered[0] for each in answered)
        assert {(each.status, each.code) for each in found if each.status != 200} <= {IN_FLIGHT}
        assert more(since=before) == one_effect


def test_an_effect_whose_receipt_was_not_kept_did_not_happen(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = all_of(world)
    with monkeypatch.context() as dying:
        # The connection is lost between the effect and its receipt.
        dying.setattr(idempotency, "_STORE", "SELECT pg_terminate_backend(pg_backend_pid())")
        lost = elsewhere(lambda: send(world, name, "one"))

    assert (lost.status, lost.code) == (503, "database_unavailable")
    assert all_of(world) == before
    assert not ReceiptRow.objects.filter(key="one").exists()
    assert send(world, name, "one").status == 200
