"""Money coming in: deposits are credited once, when confirmed, and revive what may be revived."""

from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from billing import engine, expiry, funding, live
from billing.funding import Payment
from billing.interval import run_interval
from billing.ledger_models import Transfer
from core.models import Event, User
from tests.factories import (
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_permission,
    make_vendor,
    pay,
    see_deposit,
    stream,
)
from zcash.errors import PermissionGone
from zcash.models import Deposit, PermissionAudit, SpendingPermission
from zcash.rules import AuditAction, PermissionStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def actions(permission: SpendingPermission) -> list[str]:
    rows = PermissionAudit.objects.filter(permission_id=permission.pk).order_by("id")
    return list(rows.values_list("action", flat=True))


def used_up(client: User, *, now: datetime = NOW) -> SpendingPermission:
    """Return a permission of 1 ZEC at 1 ZEC per hour whose hour is over."""
    permission = make_active_permission(client, requested=1 * ZEC, rate=1 * ZEC, now=now)
    stream(client, now=now, ref=str(permission.pk))
    return expiry.bring_current(permission.pk, now=now + timedelta(hours=2))


def test_partial_payments_add_up_and_activate_with_the_last_one(vera: User) -> None:
    permission = make_permission(vera)

    pay(permission, 4 * ZEC)
    assert (permission.status, permission.remaining_zat) == ("pending", 4 * ZEC)
    pay(permission, 6 * ZEC, now=after(seconds=5))

    assert (permission.status, permission.remaining_zat) == ("active", 10 * ZEC)
    assert permission.activated_at == permission.settled_at == after(seconds=5)


def test_a_credit_takes_effect_no_earlier_than_what_was_billed_already(vera: User) -> None:
    permission = make_active_permission(vera, rate=1 * ZEC)
    stream(vera)
    run_interval(now=after(hours=2), engine="test", chunk_size=10)
    late = see_deposit(permission, amount=5 * ZEC)

    # Another process's clock, an hour behind the one that billed.
    funding.credit(permission.pk, now=after(hours=1))

    permission.refresh_from_db()
    late.refresh_from_db()
    credited = PermissionAudit.objects.filter(permission_id=permission.pk, action="credited").latest("id")
    assert (credited.effective_at, late.credited_at) == (after(hours=2), after(hours=2))
    assert (permission.settled_at, permission.remaining_zat) == (after(hours=2), 13 * ZEC)
    assert Transfer.objects.filter(kind="deposit").latest("id").at == after(hours=2)


def test_one_zatoshi_too_little_activates_nothing(vera: User) -> None:
    permission = make_permission(vera)

    pay(permission, 10 * ZEC - 1)

    assert permission.status == "pending"
    assert funding.payment_of(permission).missing_zat == 1


def test_credits_all_of_an_overpayment(vera: User) -> None:
    permission = make_permission(vera)

    pay(permission, 25 * ZEC)

    assert (permission.status, permission.credited_zat, permission.remaining_zat) == (
        "active",
        25 * ZEC,
        25 * ZEC,
    )
    assert permission.approved_zat == 25 * ZEC


def test_a_top_up_moves_the_depletion_of_a_running_session(vera: User) -> None:
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    code = stream(vera)

    pay(permission, 1 * ZEC, now=after(hours=0.5))

    assert permission.remaining_zat == 3 * ZEC // 2
    record = engine.end(code, client_id=vera.pk, now=after(hours=5))
    assert (record.amount_zat, record.session.ended_at) == (2 * ZEC, after(hours=2))


def test_a_top_up_after_the_depletion_comes_too_late_for_the_session(vera: User) -> None:
    permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    code = stream(vera)

    pay(permission, 1 * ZEC, now=after(hours=1, ms=1))

    assert (permission.status, permission.remaining_zat) == ("active", 1 * ZEC)
    assert permission.settled_at == after(hours=1, ms=1)
    record = engine.end(code, client_id=vera.pk, now=after(hours=5))
    assert (record.amount_zat, record.session.ended_at) == (1 * ZEC, after(hours=1))


def test_a_payment_revives_a_used_up_permission_but_no_ended_session(vera: User) -> None:
    permission = used_up(vera)

    pay(permission, 1, now=after(hours=3))

    assert (permission.status, permission.remaining_zat) == ("active", 1)
    assert live.read(permission.pk, now=after(hours=3)).open_sessions == 0


