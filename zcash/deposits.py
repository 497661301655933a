"""Deposits: recording what the chain says of a permission's address, and the step that marks one credited."""

from collections.abc import Sequence
from datetime import datetime

from core import outbox
from core.amounts import zec_text
from core.db import operation, require_transaction
from zcash import sql
from zcash.errors import WrongPermissionState
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import Receipt
from zcash.rules import DepositStatus


def record(permission: SpendingPermission, receipts: Sequence[Receipt], *, now: datetime) -> int:
    """Write what the node shows at one permission's address now; return how many outputs are new.

    Credits nothing. What waited for confirmations and is no longer shown loses those it had.
    """
    with operation():
        # The permission comes first in the lock order.
        _close_window(permission, now=now)
        _lock_all(permission)
        written = [
            (receipt, sql.record_receipt(_parameters(permission, receipt, now=now)))
            for receipt in sorted(receipts, key=_output)
        ]
        sql.unmine_missing(permission_id=permission.pk, shown=[row[0] for _, row in written if row])
        new = [receipt for receipt, row in written if row and row[1]]
        for receipt in new:
            _announce("deposit.seen", permission, receipt, now=now)
    return len(new)


def lock_creditable(permission: SpendingPermission, *, min_confirmations: int) -> list[Deposit]:
    """Lock the deposits of a locked permission that have their confirmations and are not credited."""
    require_transaction()
    ready = Deposit.objects.filter(
        permission=permission, status=DepositStatus.SEEN, confirmations__gte=min_confirmations
    )
    return list(ready.select_for_update(no_key=True).order_by("id"))


def mark_credited(deposit: Deposit, *, permission: SpendingPermission, now: datetime) -> None:
    """Mark a locked deposit credited, once.

    Raises:
        WrongPermissionState: somebody has credited it already.
    """
    require_transaction()
    changed = Deposit.objects.filter(pk=deposit.pk, status=DepositStatus.SEEN).update(
        status=DepositStatus.CONFIRMED, credited_at=now
    )
    if not changed:
        raise WrongPermissionState("the deposit is already credited")
    _announce("deposit.confirmed", permission, deposit, now=now)


def _close_window(permission: SpendingPermission, *, now: datetime) -> None:
    """Note the first look after the payment window's end: later money is late, whenever somebody sweeps."""
    unpaid = SpendingPermission.objects.unpaid_by(now).filter(pk=permission.pk, window_closed_at=None)
    unpaid.update(window_closed_at=now)


def _lock_all(permission: SpendingPermission) -> None:
    """Lock what is recorded already, in the order in which a credit does."""
    found = Deposit.objects.filter(permission=permission, status=DepositStatus.SEEN)
    list(found.select_for_update(no_key=True).order_by("id").values_list("pk", flat=True))


def _output(receipt: Receipt) -> tuple[str, str, int]:
    """The order in which two passes insert the same new outputs."""
    return receipt.txid, receipt.pool, receipt.output_index


def _parameters(permission: SpendingPermission, receipt: Receipt, *, now: datetime) -> dict[str, object]:
    return {
        "permission_id": permission.pk,
        "txid": receipt.txid,
        "pool": receipt.pool,
        "output_index": receipt.output_index,
        "amount_zat": receipt.amount_zat,
        "height": receipt.height,
        "block_hash": receipt.block_hash,
        "confirmations": receipt.confirmations,
        "now": now,
    }


def _announce(kind: str, permission: SpendingPermission, output: Receipt | Deposit, *, now: datetime) -> None:
    outbox.emit(
        kind,
        client_id=permission.client_id,
        subject=permission.public_id,
        payload={
            "permission_id": str(permission.public_id),
            "txid": output.txid,
            "amount": zec_text(output.amount_zat),
            "confirmations": output.confirmations,
        },
        now=now,
    )
