"""Starts, ends and payments that meet: one meter for one request, one active permission for one wallet."""

import threading
from contextlib import ExitStack, suppress
from typing import Any
from unittest.mock import Mock

import pytest
from pytest_django.fixtures import Settings

from billing import engine, expiry, funding, refusals, stage
from billing.engine import Started, StartRequest
from billing.errors import InsufficientFunding
from billing.records import SessionRecord
from billing.stage import Stage
from core import db, idempotency
from core.errors import DomainError, PaymentRequired
from core.idempotency import KeyInFlight, Receipt
from core.models import Event, ReceiptRow, User
from sessions_app.errors import SessionLimitReached
from sessions_app.models import StreamingSession
from tests.concurrency.threads import (
    TIMEOUT_SECONDS,
    elsewhere,
    in_background,
    lock_held,
    together,
    wait_until_blocked,
)
from tests.factories import (
    ALICE,
    NOW,
    SYNCED,
    ZEC,
    after,
    make_active_permission,
    make_permission,
    pay,
    see_deposit,
    stream,
)
from zcash import deposits, permissions, queries
from zcash.errors import WrongDepositState
from zcash.models import Deposit, PermissionAudit, SpendingPermission
from zcash.node.port import Receipt as ChainReceipt
from zcash.node.port import WalletAddress

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5
LOCK = "SELECT 1 FROM zcash_permission WHERE id = %s FOR NO KEY UPDATE"


def start(client: User, *, ref: str = "", receipt: Receipt | None = None, at_ms: int = 0) -> Started:
    request = StartRequest(ALICE, "vendor123", ref)
    return engine.start(request, client_id=client.pk, now=after(ms=at_ms), receipt=receipt)