def test_a_revived_permission_queues_behind_the_one_that_became_active_meanwhile(vera: User) -> None:
    permission = used_up(vera)
    other = make_active_permission(vera, now=after(hours=3))

    pay(permission, 1 * ZEC, now=after(hours=4))

    assert (permission.status, permission.queued_at) == ("queued", after(hours=4))
    other.refresh_from_db()
    assert other.status == "active"


def test_a_payment_of_the_second_permission_queues_it(vera: User) -> None:
    first = make_active_permission(vera)

    second = make_active_permission(vera, now=after(seconds=1))

    assert (first.status, second.status, second.activated_at) == ("active", "queued", None)
    assert AuditAction.QUEUED in actions(second)


def test_a_second_permission_paid_after_an_unnoticed_depletion_is_active_at_once(vera: User) -> None:
    first = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    code = stream(vera)

    second = make_active_permission(vera, now=after(hours=2))

    first.refresh_from_db()
    assert (first.status, second.status, second.activated_at) == ("exhausted", "active", after(hours=2))
    assert engine.end(code, client_id=vera.pk, now=after(hours=3)).session.ended_at == after(hours=1)


@pytest.mark.parametrize("end", ["expired", "revoked", "lapsed"])
def test_money_for_a_closed_permission_is_kept_and_opens_nothing(vera: User, end: str) -> None:
    permission = make_permission(vera, expires_at=after(hours=1))
    if end != "lapsed":
        pay(permission)
    if end == "revoked":
        funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=NOW, actor="tests")
    expiry.run(now=after(hours=1))

    pay(permission, 3 * ZEC, now=after(hours=2))

    kept = 3 * ZEC if end == "lapsed" else 13 * ZEC
    assert (permission.status, permission.remaining_zat, permission.credited_zat) == (end, kept, kept)
    assert actions(permission)[-1] == "credited"


def test_two_outputs_of_one_transaction_are_two_deposits(vera: User) -> None:
    permission = make_permission(vera)
    first = see_deposit(permission, amount=4 * ZEC)
    second = see_deposit(permission, amount=6 * ZEC)
    Deposit.objects.filter(pk=second.pk).update(txid=first.txid, output_index=1)

    credited = funding.credit(permission.pk, now=NOW)

    permission.refresh_from_db()
    assert (credited, permission.status, permission.credited_zat) == (10 * ZEC, "active", 10 * ZEC)
    assert actions(permission).count("credited") == 2


def test_credits_a_deposit_once_however_often_it_is_asked(vera: User) -> None:
    permission = make_permission(vera)
    see_deposit(permission, amount=10 * ZEC)

    credited = [funding.credit(permission.pk, now=after(seconds=n)) for n in range(3)]

    permission.refresh_from_db()
    assert (credited, permission.credited_zat) == ([10 * ZEC, 0, 0], 10 * ZEC)
    assert actions(permission).count("credited") == 1
    assert Event.objects.filter(kind="deposit.confirmed").count() == 1


def test_credits_nothing_before_the_last_confirmation(vera: User, settings: Settings) -> None:
    settings.ZCASH_MIN_CONFIRMATIONS = 5
    permission = make_permission(vera)
    deposit = see_deposit(permission, amount=10 * ZEC, confirmations=4)

    assert (funding.credit_confirmed(now=NOW), funding.credit(permission.pk, now=NOW)) == (0, 0)
    Deposit.objects.filter(pk=deposit.pk).update(confirmations=5)
    assert funding.credit_confirmed(now=NOW) == 1

    permission.refresh_from_db()
    assert permission.status == "active"


def test_a_credit_at_the_last_instant_revives_nothing(vera: User) -> None:
    permission = make_permission(vera, expires_at=after(hours=1))

    pay(permission, now=after(hours=1))

    assert (permission.status, permission.remaining_zat) == ("lapsed", 10 * ZEC)
    assert permission.closed_at == permission.pay_before


def test_a_used_up_permission_is_not_revived_past_its_last_day(vera: User) -> None:
    permission = used_up(vera)
    SpendingPermission.objects.filter(pk=permission.pk).update(expires_at=after(hours=3))

    pay(permission, 1 * ZEC, now=after(hours=3))

    assert (permission.status, permission.closed_at) == ("expired", after(hours=3))


