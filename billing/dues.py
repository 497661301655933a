"""What a permission still asks its viewer to pay: the amount, and the URI that a wallet reads (ZIP-321)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing import funding, live
from zcash.errors import PermissionGone, WrongPermissionState
from zcash.models import SpendingPermission
from zcash.rules import CLOSED
from zcash.zip321 import payment_uri


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be paid for a permission: zatoshis, and the same as a payment URI."""

    amount_zat: int
    uri: str


def of_permission(permission: SpendingPermission, *, missing_zat: int) -> Due | None:
    """Return what a permission asks for where so many zatoshis were not even seen yet, None for nothing."""
    if permission.status in CLOSED or missing_zat <= 0:
        return None
    return Due(missing_zat, payment_uri(permission.payment_address, amount_zat=missing_zat))


def of_client(*, client_id: int, public_id: UUID, now: datetime) -> Due:
    """Return what a client's permission asks for as it is now.

    Raises:
        PermissionNotFound: it does not exist, or is another client's.
        PermissionGone: it expired, was revoked or lapsed.
        WrongPermissionState: everything that was asked for has been seen.
    """
    permission = live.of_client(client_id=client_id, public_id=public_id, now=now).permission
    due = of_permission(permission, missing_zat=funding.payment_of(permission).missing_zat)
    if due is not None:
        return due
    status = str(permission.status)
    if status in CLOSED:
        raise PermissionGone(f"the permission is {status}", permission_status=status)
    raise WrongPermissionState("everything that was asked for has been paid", permission_status=status)
