"""What covers a wallet's streams where its permissions do not: its authorisation, taken up and left again.

The order of locks: the linked wallet's permission, then the authorisation. Whatever has happened to the
permission comes first, because its sessions may have rolled over.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from billing import authorizations, linked, metering, succession, transactions
from billing.ethereum.rules import AuthorizationStatus
from billing.linked import PermissionDue
from billing.models import Transaction
from billing.models_ethereum import Authorization
from billing.sources import Source
from core import db
from core.clock import to_ms
from core.db import require_transaction
from sessions_app import sessions
from zcash import queries
from zcash.models import SpendingPermission

T = TypeVar("T")


def again(call: Callable[[], T], *, now: datetime) -> T:
    """Return what a whole operation returns, repeating it where it lost a race, or something came first.

    Raises:
        Busy: it lost again and again; nothing was changed.
    """

    def once() -> T:
        try:
            return call()
        except PermissionDue as due:
            with db.operation():
                succession.settle(queries.lock(due.permission_id), now=now)
            raise

    return db.again(once)


def let_happen(source: Source, *, now: datetime) -> None:
    """Settle a locked source up to an instant, with all that happens up to then; a step."""
    if isinstance(source, Authorization):
        succession.settle_authorization(source, now=now)
    else:
        succession.settle(source, now=now)


def settle_one(authorization_id: int, *, now: datetime, wait: bool = True) -> None:
    """Lock one authorisation and settle it: the event path of the interval.

    Raises:
        Busy: somebody holds it or its linked wallet's permission; nothing was changed.
    """
    with db.operation():
        lock_current(authorization_id, now=now, wait=wait)


def bring_current(authorization_id: int, *, now: datetime) -> Authorization:
    """Let everything happen to an authorisation that time alone brings; return it as it is then."""

    def once() -> Authorization:
        with db.operation():
            return lock_current(authorization_id, now=now)

    return db.again(once)


def lock_current(authorization_id: int, *, now: datetime, wait: bool = True) -> Authorization:
    """Lock an authorisation after everything that time alone brings to it up to an instant; a step.

    It is settled, where it is active.
    """
    require_transaction()
    found = Authorization.objects.values("client_id", "linked_wallet_address").get(pk=authorization_id)
    client_id, wallet = found["client_id"], found["linked_wallet_address"]
    if wallet is not None:
        # The first lock of whoever calls this: one that lost its race is simply asked for again.
        active = db.again(lambda: queries.lock_active(client_id=client_id, wallet_address=wallet, wait=wait))
        if active is not None:
            succession.settle(active, now=now, wait=wait)
    authorization = linked.lock(authorization_id, wait=wait)
    succession.settle_authorization(authorization, now=now)
    if authorization.status in linked.EXPIRING and authorization.expires_at <= now:
        authorizations.change_status(
            authorization,
            to=AuthorizationStatus.EXPIRED,
            effective_at=authorization.expires_at,
            booked_at=now,
        )
    return authorization


def lock_behind(permission: SpendingPermission, *, now: datetime) -> Authorization | None:
    """Lock the authorisation that pays for a locked permission's wallet meanwhile, settled up to now; a step.

    None where nothing runs on it. Its wallet has no active permission.
    """
    found = linked.lock_active(client_id=permission.client_id, wallet_address=permission.wallet_address)
    if found is None or not found.open_transactions:
        return None
    succession.settle_authorization(found, now=now)
    return found if found.open_transactions else None


def take_back(permission: SpendingPermission, authorization: Authorization, *, at: datetime) -> None:
    """Let a wallet's sessions return to ZEC at an instant, from an authorisation settled then; a step.

    Those that cost more than the permission's owner agreed to stay. A session that began on the token takes
    its price in ZEC from the permission.
    """
    running = transactions.running_on(authorization)
    returning = [each for each in running if _returns(each, permission)]
    if not returning:
        return
    opened = [_take_back(each, permission, at=at) for each in returning]
    metering.note_meters(authorization, [each for each in running if each not in returning], at=at)
    metering.note_meters(permission, opened, at=at)


def _returns(transaction: Transaction, permission: SpendingPermission) -> bool:
    session = transaction.session
    rate = session.rate_zat_per_hour or permission.rate_zat_per_hour
    return session.wallet_address == permission.wallet_address and rate <= permission.rate_zat_per_hour


def _take_back(left: Transaction, permission: SpendingPermission, *, at: datetime) -> Transaction:
    amount = transactions.meter(left).amount(to_ms(at))
    transactions.close(left, at=at, amount=amount, booked_at=at)
    if left.session.rate_zat_per_hour is None:
        sessions.freeze_rate(left.session, rate_zat_per_hour=permission.rate_zat_per_hour)
    opened = transactions.new(left.session, permission, at=at, max_amount_zat=None)
    opened.save(force_insert=True)
    return opened