def test_one_bad_permission_does_not_hold_up_the_credit_of_the_others(
    vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = make_permission(vera, wallet="a"), make_permission(vera, wallet="b")
    for permission in (bad, good):
        see_deposit(permission, amount=10 * ZEC)
    credit = funding.credit

    def refuse_the_bad_one(permission_id: int, *, now: datetime) -> int:
        if permission_id == bad.pk:
            raise PermissionGone
        return credit(permission_id, now=now)

    monkeypatch.setattr(funding, "credit", refuse_the_bad_one)

    assert funding.credit_confirmed(now=NOW) == 1
    good.refresh_from_db()
    assert good.status == "active"


def test_tells_how_far_a_payment_is(vera: User, settings: Settings) -> None:
    settings.ZCASH_MIN_CONFIRMATIONS = 5
    permission = make_permission(vera)
    see_deposit(permission, amount=1 * ZEC, confirmations=7)
    see_deposit(permission, amount=2 * ZEC, confirmations=3)
    see_deposit(permission, amount=3 * ZEC, confirmations=0)
    funding.credit(permission.pk, now=NOW)

    payment = funding.payment_of(permission)

    assert payment == Payment(
        required_zat=10 * ZEC,
        received_zat=6 * ZEC,
        confirmed_zat=1 * ZEC,
        missing_zat=4 * ZEC,
        confirmations=0,
        required_confirmations=5,
        quarantined=False,
    )


def test_revocation_ends_sessions_at_its_instant_and_activates_the_next(vera: User) -> None:
    first = make_active_permission(vera, requested=10 * ZEC, rate=1 * ZEC)
    second = make_active_permission(vera, requested=10 * ZEC, rate=1 * ZEC)
    code = stream(vera)

    revoked = funding.revoke(
        client_id=vera.pk, public_id=first.public_id, now=after(hours=1, ms=500), actor="client:1"
    )

    record = engine.end(code, client_id=vera.pk, now=after(hours=3))
    second.refresh_from_db()
    assert (record.end_reason, record.session.ended_at) == ("permission_revoked", after(hours=1, ms=500))
    assert len(record.transactions) == 1
    assert (revoked.status, revoked.remaining_zat) == ("revoked", 10 * ZEC - record.amount_zat)
    assert (second.status, second.activated_at) == ("active", after(hours=1, ms=500))
    assert PermissionAudit.objects.get(permission_id=first.pk, action="revoked").actor == "client:1"


def test_revocation_of_a_waiting_permission_leaves_the_active_one_alone(vera: User) -> None:
    first = make_active_permission(vera)
    second = make_active_permission(vera)
    stream(vera)

    funding.revoke(client_id=vera.pk, public_id=second.public_id, now=after(hours=1), actor="tests")

    live_first = live.read(first.pk, now=after(hours=1))
    assert (live_first.permission.status, live_first.open_sessions) == (PermissionStatus.ACTIVE, 1)


def test_revocation_of_what_took_over_unnoticed_ends_the_session_that_runs_on_it(vera: User) -> None:
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
    second = make_active_permission(vera, requested=10 * ZEC, rate=1 * ZEC)
    code = stream(vera)

    revoked = funding.revoke(
        client_id=vera.pk, public_id=second.public_id, now=after(hours=1.5), actor="tests"
    )

    record = engine.end(code, client_id=vera.pk, now=after(hours=3))
    assert (revoked.status, revoked.remaining_zat) == ("revoked", 19 * ZEC // 2)
    assert (record.session.ended_at, record.amount_zat) == (after(hours=1.5), 3 * ZEC // 2)


def test_what_has_ended_cannot_be_revoked_again(vera: User) -> None:
    permission = make_active_permission(vera)
    funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=NOW, actor="tests")

    with pytest.raises(PermissionGone):
        funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=NOW, actor="tests")


def test_a_permission_that_has_already_expired_cannot_be_revoked(vera: User) -> None:
    permission = make_active_permission(vera, expires_at=after(hours=1))

    with pytest.raises(PermissionGone):
        funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=after(hours=1), actor="tests")
