"""Reads of permissions, and the helpers that lock them (order: active one first, then queued ones)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Max

from core import jsonrows
from core.db import LostRace, prepared, require_transaction
from zcash import sql
from zcash.errors import NoActivePermission, PermissionNotFound
from zcash.models import SpendingPermission, WatchedChain


def of_client(*, client_id: int, public_id: UUID) -> SpendingPermission:
    """Return a client's permission by its public id.

    Raises:
        PermissionNotFound: it does not exist, or is another client's.
    """
    found = SpendingPermission.objects.filter(client_id=client_id, public_id=public_id).first()
    if found is None:
        raise PermissionNotFound
    return found


def active_of_wallet(*, client_id: int, wallet_address: str) -> SpendingPermission:
    """Return the wallet's active permission at this client.

    Raises:
        NoActivePermission: there is none.
    """
    wallet = SpendingPermission.objects.of_wallet(client_id=client_id, wallet_address=wallet_address)
    found = wallet.active().first()
    if found is None:
        raise NoActivePermission
    return found


def lock(permission_id: int, *, wait: bool = True) -> SpendingPermission:
    """Lock one permission and return it as it is now; a busy one raises lock_not_available without `wait`."""
    require_transaction()
    return SpendingPermission.objects.select_for_update(no_key=True, nowait=not wait).get(pk=permission_id)


def lock_active(*, client_id: int, wallet_address: str, wait: bool = True) -> SpendingPermission | None:
    """Lock the wallet's active permission, if it has one; a busy one is not waited for without `wait`.

    Raises:
        LostRace: it stopped being active while its lock was waited for; it may have an heir.
    """
    found = lock_active_seen(client_id=client_id, wallet_address=wallet_address, wait=wait)
    if found is None:
        require_none_active(client_id=client_id, wallet_address=wallet_address)
    return found


def lock_active_seen(*, client_id: int, wallet_address: str, wait: bool = True) -> SpendingPermission | None:
    """Lock the wallet's active permission; None may mean that one is active since a moment ago; a step."""
    require_transaction()
    wallet = {"client_id": client_id, "wallet_address": wallet_address}
    found = prepared(sql.LOCK_ACTIVE if wait else sql.LOCK_ACTIVE_NOW, wallet)
    return jsonrows.instance(SpendingPermission, found[0]) if found else None


def require_none_active(*, client_id: int, wallet_address: str) -> None:
    """Start again where a wallet that was seen without an active permission has one.

    Raises:
        LostRace: it has.
    """
    wallet = SpendingPermission.objects.of_wallet(client_id=client_id, wallet_address=wallet_address)
    if wallet.active().exists():
        raise LostRace


def lock_queued(after: SpendingPermission, *, wait: bool) -> list[SpendingPermission]:
    """Lock what waits behind a permission that the caller has locked, in order of payment.

    Nobody joins the queue meanwhile: whoever queues a permission locks the active one first. Without
    `wait`, a busy row raises the database's lock_not_available.
    """
    require_transaction()
    wallet = SpendingPermission.objects.of_wallet(
        client_id=after.client_id, wallet_address=after.wallet_address
    )
    return list(wallet.queued_in_order().select_for_update(no_key=True, nowait=not wait))


def next_metered(*, after_id: int) -> int | None:
    """Return the next permission, by primary key, that has open transactions."""
    metered = SpendingPermission.objects.filter(open_transactions__gt=0, pk__gt=after_id)
    return metered.order_by("pk").values_list("pk", flat=True).first()


def metered_behind(ids: Sequence[int], *, at: datetime) -> list[int]:
    """Return which of some permissions have open transactions that are not settled up to an instant."""
    behind = SpendingPermission.objects.filter(pk__in=ids, open_transactions__gt=0, settled_at__lt=at)
    return list(behind.order_by("pk").values_list("pk", flat=True))


def tip_height() -> int:
    """Return where the chain stood at the watcher's last whole pass, 0 before the first."""
    return WatchedChain.objects.filter(pk=1).values_list("tip_height", flat=True).first() or 0


def not_before_the_meter(permission: SpendingPermission, *, now: datetime) -> datetime:
    """Return when a change by the chain takes effect: never before what the wallet is settled up to."""
    wallet = SpendingPermission.objects.of_wallet(
        client_id=permission.client_id, wallet_address=permission.wallet_address
    )
    settled_at: datetime | None = wallet.aggregate(latest=Max("settled_at"))["latest"]
    return now if settled_at is None else max(now, settled_at)
