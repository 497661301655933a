"""Settling: the one door through which streaming takes money from a permission (design: metering).

A permission's open transactions are settled up to one instant, `settled_at`. Every deduction is a
difference of running totals, so it does not matter when, how often or how late settling happens.
"""

from collections.abc import Sequence
from datetime import datetime

from billing import ledger
from billing.models import Transaction
from billing.projection import next_event_ms
from billing.rules import Meter, TransactionStatus, accrued_zat, bound_ms, depletion_amounts
from core.clock import cut, from_ms, to_ms
from core.db import operation, require_transaction
from core.errors import Conflict
from sessions_app import sessions
from sessions_app.models import StreamingSession
from sessions_app.rules import EndReason
from zcash import audit, permissions, queries
from zcash.models import SpendingPermission
from zcash.rules import PermissionStatus
from zcash.sql import draw_one


def settle_one(permission_id: int, *, now: datetime, wait: bool = True) -> None:
    """Lock one permission and settle it: the event path of the interval.

    Raises:
        Busy: somebody holds it or its queue (at once without `wait`); nothing was changed.
    """
    with operation():
        settle(queries.lock(permission_id, wait=wait), now=now, wait=wait)


def settle(permission: SpendingPermission, *, now: datetime, wait: bool = True) -> SpendingPermission | None:
    """Settle a locked permission at max(now, settled_at), and what follows it; a step.

    Every event that lies at or before that instant (a transaction's bound, depletion, expiry) takes effect
    at its own instant, in order, also on the permissions that the sessions roll over to. Returns the
    wallet's active permission after that, locked and settled, or None.
    """
    require_transaction()
    current: SpendingPermission | None = permission
    while current is not None and current.status == PermissionStatus.ACTIVE:
        running = open_transactions(current)
        to = effective_instant(current, now=now)
        event_ms, depletion_ms = next_event_ms(
            meters(running),
            remaining_zat=current.remaining_zat,
            settled_ms=to_ms(settled_at(current)),
            expires_ms=to_ms(current.expires_at),
        )
        if event_ms > to_ms(to):
            _draw(current, running, to=to, booked_at=now)
            if running and current.next_event_at != from_ms(event_ms):
                # It was noted from less than all that is known here.
                note_meters(current, running, at=to)
            return current
        current = _pass_event(
            current, running, at=from_ms(event_ms), depletes=event_ms == depletion_ms, now=now, wait=wait
        )
    return None


def effective_instant(permission: SpendingPermission, *, now: datetime) -> datetime:
    """Return the instant that counts under the permission's lock: never before `settled_at`."""
    return max(cut(now), settled_at(permission))


def settled_at(permission: SpendingPermission) -> datetime:
    """Return up to when a permission that has been active is settled."""
    assert permission.settled_at is not None, "a permission that was never active has no meter"
    return permission.settled_at


def open_transactions(permission: SpendingPermission) -> list[Transaction]:
    """Return the permission's open transactions with their sessions, in primary-key order."""
    if permission.open_transactions == 0:
        return []
    running = Transaction.objects.filter(permission=permission, status=TransactionStatus.OPEN)
    return list(running.select_related("session__vendor").order_by("id"))


def meters(transactions: Sequence[Transaction]) -> list[Meter]:
    """Return what the formula needs of transactions."""
    return [meter(each) for each in transactions]


def meter(transaction: Transaction) -> Meter:
    """Return what the formula needs of a transaction."""
    return Meter(
        id=transaction.pk,
        rate_zat_per_hour=transaction.price_zat,
        started_ms=to_ms(transaction.started_at),
        until_ms=to_ms(transaction.billable_until),
    )


def new_transaction(
    session: StreamingSession, permission: SpendingPermission, *, at: datetime, max_amount_zat: int | None
) -> Transaction:
    """Return what a session that runs on a permission from an instant needs; it is not written.

    `max_amount_zat` is what is left of the session's spending cap, None without one.
    """
    opened = Transaction(
        session=session,
        permission=permission,
        rate_zat_per_hour=session.rate_zat_per_hour,
        started_at=at,
        max_amount_zat=max_amount_zat,
    )
    opened.billable_until = billable_until(opened)
    return opened


