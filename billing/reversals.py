"""Reversals: taking back credits whose payment a reorg has removed from the chain."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.conf import settings

from billing import expiry, grants, ledger, metering, operators, refunds, succession, sweeps, transactions
from billing.operator_rules import Verb
from billing.operators import Word
from core import db, outbox
from core.amounts import parse_zec, zec_text
from sessions_app import sessions
from sessions_app.rules import EndReason
from zcash import audit, deposits, money, permissions, queries, reorgs
from zcash.models import Deposit, SpendingPermission
from zcash.rules import PermissionStatus, SuspensionReason

log = structlog.get_logger(__name__)


def reverse_lost(*, now: datetime, word: Word | None = None) -> int:
    """Reverse every credited deposit that the chain has lost; return how many were.

    More of them, or more money, than the settings allow for one pass reverses none: a wallet that is wrong
    must not empty everybody's permission. An operator looks, and gives his word for all of them.
    """
    waiting = list(reorgs.lost())
    if word is None and is_too_much(waiting):
        log.error(
            "reversals_stopped",
            deposits=len(waiting),
            amount=zec_text(sum(each.amount_zat for each in waiting)),
            advice="compare with another node; then `manage.py reversals --apply`",
        )
        return 0
    return sweeps.each(waiting, lambda each: reverse(each, now=now, word=word), what="reversal")


def is_too_much(waiting: Sequence[Deposit]) -> bool:
    """Whether so many reversals at once are more likely a fault than a reorg."""
    total_zat = sum(each.amount_zat for each in waiting)
    limit_zat = parse_zec(settings.MAX_REVERSAL_AMOUNT_PER_PASS)
    # A payment in many outputs is one payment: nobody stops the others' reversals with it.
    payments = {each.txid for each in waiting}
    return len(payments) > settings.MAX_REVERSALS_PER_PASS or total_zat > limit_zat


def reverse(deposit: Deposit, *, now: datetime, word: Word | None = None) -> bool:
    """Take one lost deposit back; what was streamed of it is the platform's loss. False: no longer lost."""
    return db.again(
        lambda: _reverse_once(deposit.pk, permission_id=deposit.permission_id, now=now, word=word)
    )


def _reverse_once(deposit_id: int, *, permission_id: int, now: datetime, word: Word | None) -> bool:
    with db.operation():
        permission, active = expiry.lock_current(permission_id, now=now)
        deposit = deposits.lock_lost(deposit_id)
        if deposit is None:
            return False
        granted = _granted(active)
        at = queries.not_before_the_meter(permission, now=now)
        deposits.mark_reversed(deposit, permission=permission, now=at)
        refunds.cancel_waiting(permission, now=at)
        shortfall_zat = money.take_back(
            permission, amount_zat=deposit.amount_zat, now=at, details=deposit.output
        )
        if word:
            operators.note(word, Verb.TAKE_BACK, permission=permission, deposit=deposit, now=now)
        ledger.reversal(deposit, shortfall_zat=shortfall_zat, now=at)
        if shortfall_zat:
            log.error("platform_loss", permission=permission.pk, amount=zec_text(shortfall_zat))
        _stop_where_unpaid(permission, at=at)
        _announce_earlier_ends(active, granted, now=at)
    return True


def _granted(active: SpendingPermission | None) -> dict[int, datetime]:
    """Return until when the wallet's sessions may stream, by their primary key."""
    return grants.of(active, transactions.running_on(active)).until if active else {}


def _announce_earlier_ends(
    active: SpendingPermission | None, granted: dict[int, datetime], *, now: datetime
) -> None:
    """Tell the vendors of sessions that run on, on less money than they were told of."""
    if not granted:
        return
    assert active is not None, "somebody granted it"
    active.refresh_from_db()
    running = transactions.running_on(active)
    until = grants.of(active, running).until
    for session in [each.session for each in running]:
        if until[session.pk] < granted[session.pk]:
            event = sessions.grant_changed(session, granted_until=until[session.pk])
            outbox.emit(**event._asdict(), client_id=session.client_id, now=now)


def _stop_where_unpaid(permission: SpendingPermission, *, at: datetime) -> None:
    if permission.status == PermissionStatus.ACTIVE:
        if not permission.is_paid:
            _leave(permission, to=PermissionStatus.SUSPENDED, reason=EndReason.PERMISSION_SUSPENDED, at=at)
        elif permission.remaining_zat == 0:
            _leave(permission, to=PermissionStatus.EXHAUSTED, reason=EndReason.EXHAUSTED, at=at)
        else:
            metering.note_money(permission)
    elif permission.status == PermissionStatus.QUEUED and not (
        permission.is_paid and permission.remaining_zat
    ):
        _change(permission, to=PermissionStatus.SUSPENDED, at=at)


def _leave(permission: SpendingPermission, *, to: PermissionStatus, reason: EndReason, at: datetime) -> None:
    """Let the active permission stop: its sessions end, and the next in the queue becomes active."""
    metering.stop_all(permission, at=at, now=at, reason=reason)
    _change(permission, to=to, at=at)
    succession.hand_over(permission, at=at, now=at)


def _change(permission: SpendingPermission, *, to: PermissionStatus, at: datetime) -> None:
    held = SuspensionReason.REVERSAL if to is PermissionStatus.SUSPENDED else None
    permissions.change_status(
        permission, to=to, effective_at=at, booked_at=at, actor=audit.CHAIN, suspended_for=held
    )
