"""What operators do by hand: each verb does one thing, and says who did it and why."""

import pytest
from django.db import InternalError, transaction
from django.db.utils import IntegrityError

from billing import engine, expiry, extensions, holds, interventions, operators, refunds
from billing.operator_models import OperatorAction
from billing.operators import Word
from core.errors import Invalid
from core.models import User
from sessions_app.models import StreamingSession
from tests.factories import ALICE, NOW, ZEC, after, make_active_permission, make_permission, pay, stream
from zcash.addresses import Network, encode_sapling
from zcash.errors import LimitExceeded, PermissionGone, WrongPermissionState
from zcash.models import PermissionAudit, SpendingPermission

# Paying from here to a transparent address costs three actions (ZIP-317): 15 000 zatoshis.
SAPLING = encode_sapling(b"paid here".ljust(43, b"\1"), network=Network.REGTEST)

pytestmark = pytest.mark.django_db


@pytest.fixture
def otto() -> Word:
    return word_of("otto")


def word_of(name: str, reason: str = "the viewer asked for it") -> Word:
    operator = User.objects.create_user(name, is_staff=True)
    return operators.word(operator_id=operator.pk, name=name, reason=reason)


def actions() -> list[tuple[str, str, str]]:
    rows = OperatorAction.objects.order_by("id").values_list("verb", "operator__username", "reason")
    return list(rows)


def last_audit(permission: SpendingPermission) -> PermissionAudit:
    return PermissionAudit.objects.filter(permission=permission).order_by("-id")[0]


def test_a_hold_ends_the_sessions_and_lets_the_next_permission_go_on(vera: User, otto: Word) -> None:
    first = make_active_permission(vera)
    second = make_active_permission(vera)
    code = stream(vera)

    holds.hold(first.pk, word=otto, now=after(hours=1))

    first.refresh_from_db()
    second.refresh_from_db()
    session = StreamingSession.objects.get(code=code)
    assert (first.status, first.suspended_for, first.remaining_zat) == ("suspended", "hold", 750_000_000)
    assert (session.status, session.end_reason) == ("ended", "permission_suspended")
    assert second.status == "active"
    assert actions() == [("hold", "otto", "the viewer asked for it")]


def test_a_hold_is_in_the_audit_log_with_who_and_why(vera: User, otto: Word) -> None:
    permission = make_active_permission(vera)

    holds.hold(permission.pk, word=otto, now=NOW)

    row = last_audit(permission)
    assert (row.action, row.actor) == ("suspended", "operator:otto")
    assert row.details == {"reason": "the viewer asked for it"}


def test_holds_nothing_that_was_never_paid(vera: User, otto: Word) -> None:
    permission = make_permission(vera)

    with pytest.raises(WrongPermissionState):
        holds.hold(permission.pk, word=otto, now=NOW)

    assert actions() == []


def test_a_lifted_hold_makes_the_permission_active_again(vera: User, otto: Word) -> None:
    permission = make_active_permission(vera)
    holds.hold(permission.pk, word=otto, now=NOW)

    holds.lift(permission.pk, word=otto, now=after(hours=1))

    permission.refresh_from_db()
    assert (permission.status, permission.suspended_for) == ("active", None)
    assert engine.start(
        engine.StartRequest(ALICE, "vendor123"), client_id=vera.pk, now=after(hours=1)
    ).created


def test_a_lifted_hold_waits_behind_what_has_become_active(vera: User, otto: Word) -> None:
    first, _ = make_active_permission(vera), make_active_permission(vera)
    holds.hold(first.pk, word=otto, now=NOW)

    holds.lift(first.pk, word=otto, now=after(hours=1))

    first.refresh_from_db()
    assert first.status == "queued"


def test_lifts_only_what_an_operator_holds(vera: User, otto: Word) -> None:
    permission = make_active_permission(vera)

    with pytest.raises(WrongPermissionState):
        holds.lift(permission.pk, word=otto, now=NOW)


def test_money_does_not_lift_a_hold(vera: User, otto: Word) -> None:
    permission = make_active_permission(vera)
    holds.hold(permission.pk, word=otto, now=NOW)

    pay(permission, ZEC, now=after(hours=1))

    assert (permission.status, permission.remaining_zat) == ("suspended", 11 * ZEC)


