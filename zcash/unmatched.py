"""Unmatched deposits: what the account received at addresses that no permission has, shown to operators.

Nothing is credited from here. Only a wallet that lists everything it received can show it. What the account
itself made is none of it: change, or a payment from one of its addresses to another.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import structlog
from django.db.models import Exists, OuterRef

from core.db import operation, require_transaction
from zcash.models import Deposit, SpendingPermission, UnmatchedDeposit
from zcash.node.port import Receipt, WalletPort

log = structlog.get_logger(__name__)

# So many rows are written by one pass, the largest amounts first, and so many may wait at all: dust neither
# fills the table nor, in the pass that finds both, goes before money.
NEW_PER_PASS = 100
MOST_WAITING = 10_000
# How many of those that a list leaves out are asked for one by one.
_ASKED_PER_PASS = 20
_PAGE = 500

_Key = tuple[str, str, int]


def record(
    listed: Sequence[Receipt], *, wallet: WalletPort, since_height: int, above_height: int, now: datetime
) -> int:
    """Bring the table up to a list of everything received from a height on; return how many rows are new.

    What was mined up to `above_height`, where the chain stood at first start, is not this service's business.

    Raises:
        NodeUnavailable: the node is away; what the list shows was written.
    """
    shown = {_key(each): each for each in listed if not each.is_own}
    strangers = _strangers(shown, above_height=above_height)
    with operation():
        _leave_to_deposits()
        _drop({_key(each) for each in listed if each.is_own})
        rows = {_key(row): row for row in UnmatchedDeposit.objects.order_by("pk")}
        _place_shown(rows, shown)
        waiting = sum(row.resolved_at is None for row in rows.values())
        new = [each for key, each in strangers.items() if key not in rows]
        added = _add(new, room=min(NEW_PER_PASS, MOST_WAITING - waiting), now=now)
    unlisted = [row for key, row in rows.items() if key not in shown and _is_due(row, since_height)]
    _ask(unlisted, wallet=wallet, now=now)
    return added


def mark_resolved(unmatched_id: int, *, now: datetime) -> UnmatchedDeposit | None:
    """Lock a row and mark it resolved; None where it is resolved already, or gone; a step."""
    require_transaction()
    waiting = UnmatchedDeposit.objects.filter(pk=unmatched_id, resolved_at=None)
    row = waiting.select_for_update(no_key=True).first()
    if row is not None:
        waiting.update(resolved_at=now)
    return row


def _strangers(shown: Mapping[_Key, Receipt], *, above_height: int) -> dict[_Key, Receipt]:
    """Return what no permission's address received, and what was not recorded as a permission's either.

    A deposit can be recorded although its address is listed in another form: by a receiver of it.
    """
    young = {key: each for key, each in shown.items() if each.height is None or each.height > above_height}
    taken = _taken({each.address for each in young.values()})
    others = {key: each for key, each in young.items() if each.address not in taken}
    recorded = _recorded({each.txid for each in others.values()})
    return {key: each for key, each in others.items() if key not in recorded}


def _taken(addresses: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for some in _pages(addresses):
        rows = SpendingPermission.objects.filter(payment_address__in=some)
        found.update(rows.values_list("payment_address", flat=True))
    return found


def _recorded(txids: Iterable[str]) -> set[_Key]:
    found: set[_Key] = set()
    for some in _pages(txids):
        rows = Deposit.objects.filter(txid__in=some)
        found.update(rows.values_list("txid", "pool", "output_index"))
    return found


def _pages(values: Iterable[str]) -> Iterator[list[str]]:
    listed = list(values)
    for first in range(0, len(listed), _PAGE):
        yield listed[first : first + _PAGE]


def _leave_to_deposits() -> None:
    """Drop what has been recorded as a permission's by now."""
    same = Deposit.objects.filter(
        txid=OuterRef("txid"), pool=OuterRef("pool"), output_index=OuterRef("output_index")
    )
    UnmatchedDeposit.objects.filter(Exists(same)).delete()


def _drop(own: set[_Key]) -> None:
    """Drop what the wallet has come to know as its own: after its restore it knows less at first."""
    rows = UnmatchedDeposit.objects.filter(txid__in={txid for txid, _, _ in own})
    UnmatchedDeposit.objects.filter(pk__in=[row.pk for row in rows if _key(row) in own]).delete()


def _place_shown(rows: Mapping[_Key, UnmatchedDeposit], shown: Mapping[_Key, Receipt]) -> None:
    for key in rows.keys() & shown.keys():
        if rows[key].height != shown[key].height:
            UnmatchedDeposit.objects.filter(pk=rows[key].pk).update(height=shown[key].height)


def _is_due(row: UnmatchedDeposit, since_height: int) -> bool:
    """Whether a list from a height on ought to show it."""
    return row.height is None or row.height >= since_height


def _ask(unlisted: Sequence[UnmatchedDeposit], *, wallet: WalletPort, now: datetime) -> None:
    """Drop what can never be mined any more; absence from a list is no evidence of that.

    A wallet that rescans lists nothing, and what an operator has resolved must not come back as a new case.
    """
    # Each pass begins elsewhere: those of which the wallet knows nothing hold up no others.
    first = int(now.timestamp()) % max(1, len(unlisted))
    for row in [*unlisted[first:], *unlisted[:first]][:_ASKED_PER_PASS]:
        place = wallet.transaction(row.txid)
        if place is None:
            continue
        with operation():
            same = UnmatchedDeposit.objects.filter(pk=row.pk)
            if place.expired or place.conflicted:
                same.delete()
            else:
                same.update(height=place.height)


def _add(new: Sequence[Receipt], *, room: int, now: datetime) -> int:
    """Write the largest of the new ones, as many as there is room for; the others wait for a later pass."""
    by_amount = sorted(new, key=lambda each: (-each.amount_zat, _key(each)))
    written = by_amount[: max(0, room)]
    if len(written) < len(new):
        log.warning(
            "unmatched_deposits_left",
            left=len(new) - len(written),
            advice="more reaches addresses of no permission than is written at once; the books show its sum",
        )
    # In one order, so that two passes do not wait for each other.
    rows = [_row(each, now=now) for each in sorted(written, key=_key)]
    UnmatchedDeposit.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _row(receipt: Receipt, *, now: datetime) -> UnmatchedDeposit:
    return UnmatchedDeposit(
        txid=receipt.txid,
        pool=receipt.pool,
        output_index=receipt.output_index,
        address=receipt.address,
        amount_zat=receipt.amount_zat,
        height=receipt.height,
        first_seen_at=now,
    )


def _key(found: Receipt | UnmatchedDeposit) -> _Key:
    return found.txid, found.pool, found.output_index
