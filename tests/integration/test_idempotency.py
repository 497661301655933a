"""Receipts: one key, one effect, one answer."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from billing import engine
from billing.engine import StartRequest
from core import forgetting, idempotency
from core.db import operation
from core.idempotency import LEASE, KeyInFlight, KeyReused, Receipt
from core.models import ReceiptRow, User
from sessions_app.models import StreamingSession
from tests.factories import ALICE, NOW, ZEC, after, make_active_permission, make_client, make_vendor
from zcash.errors import PermissionRequired

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    return make_client()


def receipt(client: User, *, key: str = "k", endpoint: str = "POST /x", body: bytes = b"body") -> Receipt:
    return Receipt(client.pk, endpoint, key, body.ljust(32, b"."))


def answer(one: Receipt, result: dict[str, object]) -> None:
    with operation():
        assert idempotency.claim(one, now=NOW) is None
        idempotency.store(one, result, now=NOW)


def test_repeats_the_stored_answer(vera: User) -> None:
    answer(receipt(vera), {"a": [1, "\u00e9"]})

    with operation():
        assert idempotency.claim(receipt(vera), now=after(hours=9)) == {"a": [1, "\u00e9"]}


def test_refuses_the_key_with_another_body(vera: User) -> None:
    answer(receipt(vera), {"a": 1})

    with operation(), pytest.raises(KeyReused):
        idempotency.claim(receipt(vera, body=b"other"), now=NOW)


def test_a_key_belongs_to_its_client_and_endpoint(vera: User) -> None:
    mallory = make_client("mallory")
    answer(receipt(vera), {"secret": 1})

    with operation():
        assert idempotency.claim(receipt(mallory), now=NOW) is None
        assert idempotency.claim(receipt(vera, endpoint="POST /y"), now=NOW) is None
        assert idempotency.claim(receipt(vera, key="K"), now=NOW) is None


def test_stores_nothing_of_a_call_that_failed(vera: User) -> None:
    make_vendor(vera)
    one = receipt(vera)
    with pytest.raises(PermissionRequired):
        engine.start(StartRequest(ALICE, "vendor123"), client_id=vera.pk, now=NOW, receipt=one)
    make_active_permission(vera)

    started = engine.start(StartRequest(ALICE, "vendor123"), client_id=vera.pk, now=NOW, receipt=one)

    assert started.created


def test_a_repeated_start_gets_the_first_answer_to_the_letter(vera: User) -> None:
    make_vendor(vera)
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    one = receipt(vera)
    request = StartRequest(ALICE, "vendor123")
    first = engine.start(request, client_id=vera.pk, now=NOW, receipt=one)
    engine.end(first.session_code, client_id=vera.pk, now=after(seconds=60))

    again = engine.start(request, client_id=vera.pk, now=after(hours=20), receipt=one)

    assert again == first
    assert StreamingSession.objects.count() == 1


def test_a_begun_call_is_in_flight_until_its_lease_ends(vera: User) -> None:
    idempotency.begin(receipt(vera), now=NOW)

    with pytest.raises(KeyInFlight):
        idempotency.begin(receipt(vera), now=NOW + LEASE - timedelta(milliseconds=1))

    idempotency.begin(receipt(vera), now=NOW + LEASE)


def test_a_repetition_after_the_lease_goes_on_with_the_same_seed(vera: User) -> None:
    first = idempotency.begin(receipt(vera), now=NOW)

    second = idempotency.begin(receipt(vera), now=NOW + LEASE)

    assert (second.seed, second.result) == (first.seed, None)
    with pytest.raises(KeyInFlight):
        idempotency.begin(receipt(vera), now=NOW + LEASE)


def test_a_begun_call_that_was_answered_is_not_done_again(vera: User) -> None:
    first = idempotency.begin(receipt(vera), now=NOW)
    with operation():
        idempotency.store(receipt(vera), {"id": 1}, now=NOW)

    assert idempotency.begin(receipt(vera), now=NOW) == idempotency.Begun(first.seed, None, {"id": 1})
    assert ReceiptRow.objects.get().lease_until is None


def test_a_begun_call_in_flight_refuses_another_body_first(vera: User) -> None:
    idempotency.begin(receipt(vera), now=NOW)

    with pytest.raises(KeyReused):
        idempotency.begin(receipt(vera, body=b"other"), now=NOW)


def test_a_released_key_is_free_but_an_answered_one_is_not(vera: User) -> None:
    failed = idempotency.begin(receipt(vera, key="failed"), now=NOW)
    done = idempotency.begin(receipt(vera, key="done"), now=NOW)
    with operation():
        idempotency.store(receipt(vera, key="done"), {"id": 1}, now=NOW)

    idempotency.release(receipt(vera, key="failed"), failed)
    idempotency.release(receipt(vera, key="done"), done)

    assert list(ReceiptRow.objects.values_list("key", flat=True)) == ["done"]


def test_a_call_that_fails_late_leaves_the_lease_of_its_repetition(vera: User) -> None:
    slow = idempotency.begin(receipt(vera), now=NOW)
    later = NOW + 2 * idempotency.LEASE
    idempotency.begin(receipt(vera), now=later)

    idempotency.release(receipt(vera), slow)

    with pytest.raises(KeyInFlight):
        idempotency.begin(receipt(vera), now=later)


def test_steps_refuse_to_run_outside_of_a_transaction(vera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.db.connection.in_atomic_block", False)

    with pytest.raises(RuntimeError, match="outside of a transaction"):
        idempotency.claim(receipt(vera), now=NOW)
    with pytest.raises(RuntimeError, match="outside of a transaction"):
        idempotency.store(receipt(vera), {}, now=NOW)


def test_the_database_keeps_one_row_for_each_key(vera: User) -> None:
    answer(receipt(vera), {"a": 1})
    row = ReceiptRow.objects.get()
    row.pk = None

    with pytest.raises(IntegrityError, match="core_receipt_once"), transaction.atomic():
        row.save(force_insert=True)


def test_the_database_refuses_a_row_that_is_neither_answered_nor_leased(vera: User) -> None:
    with pytest.raises(IntegrityError, match="core_receipt_answered_or_leased"), transaction.atomic():
        ReceiptRow.objects.create(client=vera, endpoint="e", key="k", body_digest=b"", created_at=NOW)


class TestForgetting:
    def test_forgets_what_is_older_than_a_week_and_nothing_else(
        self, vera: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(forgetting, "_AT_ONCE", 2)
        for number in range(5):
            answer(receipt(vera, key=f"old-{number}"), {})
        with operation():
            idempotency.store(receipt(vera, key="young"), {}, now=after(ms=1))

        forgotten = idempotency.forget_old(now=after(hours=7 * 24, ms=1))

        assert forgotten == 5
        assert list(ReceiptRow.objects.values_list("key", flat=True)) == ["young"]

    def test_forgets_nothing_of_the_week(self, vera: User) -> None:
        answer(receipt(vera), {})

        assert idempotency.forget_old(now=after(hours=7 * 24)) == 0
