"""Who pays next: what becomes of the sessions of a source that is used up or past its last day.

A permission's go on with the next one in the queue that covers their price, else with the authorisation that
is linked to the wallet, else they end. An authorisation's end.
"""

from collections.abc import Sequence
from datetime import datetime

from billing import arrears, authorizations, ends, linked, metering, sources, token_prices, transactions
from billing.ethereum.rules import AuthorizationStatus
from billing.metering import Ending
from billing.models import Transaction
from billing.models_ethereum import Authorization
from billing.sources import is_active
from billing.transactions import meter
from core.clock import to_ms
from core.db import operation, require_transaction
from sessions_app.rules import EndReason
from zcash import audit, permissions, queries
from zcash.models import SpendingPermission
from zcash.rules import PermissionStatus


def settle_one(permission_id: int, *, now: datetime, wait: bool = True) -> None:
    """Lock one permission and settle it: the event path of the interval.

    Raises:
        Busy: somebody holds it or its queue (at once without `wait`); nothing was changed.
    """
    with operation():
        settle(queries.lock(permission_id, wait=wait), now=now, wait=wait)


def settle(permission: SpendingPermission, *, now: datetime, wait: bool = True) -> SpendingPermission | None:
    """Settle a locked permission at max(now, settled_at), and what follows it; a step.

    Whatever lies at or before that instant takes effect at its own instant, in order, also on what the
    sessions roll over to. Returns the wallet's active permission after that, locked and settled, or None.
    """
    require_transaction()
    if not is_active(permission):
        return None
    current: SpendingPermission | None = permission
    while current is not None and (ending := metering.settle(current, now=now)):
        current = _leave(current, ending, now=now, wait=wait)
    if current is not permission:
        _settle_linked(permission, now=now)
    return current


def settle_authorization(authorization: Authorization, *, now: datetime) -> None:
    """Settle a locked authorisation at max(now, settled_at), with what happens up to then; a step.

    Nothing may be due on its linked wallet's permission: it would have rolled over before
    (`billing.covering.lock_current`).
    """
    while is_active(authorization) and (ending := metering.settle(authorization, now=now)):
        reason = EndReason.EXHAUSTED if ending.depletes else EndReason.AUTHORIZATION_EXPIRED
        for left in ending.rolling:
            ends.end(left.session, at=ending.at, reason=reason, now=now)
        if authorization.charged_units == authorization.limit_units:
            _change(authorization, to=AuthorizationStatus.EXHAUSTED, at=ending.at, now=now)
        if authorization.expires_at <= ending.at:
            _change(authorization, to=AuthorizationStatus.EXPIRED, at=ending.at, now=now)


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


def _leave(
    permission: SpendingPermission, ending: Ending, *, now: datetime, wait: bool
) -> SpendingPermission | None:
    """Close a permission that is empty or past its last day, and move its sessions to what pays next."""
    new_states = [PermissionStatus.EXHAUSTED] if ending.depletes else []
    if permission.expires_at <= ending.at:
        new_states.append(PermissionStatus.EXPIRED)
    for state in new_states:
        permissions.change_status(
            permission, to=state, effective_at=ending.at, booked_at=now, actor=audit.ENGINE
        )
    heir = hand_over(permission, at=ending.at, now=now, wait=wait)
    covered = [each for each in ending.rolling if _covers(heir, each)]
    if heir is not None and covered:
        opened = [roll_over(each, heir, at=ending.at) for each in covered]
        metering.note_meters(heir, opened, at=ending.at)
    others = [each for each in ending.rolling if each not in covered]
    joined = _join_linked(permission, others, at=ending.at, now=now, wait=wait)
    reason = EndReason.EXHAUSTED if ending.depletes else EndReason.PERMISSION_EXPIRED
    for left in others:
        if left not in joined:
            ends.end(left.session, at=ending.at, reason=reason, now=now)
    return heir


def roll_over(left: Transaction, heir: SpendingPermission, *, at: datetime) -> Transaction:
    """Let the session of a just closed transaction go on, with what that one left of its cap; a step."""
    opened = transactions.new(left.session, heir, at=at, max_amount_zat=left.left_zat)
    opened.save(force_insert=True)
    return opened


def _covers(permission: SpendingPermission | None, transaction: Transaction) -> bool:
    """Whether the permission's owner agreed to pay this session's price."""
    return permission is not None and transaction.rate <= permission.rate_zat_per_hour


def _join_linked(
    permission: SpendingPermission,
    leaving: Sequence[Transaction],
    *,
    at: datetime,
    now: datetime,
    wait: bool,
) -> list[Transaction]:
    """Let sessions go on from an instant with the wallet's linked authorisation; return those that do.

    Those do not for which it was not signed: dearer ones, and those with a spending cap in ZEC.
    """
    joining = [each for each in leaving if each.max_amount_zat is None]
    if not joining:
        return []
    authorization = linked.lock_active(
        client_id=permission.client_id, wallet_address=permission.wallet_address, wait=wait
    )
    if authorization is None:
        return []
    settle_authorization(authorization, now=at)
    if not linked.pays_at(authorization, at) or arrears.of(authorization):
        return []
    joining = [each for each in joining if token_prices.covers(authorization, each.session)]
    return joining if joining and _join(authorization, joining, at=at, now=now) else []


def _join(
    authorization: Authorization, joining: Sequence[Transaction], *, at: datetime, now: datetime
) -> bool:
    """Open transactions on a locked authorisation; False where it cannot pay for them at all.

    It is settled up to `at`, or, by a clock that was a little ahead, beyond: what they use until then is
    taken at once.
    """
    settled_at = metering.effective_instant(authorization, now=at)
    opened = [transactions.new(each.session, authorization, at=at, max_amount_zat=None) for each in joining]
    behind = sum(meter(each).amount(to_ms(settled_at)) for each in opened)
    if behind >= sources.remaining(authorization):
        return False
    running = transactions.running_on(authorization)
    for transaction in opened:
        transaction.save(force_insert=True)
    if behind:
        sources.draw(authorization, behind, to=settled_at, booked_at=now)
    metering.note_meters(authorization, [*running, *opened], at=settled_at)
    return True


def _settle_linked(permission: SpendingPermission, *, now: datetime) -> None:
    """Settle what sessions of a wallet have rolled over to, where something has happened to that already."""
    authorization = linked.lock_active(
        client_id=permission.client_id, wallet_address=permission.wallet_address
    )
    if authorization and authorization.next_event_at and authorization.next_event_at <= now:
        settle_authorization(authorization, now=now)


def _change(authorization: Authorization, *, to: AuthorizationStatus, at: datetime, now: datetime) -> None:
    authorizations.change_status(authorization, to=to, effective_at=at, booked_at=now)
