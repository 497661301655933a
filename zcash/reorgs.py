"""Reorgs: finding credited deposits that the best chain no longer holds, by positive evidence only.

A deposit is lost when the node has another block at the height it was mined at, and the wallet knows its
transaction as unmined. That a list leaves it out, or that the wallet knows nothing of it (a rescan, a
restart), proves nothing.
"""

from datetime import datetime

import structlog
from django.db.models import QuerySet

from zcash import deposits
from zcash.models import Deposit
from zcash.node.port import NodeStatus, WalletPort
from zcash.rules import FINAL_DEPTH, DepositStatus

log = structlog.get_logger(__name__)


def find_lost(*, wallet: WalletPort, status: NodeStatus, checked_height: int | None, now: datetime) -> int:
    """Mark credited deposits that the chain has lost, and note where others were mined again.

    Looks at deposits that were in the last `FINAL_DEPTH` blocks when the chain was last checked, at
    `checked_height`, and at those that are marked already. Returns how many were newly marked. A wallet that
    is repairing its view gives no evidence.

    Raises:
        NodeUnavailable: the node is away; what was marked stays marked.
    """
    if status.locked:
        return 0
    marked = 0
    # Not only from today's tip: a reorg during an outage would be buried by the blocks upon it.
    reached = status.height if checked_height is None else min(checked_height, status.height)
    for height, block_hash in _blocks(reached):
        found_hash = wallet.block_hash(height)
        if found_hash is None:
            # A chain that is shorter for a moment has no other block there either.
            continue
        if found_hash != block_hash:
            moved = _credited().filter(height=height, block_hash=block_hash)
            marked += sum(check(deposit, wallet=wallet, now=now) for deposit in moved.order_by("pk"))
        else:
            # The block came back before anything was reversed.
            lost().filter(height=height, block_hash=block_hash).update(lost_at=None)
    return marked


def check(deposit: Deposit, *, wallet: WalletPort, now: datetime) -> bool:
    """Mark one credited deposit whose block is gone, or note where it was mined again; True: newly marked.

    Raises:
        NodeUnavailable: the node is away; nothing was changed.
    """
    place = wallet.transaction(deposit.txid)
    if place is None:
        log.warning(
            "deposit_not_found",
            deposit=deposit.pk,
            txid=deposit.txid,
            advice="its block is gone and the wallet does not know it: it stays credited until more is known",
        )
        return False
    if place.height is not None:
        deposits.relocate(deposit, place)
        return False
    if deposit.lost_at is not None:
        return False
    deposits.mark_lost(deposit, now=now)
    return True


def lost() -> QuerySet[Deposit]:
    """Return the credited deposits that wait to be reversed."""
    return _credited().exclude(lost_at=None).order_by("pk")


def _blocks(tip_height: int) -> list[tuple[int, str]]:
    """Return the blocks that credited deposits were last found in and that a reorg may have replaced."""
    young = _credited().filter(height__gt=tip_height - FINAL_DEPTH)
    found = (young | lost()).order_by("height").values_list("height", "block_hash").distinct()
    return [(height, block_hash) for height, block_hash in found if height is not None and block_hash]


def _credited() -> QuerySet[Deposit]:
    return Deposit.objects.filter(status=DepositStatus.CONFIRMED)