def billable_until(transaction: Transaction) -> datetime:
    """Return until when a transaction may be billed, from what its session says now."""
    ends_ms = bound_ms(
        to_ms(transaction.started_at),
        rate_zat_per_hour=transaction.price_zat,
        own_bound_ms=to_ms(transaction.session.billable_until),
        max_amount_zat=transaction.max_amount_zat,
    )
    return from_ms(ends_ms)


def bound_reason(transaction: Transaction) -> EndReason:
    """Return why a session ends at its transaction's bound; the session's own reason comes before the cap."""
    session = transaction.session
    capped = transaction.billable_until < session.billable_until
    return EndReason.SPENDING_CAP if capped else session.bound_reason


def note_meters(permission: SpendingPermission, running: Sequence[Transaction], *, at: datetime) -> None:
    """Write on a locked permission, settled at an instant, what runs on it from then on; a step.

    The last step of whatever changes its open transactions, their bounds, or its money while it is metered.
    """
    alone = running[0] if len(running) == 1 else None
    permissions.set_meter(
        permission,
        open_transactions=len(running),
        meter=(alone.price_zat, alone.started_at) if alone else None,
        next_event_at=_next_event_at(permission, running, at=at),
        settled_at=at,
    )


def note_money(permission: SpendingPermission) -> None:
    """Write on a locked, settled permission what other money means for what runs on it; a step."""
    if running := open_transactions(permission):
        note_meters(permission, running, at=settled_at(permission))


def _next_event_at(
    permission: SpendingPermission, running: Sequence[Transaction], *, at: datetime
) -> datetime | None:
    if not running:
        return None
    event_ms, _ = next_event_ms(
        meters(running),
        remaining_zat=permission.remaining_zat,
        settled_ms=to_ms(at),
        expires_ms=to_ms(permission.expires_at),
    )
    return from_ms(event_ms)


def close_transaction(
    transaction: Transaction, *, at: datetime, amount_zat: int, booked_at: datetime
) -> None:
    """Make an open transaction final at an instant, with its charge; prepaid ZEC is confirmed at once.

    Raises:
        Conflict: it is final already.
    """
    require_transaction()
    still_open = Transaction.objects.filter(pk=transaction.pk, status=TransactionStatus.OPEN)
    changes = {"status": TransactionStatus.CONFIRMED, "ended_at": at, "amount_zat": amount_zat}
    if not still_open.update(**changes):
        raise Conflict("the transaction is final already")
    ledger.charge([transaction.pk], booked_at=booked_at)
    for field, value in changes.items():
        setattr(transaction, field, value)


def stop_all(permission: SpendingPermission, *, at: datetime, now: datetime, reason: EndReason) -> None:
    """End every session that runs on a locked permission settled at an instant, without roll-over; a step."""
    running = open_transactions(permission)
    for transaction in running:
        amount_zat = meter(transaction).amount(to_ms(at))
        close_transaction(transaction, at=at, amount_zat=amount_zat, booked_at=now)
        sessions.end_session(transaction.session, at=at, reason=reason, booked_at=now)
    if running:
        note_meters(permission, [], at=at)


def hand_over(
    left: SpendingPermission, *, at: datetime, now: datetime, wait: bool = True
) -> SpendingPermission | None:
    """Activate the next in the queue at the instant the locked, active one left that state; a step.

    Queued ones that expired before end at their own instant. Returns the new active one, locked.
    """
    for waiting in queries.lock_queued(left, wait=wait):
        expired = waiting.expires_at <= at
        permissions.change_status(
            waiting,
            to=PermissionStatus.EXPIRED if expired else PermissionStatus.ACTIVE,
            effective_at=waiting.expires_at if expired else at,
            booked_at=now,
            actor=audit.ENGINE,
        )
        if not expired:
            return waiting
    return None


def _draw(
    permission: SpendingPermission, running: Sequence[Transaction], *, to: datetime, booked_at: datetime
) -> None:
    """Lower what remains by what was used up to an instant without an event in between."""
    if not running or to == permission.settled_at:
        return
    used_zat = accrued_zat(meters(running), settled_ms=to_ms(settled_at(permission)), at_ms=to_ms(to))
    _draw_amount(permission, used_zat, to=to, booked_at=booked_at)


