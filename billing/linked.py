"""The authorisation that pays for a wallet where no permission does: its own, or the one linked to it."""

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from billing import arrears
from billing.ethereum.rules import LIVING_AUTHORIZATION, AuthorizationStatus
from billing.models import Transaction
from billing.models_ethereum import Authorization
from billing.rules import TransactionStatus
from core.db import LostRace, require_transaction
from zcash.models import SpendingPermission

EXPIRING = (AuthorizationStatus.PENDING, *LIVING_AUTHORIZATION)


class PermissionDue(LostRace):
    """Something has happened to the linked wallet's permission: that comes first."""

    def __init__(self, permission_id: int) -> None:
        super().__init__(permission_id)
        self.permission_id = permission_id


def expiring_by(moment: datetime) -> QuerySet[Authorization]:
    """Return what is not closed although its last day is over."""
    return Authorization.objects.filter(status__in=EXPIRING, expires_at__lte=moment)


def is_ethereum(wallet_address: str) -> bool:
    """Whether a canonical wallet address is one of an EVM chain: those of Zcash never start like that."""
    return wallet_address.startswith("0x")


def of_wallet(*, client_id: int, wallet_address: str) -> QuerySet[Authorization]:
    """Return the authorisations that may pay for a wallet's sessions: at most one of them is active."""
    column = "wallet_address" if is_ethereum(wallet_address) else "linked_wallet_address"
    return Authorization.objects.filter(**{column: wallet_address}, client_id=client_id)


def behind(permission: SpendingPermission) -> Authorization | None:
    """Return the active authorisation that pays for a permission's wallet when no permission does, if any."""
    wallet = of_wallet(client_id=permission.client_id, wallet_address=permission.wallet_address)
    active = wallet.filter(status=AuthorizationStatus.ACTIVE).first()
    return None if active is None or arrears.of(active) else active


def lock_active(*, client_id: int, wallet_address: str, wait: bool = True) -> Authorization | None:
    """Lock the active authorisation that pays for a wallet's sessions, if there is one; a step.

    The caller holds the wallet's permission.
    """
    found = of_wallet(client_id=client_id, wallet_address=wallet_address)
    return _locked(found.filter(status=AuthorizationStatus.ACTIVE), wait=wait).first()


def lock_instead(*, client_id: int, wallet_address: str) -> Authorization | None:
    """Lock the active authorisation of a wallet that was seen to have no active permission; a step.

    None where its viewer owes what could not be collected, too.

    Raises:
        LostRace: it has a permission now.
    """
    wallet = SpendingPermission.objects.of_wallet(client_id=client_id, wallet_address=wallet_address)
    found = of_wallet(client_id=client_id, wallet_address=wallet_address)
    active = found.filter(status=AuthorizationStatus.ACTIVE)
    authorization = _locked(
        active.annotate(overtaken=Exists(wallet.active()), owing=arrears.any_of_viewer())
    ).first()
    if authorization is None:
        return None
    if getattr(authorization, "overtaken", False):
        raise LostRace
    return None if getattr(authorization, "owing", False) else authorization


def lock(authorization_id: int, *, wait: bool = True) -> Authorization:
    """Lock one authorisation and return it as it is now; a step."""
    return _locked(Authorization.objects.filter(pk=authorization_id), wait=wait).get()


def payer(authorization_id: int, *, now: datetime) -> Authorization | None:
    """Return an authorisation, without a lock; None where something comes before it."""
    found = Authorization.objects.annotate(due=_due_permission(now)).get(pk=authorization_id)
    return None if found.due is not None else found


def due_permission(authorization: Authorization, *, now: datetime) -> int | None:
    """Return the linked wallet's active permission where something has happened to it up to an instant."""
    found = Authorization.objects.filter(pk=authorization.pk)
    (due,) = found.values_list(_due_permission(now)).get()
    return None if due is None else int(due)


def lock_payer(session_code: str, *, client_id: int, now: datetime) -> Authorization | None:
    """Lock the authorisation that a client's session runs on; None where it does not run, or on a permission.

    Raises:
        PermissionDue: something comes first.
    """
    found = _locked(_paying(session_code, client_id=client_id)).annotate(due=_due_permission(now)).first()
    if found is not None and found.due is not None:
        raise PermissionDue(found.due)
    return found


def pays_at(authorization: Authorization, at: datetime) -> bool:
    """Whether an authorisation, settled up to an instant, takes over sessions from then on.

    One that was verified later does not: what happened at an instant does not depend on when it is noticed.
    """
    if authorization.status != AuthorizationStatus.ACTIVE or authorization.verified_at is None:
        return False
    in_time = authorization.verified_at <= at < authorization.expires_at
    return in_time and authorization.remaining_units > 0


def _paying(session_code: str, *, client_id: int) -> QuerySet[Authorization]:
    running = Transaction.objects.filter(
        session__client=client_id, session__code=session_code, status=TransactionStatus.OPEN
    )
    return Authorization.objects.filter(pk__in=running.values("authorization"))


def _due_permission(now: datetime) -> Subquery:
    """Return the linked wallet's active permission to which something has happened up to an instant."""
    due = SpendingPermission.objects.active().filter(
        Q(next_event_at__lte=now) | Q(expires_at__lte=now),
        client=OuterRef("client"),
        wallet_address=OuterRef("linked_wallet_address"),
    )
    return Subquery(due.values("pk"))


def _locked(found: QuerySet[Authorization], *, wait: bool = True) -> QuerySet[Authorization]:
    require_transaction()
    return found.select_for_update(no_key=True, nowait=not wait, of=("self",))
