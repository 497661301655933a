"""One idempotency key, one effect: also where the first call answers while the second one looks."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from billing import engine
from billing.engine import StartRequest
from core import idempotency
from core.idempotency import KeyInFlight, Receipt
from core.models import User
from sessions_app import vendors
from sessions_app.models import StreamingSession, VendorPrice
from tests.concurrency.threads import in_background, lock_held, wait_until_blocked
from tests.factories import ALICE, after, make_active_permission

pytestmark = pytest.mark.django_db(transaction=True)

GATE = 4712
STOPS_AFTER_ITS_SNAPSHOT = f"""(
    CASE WHEN pg_advisory_xact_lock_shared({GATE}) IS NOT NULL
         THEN pg_try_advisory_xact_lock(%(number)s) END)"""


def meet(call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Make a call while the same call has taken its snapshot and waits for the key; return both outcomes."""
    stock = idempotency._CLAIM
    gated = stock.replace("pg_try_advisory_xact_lock(%(number)s)", STOPS_AFTER_ITS_SNAPSHOT)
    with ExitStack() as background:
        with lock_held("SELECT pg_advisory_xact_lock(%s)", [GATE]):
            monkeypatch.setattr(idempotency, "_CLAIM", gated)
            second = background.enter_context(in_background(call))
            wait_until_blocked()
            monkeypatch.setattr(idempotency, "_CLAIM", stock)
            first = call()
        return first, second.exception()


def test_a_start_that_saw_no_answer_starts_no_second_meter(
    vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_active_permission(vera)
    receipt = Receipt(vera.pk, "POST /sessions", "key", b"d" * 32)

    def start_and_end() -> str:
        request = StartRequest(ALICE, "vendor123")
        started = engine.start(request, client_id=vera.pk, now=after(seconds=1), receipt=receipt)
        engine.end(started.session_code, client_id=vera.pk, now=after(seconds=2))
        return started.session_code

    first, second = meet(start_and_end, monkeypatch)

    assert isinstance(second, KeyInFlight)
    assert StreamingSession.objects.get().code == first == start_and_end()


def test_a_price_is_published_once(vera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = Receipt(vera.pk, "POST /prices", "key", b"d" * 32)

    def set_price() -> Any:
        return vendors.set_price(
            "vendor123",
            client_id=vera.pk,
            price_zat_per_hour=5,
            actor="tests",
            now=after(seconds=1),
            receipt=receipt,
        )

    first, second = meet(set_price, monkeypatch)

    assert isinstance(second, KeyInFlight)
    assert VendorPrice.objects.filter(version__gt=1).get().version == first.version
    assert set_price() == first
