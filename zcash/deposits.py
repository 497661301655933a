"""Deposits: recording what the chain says of a permission's address, and the steps that move one's state.

A deposit is credited by `billing.funding`; here is only what the chain says, and what is marked on its row.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q, Sum

from core import outbox
from core.amounts import zec_text
from core.db import operation, require_transaction
from zcash import queries, sql
from zcash.confirmations import base_confirmations, tiers
from zcash.errors import WrongDepositState
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import ChainTransaction, Receipt
from zcash.rules import ARRIVED, DEPOSIT_TRANSITIONS, FINAL_DEPTH, DepositStatus, required_confirmations


def record(
    permission: SpendingPermission,
    receipts: Sequence[Receipt],
    *,
    now: datetime,
    since_height: int = 0,
    quarantined: bool = False,
) -> int:
    """Write what the node shows at one permission's address now; return how many outputs are new.

    Credits nothing. What waited for confirmations and is no longer shown, although it was mined at
    `since_height` or above, loses those it had. A list that is `quarantined` may miss what was paid in time,
    so that no payment window ends with it.
    """
    with operation():
        # The permission comes first in the lock order.
        if not quarantined:
            _close_window(permission, now=now)
        _lock_all(permission)
        written = [
            (receipt, sql.record_receipt(_parameters(permission, receipt, now=now, quarantined=quarantined)))
            for receipt in sorted(receipts, key=_output)
        ]
        shown = [row[0] for _, row in written if row]
        sql.unmine_missing(permission_id=permission.pk, shown=shown, since_height=since_height)
        new = [receipt for receipt, row in written if row and row[1]]
        for receipt in new:
            _announce("deposit.seen", permission, receipt, now=now)
    return len(new)


def waiting_elsewhere(permission: SpendingPermission, receipts: Sequence[Receipt]) -> list[Deposit]:
    """Return the permission's unmined deposits that a list does not show: they may never be mined."""
    shown = {_output(receipt) for receipt in receipts}
    unmined = Deposit.objects.filter(permission=permission, status=DepositStatus.SEEN, height=None)
    return [each for each in unmined if _output(each) not in shown]


def give_up(deposit: Deposit, *, permission: SpendingPermission, now: datetime) -> None:
    """Note that an unmined deposit can never be mined: it expired, or its money went elsewhere."""
    with operation():
        if _move(deposit, to=DepositStatus.GONE, only=Q(height=None), confirmations=0):
            _announce("deposit.gone", permission, deposit, now=now)


def place(deposit: Deposit, at: ChainTransaction) -> None:
    """Note where the transaction of a deposit that was known as unmined is mined."""
    unmined = Deposit.objects.filter(pk=deposit.pk, status=DepositStatus.SEEN, height=None)
    with operation():
        unmined.update(
            height=at.height, block_hash=at.block_hash, confirmations=at.confirmations, quarantined=False
        )


def required_now(permission: SpendingPermission) -> int:
    """Return how many confirmations the permission's deposits need at the moment."""
    return required_confirmations(_young_zat(permission), base=base_confirmations(), tiers=tiers())


def lock_creditable(permission: SpendingPermission) -> list[Deposit]:
    """Lock the deposits of a locked permission that have their confirmations and are not credited."""
    require_transaction()
    ready = Deposit.objects.filter(
        permission=permission,
        status=DepositStatus.SEEN,
        quarantined=False,
        height__isnull=False,
        confirmations__gte=required_now(permission),
    )
    return list(ready.select_for_update(no_key=True).order_by("id"))


def mark_credited(deposit: Deposit, *, permission: SpendingPermission, now: datetime) -> None:
    """Mark a locked deposit credited, once.

    Raises:
        WrongDepositState: somebody has credited it already.
    """
    require_transaction()
    if not _move(deposit, to=DepositStatus.CONFIRMED, credited_at=now, lost_at=None):
        raise WrongDepositState("the deposit is already credited")
    _announce("deposit.confirmed", permission, deposit, now=now)