def _draw_amount(
    permission: SpendingPermission, drawn_zat: int, *, to: datetime, booked_at: datetime
) -> None:
    draw_one(permission.pk, drawn_zat=drawn_zat, to=to, booked_at=booked_at, actor=audit.ENGINE)
    permission.remaining_zat -= drawn_zat
    permission.settled_at = to


def _pass_event(
    permission: SpendingPermission,
    running: Sequence[Transaction],
    *,
    at: datetime,
    depletes: bool,
    now: datetime,
    wait: bool,
) -> SpendingPermission | None:
    """Let everything happen that happens at one instant; return the wallet's active permission after it.

    Sessions that reach their own bound at the instant end for that reason; the others roll over where the
    permission ends.
    """
    amounts = _amounts_at(permission, running, at=at, depletes=depletes)
    if running:
        drawn_zat = permission.remaining_zat if depletes else _used_until(permission, running, at=at)
        _draw_amount(permission, drawn_zat, to=at, booked_at=now)
    bounded = [each for each in running if each.billable_until <= at]
    ends = depletes or permission.expires_at <= at
    leaving = running if ends else bounded
    for transaction in leaving:
        close_transaction(transaction, at=at, amount_zat=amounts[transaction.pk], booked_at=now)
    for transaction in bounded:
        reason = bound_reason(transaction)
        sessions.end_session(transaction.session, at=at, reason=reason, booked_at=now)
    if leaving:
        note_meters(permission, [each for each in running if each not in leaving], at=at)
    if not ends:
        return permission
    rolling = [each for each in running if each.billable_until > at]
    return _leave_active(permission, rolling, at=at, depletes=depletes, now=now, wait=wait)


def _leave_active(
    permission: SpendingPermission,
    rolling: Sequence[Transaction],
    *,
    at: datetime,
    depletes: bool,
    now: datetime,
    wait: bool,
) -> SpendingPermission | None:
    """Close a permission that is empty or past its last day, and move its sessions to the next one."""
    new_states = [PermissionStatus.EXHAUSTED] if depletes else []
    if permission.expires_at <= at:
        new_states.append(PermissionStatus.EXPIRED)
    for state in new_states:
        permissions.change_status(permission, to=state, effective_at=at, booked_at=now, actor=audit.ENGINE)
    heir = hand_over(permission, at=at, now=now, wait=wait)
    reason = EndReason.EXHAUSTED if depletes else EndReason.PERMISSION_EXPIRED
    rolled = [each for each in rolling if _covers(heir, each)]
    for left in rolling:
        if left not in rolled:
            sessions.end_session(left.session, at=at, reason=reason, booked_at=now)
    if heir is not None and rolled:
        note_meters(heir, [_roll_over(left, heir, at=at) for left in rolled], at=at)
    return heir


def _roll_over(left: Transaction, heir: SpendingPermission, *, at: datetime) -> Transaction:
    """Let the session of a just closed transaction go on, with what that one left of its cap."""
    opened = new_transaction(left.session, heir, at=at, max_amount_zat=left.left_zat)
    opened.save(force_insert=True)
    return opened


def _covers(permission: SpendingPermission | None, transaction: Transaction) -> bool:
    """Whether the permission's owner agreed to pay this session's price."""
    return permission is not None and transaction.price_zat <= permission.rate_zat_per_hour


def _amounts_at(
    permission: SpendingPermission, running: Sequence[Transaction], *, at: datetime, depletes: bool
) -> dict[int, int]:
    if not depletes:
        return {each.pk: meter(each).amount(to_ms(at)) for each in running}
    return depletion_amounts(
        meters(running),
        remaining_zat=permission.remaining_zat,
        settled_ms=to_ms(settled_at(permission)),
        depleted_ms=to_ms(at),
    )


def _used_until(permission: SpendingPermission, running: Sequence[Transaction], *, at: datetime) -> int:
    return accrued_zat(meters(running), settled_ms=to_ms(settled_at(permission)), at_ms=to_ms(at))