def test_more_days_let_a_running_session_go_past_the_old_last_day(vera: User, otto: Word) -> None:
    permission = make_active_permission(vera, rate=ZEC, expires_at=after(hours=1))
    code = stream(vera)

    extensions.extend(
        permission.pk, days=2, last_day=last_day_of(permission), word=otto, now=after(seconds=60)
    )
    expiry.run(now=after(hours=2))
    record = engine.end(code, client_id=vera.pk, now=after(hours=3))

    permission.refresh_from_db()
    assert record.amount_zat == 3 * ZEC
    assert permission.expires_at == after(hours=49)
    assert last_audit_of(permission, "extended").details["reason"] == "the viewer asked for it"


def last_day_of(permission: SpendingPermission) -> str:
    return permission.expires_at.isoformat()


def last_audit_of(permission: SpendingPermission, action: str) -> PermissionAudit:
    return PermissionAudit.objects.get(permission=permission, action=action)


@pytest.mark.parametrize("days", [0, -1, 337])
def test_extends_by_no_more_days_than_a_permission_may_have(vera: User, otto: Word, days: int) -> None:
    permission = make_active_permission(vera)

    with pytest.raises(LimitExceeded):
        extensions.extend(permission.pk, days=days, last_day=last_day_of(permission), word=otto, now=NOW)


def test_extends_nothing_that_is_over(vera: User, otto: Word) -> None:
    permission = make_active_permission(vera, expires_at=after(hours=1))

    with pytest.raises(PermissionGone):
        extensions.extend(
            permission.pk, days=1, last_day=last_day_of(permission), word=otto, now=after(hours=1)
        )


def test_an_operator_ends_a_session_and_the_record_says_so(vera: User, otto: Word) -> None:
    make_active_permission(vera)
    session = StreamingSession.objects.get(code=stream(vera))

    interventions.end_session(session, word=otto, now=after(hours=1))
    interventions.end_session(session, word=otto, now=after(hours=2))

    session.refresh_from_db()
    assert (session.end_reason, session.ended_at) == ("ended_by_operator", after(hours=1))
    assert OperatorAction.objects.get().session == session


def test_an_operator_revokes(vera: User, otto: Word) -> None:
    permission = make_active_permission(vera)

    interventions.revoke(permission, word=otto, now=NOW)

    permission.refresh_from_db()
    assert (permission.status, permission.refund_due) == ("revoked", True)
    assert last_audit(permission).actor == "operator:otto"
    assert actions() == [("revoke", "otto", "the viewer asked for it")]


def revoked(vera: User, otto: Word, *, requested: int = 10 * ZEC) -> SpendingPermission:
    """Return a revoked permission with all its money left, paid at a real address."""
    permission = make_active_permission(vera, requested=requested)
    SpendingPermission.objects.filter(pk=permission.pk).update(payment_address=SAPLING)
    interventions.revoke(permission, word=otto, now=NOW)
    refunds.queue_due(now=NOW)
    permission.refresh_from_db()
    return permission


def test_what_is_too_little_to_refund_is_found_by_its_mark(vera: User, otto: Word) -> None:
    permission = revoked(vera, otto, requested=50_000)

    assert (permission.below_minimum, permission.refund_due) == (True, False)


def test_an_operator_refunds_what_is_below_the_minimum(vera: User, otto: Word) -> None:
    permission = revoked(vera, otto, requested=50_000)

    refund = refunds.give_back(permission.pk, word=otto, now=NOW)

    permission.refresh_from_db()
    assert (refund.amount_zat, refund.paid_zat, refund.status) == (50_000, 35_000, "queued")
    assert (permission.remaining_zat, permission.below_minimum) == (0, False)


def test_refunds_nothing_of_a_permission_that_is_alive(vera: User, otto: Word) -> None:
    permission = make_active_permission(vera)

    with pytest.raises(WrongPermissionState):
        refunds.give_back(permission.pk, word=otto, now=NOW)


@pytest.mark.parametrize("reason", ["", "   ", "no\0\n", "x" * 501])
def test_takes_no_word_without_a_reason(reason: str) -> None:
    with pytest.raises(Invalid):
        operators.word(operator_id=1, name="otto", reason=reason)


def test_a_reason_is_one_line() -> None:
    assert operators.word(operator_id=1, name="otto", reason=" a\nb\0 c ").reason == "a b c"


def test_what_operators_did_is_never_changed(vera: User, otto: Word) -> None:
    permission = make_active_permission(vera)
    holds.hold(permission.pk, word=otto, now=NOW)

    with pytest.raises((IntegrityError, InternalError)), transaction.atomic():
        OperatorAction.objects.update(reason="nothing")