def lock_lost(deposit_id: int) -> Deposit | None:
    """Lock a credited deposit that the chain has lost, None where that is no longer so; a step."""
    require_transaction()
    lost = Deposit.objects.filter(pk=deposit_id, status=DepositStatus.CONFIRMED, lost_at__isnull=False)
    return lost.select_for_update(no_key=True).first()


def mark_reversed(deposit: Deposit, *, permission: SpendingPermission, now: datetime) -> None:
    """Mark a locked, credited deposit reversed, once.

    Raises:
        WrongDepositState: somebody was faster.
    """
    require_transaction()
    moved = _move(
        deposit,
        to=DepositStatus.REVERSED,
        reversed_at=now,
        lost_at=None,
        height=None,
        block_hash=None,
        confirmations=0,
    )
    if not moved:
        raise WrongDepositState("the deposit is not credited any more")
    _announce("deposit.reversed", permission, deposit, now=now)


def mark_lost(deposit: Deposit, *, now: datetime) -> None:
    """Note that a credited deposit is no longer where it was mined; what follows is the reversal's affair."""
    still_there = Deposit.objects.filter(
        pk=deposit.pk, status=DepositStatus.CONFIRMED, block_hash=deposit.block_hash, lost_at=None
    )
    with operation():
        still_there.update(lost_at=now)


def relocate(deposit: Deposit, place: ChainTransaction) -> None:
    """Note where a credited deposit's transaction is mined now."""
    credited = Deposit.objects.filter(pk=deposit.pk, status=DepositStatus.CONFIRMED)
    with operation():
        credited.update(
            height=place.height,
            block_hash=place.block_hash,
            confirmations=place.confirmations,
            lost_at=None,
        )


def _move(deposit: Deposit, *, to: DepositStatus, only: Q | None = None, **changes: object) -> bool:
    """Compare and set: change a deposit's state where its row still has one that leads there."""
    before = [old for old, new in DEPOSIT_TRANSITIONS.items() if to in new]
    found = Deposit.objects.filter(only or Q(), pk=deposit.pk, status__in=before)
    return bool(found.update(status=to, **changes))


def _young_zat(permission: SpendingPermission) -> int:
    """Return what was mined for a permission in the last blocks: the sum whose size asks for depth."""
    oldest = queries.tip_height() - FINAL_DEPTH
    young = Deposit.objects.filter(permission=permission, status__in=ARRIVED, height__gt=oldest)
    return int(young.aggregate(total=Sum("amount_zat"))["total"] or 0)


def _close_window(permission: SpendingPermission, *, now: datetime) -> None:
    """Note the first look after the payment window's end: later money is late, whenever somebody sweeps."""
    unpaid = SpendingPermission.objects.unpaid_by(now).filter(pk=permission.pk, window_closed_at=None)
    unpaid.update(window_closed_at=now)


def _lock_all(permission: SpendingPermission) -> None:
    """Lock what is recorded already, in the order in which a credit does."""
    found = Deposit.objects.filter(permission=permission).exclude(status=DepositStatus.CONFIRMED)
    list(found.select_for_update(no_key=True).order_by("id").values_list("pk", flat=True))


def _output(found: Receipt | Deposit) -> tuple[str, str, int]:
    """What identifies an output, and the order in which two passes insert the same new ones."""
    return found.txid, found.pool, found.output_index


def _parameters(
    permission: SpendingPermission, receipt: Receipt, *, now: datetime, quarantined: bool
) -> dict[str, object]:
    return {
        "permission_id": permission.pk,
        "txid": receipt.txid,
        "pool": receipt.pool,
        "output_index": receipt.output_index,
        "amount_zat": receipt.amount_zat,
        "height": receipt.height,
        "block_hash": receipt.block_hash,
        "confirmations": receipt.confirmations,
        "quarantined": quarantined,
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