def test_without_the_permissions_lock_two_starts_open_too_many_sessions(
    vera: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.MAX_SESSIONS_PER_WALLET = 1
    make_active_permission(vera)
    load = stage.load

    def load_before_the_other_starts(permission: SpendingPermission, **what: Any) -> Stage:
        monkeypatch.setattr(stage, "load", load)
        found = load(permission, **what)
        elsewhere(lambda: start(vera, ref="other"))
        return found

    def read_without_lock(*, client_id: int, wallet_address: str) -> SpendingPermission | None:
        return SpendingPermission.objects.active().get(client_id=client_id, wallet_address=wallet_address)

    monkeypatch.setattr(stage, "load", load_before_the_other_starts)
    monkeypatch.setattr(queries, "lock_active_seen", read_without_lock)

    start(vera, ref="one")

    # The count on the permission was lost as well: both wrote 1.
    assert StreamingSession.objects.count() == 2
    assert SpendingPermission.objects.get().open_transactions == 1
    SpendingPermission.objects.update(
        open_transactions=2, meter_rate_zat_per_hour=None, meter_started_at=None, next_event_at=after(hours=1)
    )


def test_many_starts_at_once_open_exactly_as_many_as_allowed(vera: User, settings: Settings) -> None:
    settings.MAX_SESSIONS_PER_WALLET = 3
    make_active_permission(vera)

    found = together(*[lambda ref=ref: start(vera, ref=ref) for ref in "abcdefg"])

    assert sum(isinstance(each, Started) for each in found) == 3
    assert sum(isinstance(each, SessionLimitReached) for each in found) == 4
    assert SpendingPermission.objects.get().open_transactions == 3


def test_many_starts_at_once_open_no_more_than_the_permission_allows(vera: User) -> None:
    make_active_permission(vera, max_sessions=2)

    found = together(*[lambda ref=ref: start(vera, ref=ref) for ref in "abcde"])

    assert sum(isinstance(each, Started) for each in found) == 2
    assert sum(isinstance(each, SessionLimitReached) for each in found) == 3
    assert SpendingPermission.objects.get().open_transactions == 2


def test_money_for_one_start_starts_one(vera: User, settings: Settings) -> None:
    settings.MIN_START_SECONDS = 60
    # It pays for 100 seconds of one session, for 50 of two.
    make_active_permission(vera, requested=100, rate=3600)

    found = together(*[lambda ref=ref: start(vera, ref=ref) for ref in "abcd"])

    assert sum(isinstance(each, Started) for each in found) == 1
    assert sum(isinstance(each, InsufficientFunding) for each in found) == 3


def test_two_starts_of_one_client_ref_are_one_session(vera: User) -> None:
    make_active_permission(vera)

    found = together(*[lambda: start(vera, ref="tv")] * 4)

    assert len({each.session_code for each in found}) == 1
    assert sorted(each.created for each in found) == [False, False, False, True]
    assert StreamingSession.objects.count() == 1


def test_two_starts_with_one_key_are_one_session_and_one_answer(vera: User) -> None:
    make_active_permission(vera)
    receipt = Receipt(vera.pk, "POST /api/v1/sessions", "key", b"d" * 32)

    found = together(*[lambda: start(vera, receipt=receipt)] * 4)

    answers = {each for each in found if isinstance(each, Started)}
    assert len(answers) == 1
    assert all(isinstance(each, Started | KeyInFlight) for each in found)
    assert start(vera, receipt=receipt, at_ms=5) in answers
    assert (StreamingSession.objects.count(), ReceiptRow.objects.count()) == (1, 1)


def test_a_second_call_with_the_key_does_not_wait_for_the_first(vera: User) -> None:
    make_active_permission(vera)
    receipt = Receipt(vera.pk, "POST /api/v1/sessions", "key", b"d" * 32)

    with ExitStack() as background, lock_held("SELECT 1 FROM zcash_permission FOR NO KEY UPDATE"):
        first = background.enter_context(in_background(lambda: start(vera, receipt=receipt)))
        wait_until_blocked()
        with pytest.raises(KeyInFlight):
            start(vera, receipt=receipt)

    assert start(vera, receipt=receipt) == first.result()


def test_two_begun_calls_with_one_key_are_one(vera: User) -> None:
    receipt = Receipt(vera.pk, "POST /api/v1/permissions", "key", b"d" * 32)

    found = together(*[lambda: idempotency.begin(receipt, now=NOW)] * 4)

    assert sum(isinstance(each, idempotency.Begun) for each in found) == 1
    assert sum(isinstance(each, KeyInFlight) for each in found) == 3


def test_ends_at_once_give_one_record(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera)
    times = [after(hours=1, ms=ms) for ms in (0, 7, 3, 11)]

    found = together(*[lambda now=now: engine.end(code, client_id=vera.pk, now=now) for now in times])

    assert all(isinstance(each, SessionRecord) for each in found)
    assert len({(each.amount_zat, each.session.ended_at, each.transactions) for each in found}) == 1
    assert Event.objects.filter(kind="session.ended").count() == 1


def test_an_end_finds_its_session_where_it_has_rolled_over_to(vera: User) -> None:
    first = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    second = make_active_permission(vera, requested=5 * ZEC, rate=1 * ZEC)
    code = stream(vera)

    with ExitStack() as background, lock_held(LOCK, [second.pk]):
        # The interval holds the first one and waits for the second; the end waits for the first.
        interval_waits = in_background(lambda: expiry.bring_current(first.pk, now=after(hours=2)))
        background.enter_context(interval_waits)
        wait_until_blocked(1)
        end = in_background(lambda: engine.end(code, client_id=vera.pk, now=after(hours=3)))
        ended = background.enter_context(end)
        wait_until_blocked(2)

    record = ended.result()
    assert [each.amount for each in record.transactions] == [1 * ZEC, 2 * ZEC]
    assert record.session.ended_at == after(hours=3)


def test_two_payments_of_one_wallet_make_one_active_and_one_queued(vera: User) -> None:
    for number in range(ROUNDS):
        pair = [make_permission(vera, wallet=f"wallet-{number}") for _ in range(2)]
        for permission in pair:
            see_deposit(permission, amount=10 * ZEC)

        found = together(*[lambda pk=each.pk: funding.credit(pk, now=NOW) for each in pair])

        states = SpendingPermission.objects.filter(wallet_address=f"wallet-{number}")
        assert found == [10 * ZEC, 10 * ZEC]
        assert sorted(states.values_list("status", flat=True)) == ["active", "queued"]


def test_a_start_that_waited_for_a_revoked_permission_goes_to_its_heir(vera: User) -> None:
    first, second = make_active_permission(vera), make_active_permission(vera)

    with ExitStack() as background, lock_held(LOCK, [second.pk]):
        # The revocation holds the first one and waits for its heir; the start waits for the first one.
        background.enter_context(
            in_background(
                lambda: funding.revoke(
                    client_id=vera.pk, public_id=first.public_id, now=after(seconds=1), actor="tests"
                )
            )
        )
        wait_until_blocked(1)
        started = background.enter_context(in_background(lambda: start(vera, at_ms=2000)))
        wait_until_blocked(2)

    assert started.result().created
    second.refresh_from_db()
    assert (second.status, second.open_transactions) == ("active", 1)


def test_a_permission_that_is_passed_over_is_not_held(vera: User) -> None:
    """Whoever holds it and waits for its heir meets a credit that goes the other way: a deadlock."""
    first = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    second = make_active_permission(vera)
    stream(vera)
    locked, release = threading.Event(), threading.Event()

    def lock_the_active_one() -> int:
        return db.again(lock_once)

    def lock_once() -> int:
        with db.operation():
            found = queries.lock_active(client_id=vera.pk, wallet_address=ALICE)
            locked.set()
            assert release.wait(TIMEOUT_SECONDS)
            assert found is not None
            return found.pk

    with ExitStack() as background:
        with lock_held(LOCK, [second.pk]):
            depletion = in_background(lambda: expiry.bring_current(first.pk, now=after(hours=2)))
            background.enter_context(depletion)
            wait_until_blocked(1)
            found = background.enter_context(in_background(lock_the_active_one))
            wait_until_blocked(2)
        background.callback(release.set)
        assert locked.wait(TIMEOUT_SECONDS)
        with db.operation():
            assert queries.lock(first.pk, wait=False).status == "exhausted"

    assert found.result() == second.pk


def test_one_payment_is_credited_once_however_many_notice_it(vera: User) -> None:
    permission = make_permission(vera)
    see_deposit(permission, amount=10 * ZEC)

    found = together(*[lambda: funding.credit(permission.pk, now=NOW)] * 4)

    assert sorted(found) == [0, 0, 0, 10 * ZEC]
    assert PermissionAudit.objects.filter(action="credited").count() == 1


def test_a_deposit_cannot_be_marked_credited_twice(vera: User) -> None:
    """The compare-and-set behind the locks."""
    permission = make_permission(vera)
    deposit = see_deposit(permission, amount=10 * ZEC)
    stale = Deposit.objects.get(pk=deposit.pk)
    funding.credit(permission.pk, now=NOW)

    with pytest.raises(WrongDepositState), db.operation():
        deposits.mark_credited(stale, permission=permission, now=NOW)


def test_a_look_at_the_chain_and_a_credit_wait_for_each_other_in_one_order(vera: User) -> None:
    permission = make_permission(vera)
    first, second = [see_deposit(permission, amount=5 * ZEC) for _ in range(2)]
    shown = [
        ChainReceipt("a", each.txid, each.pool, 0, each.amount_zat, 100, f"{100:064x}", 10, None)
        for each in (second, first)
    ]

    with (
        ExitStack() as background,
        lock_held("SELECT 1 FROM zcash_deposit WHERE id = %s FOR UPDATE", [first.pk]),
    ):
        credit = background.enter_context(in_background(lambda: funding.credit(permission.pk, now=NOW)))
        wait_until_blocked(1)
        look = background.enter_context(in_background(lambda: deposits.record(permission, shown, now=NOW)))
        wait_until_blocked(2)

    assert (look.result(), credit.result()) == (0, 10 * ZEC)


def test_a_start_that_just_missed_the_payment_is_refused_in_good_order(
    vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    permission = make_permission(vera)
    why_unfunded = refusals.why_unfunded

    def after_the_payment(**arguments: Any) -> PaymentRequired:
        elsewhere(lambda: pay(permission))
        return why_unfunded(**arguments)

    monkeypatch.setattr(refusals, "why_unfunded", after_the_payment)

    with suppress(DomainError):
        assert start(vera).created


def test_two_permissions_made_with_one_key_are_one(vera: User) -> None:
    receipt = Receipt(vera.pk, "POST /permissions", "key", b"d" * 32)
    request = permissions.Request(ALICE, 10 * ZEC, 1 * ZEC, 30)
    wallet = Mock(status=lambda: SYNCED, new_address=lambda index: WalletAddress(f"address-{index}", index))

    found = together(
        *[lambda: permissions.create(request, client_id=vera.pk, wallet=wallet, now=NOW, receipt=receipt)] * 3
    )

    assert SpendingPermission.objects.count() == 1
    assert all(isinstance(each, SpendingPermission | KeyInFlight) for each in found)
