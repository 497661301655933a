"""Unmatched deposits: what the account received at addresses that no permission has, shown to operators.

Nothing is credited from here. Only a wallet that lists everything it received can show it. What the account
itself made is none of it: change, or a payment from one of its addresses to another.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from core.db import operation, require_transaction
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import Receipt, WalletPort
from zcash.unmatched_models import UnmatchedDeposit

# The largest so many wait: dust, which costs next to nothing, neither fills the table nor hides money.
MOST_WAITING = 1_000
# How many of those that a list leaves out are asked for one by one.
_ASKED_PER_PASS = 20
_PAGE = 500

_Key = tuple[str, str, int]


def record(
    listed: Sequence[Receipt], *, wallet: WalletPort, since_height: int, above_height: int, now: datetime
) -> None:
    """Bring the table up to a list of everything received from a height on.

    What was mined up to `above_height`, where the chain stood at first start, is not this service's business.

    Raises:
        NodeUnavailable: the node is away; what the list shows was written.
    """
    strangers = _strangers(listed, above_height=above_height)
    with operation():
        # The wallet may have come to know as its own what it did not at first, after a restore.
        _drop_own({each.txid for each in listed if each.is_own})
        _leave_to_deposits()
        _write(strangers, now=now)
        _make_room()
    _ask_for_unlisted({_key(each) for each in listed}, since_height=since_height, wallet=wallet, now=now)


def mark_resolved(unmatched_id: int, *, now: datetime) -> UnmatchedDeposit | None:
    """Lock a row and mark it resolved; None where it is resolved already, or gone; a step."""
    require_transaction()
    waiting = UnmatchedDeposit.objects.filter(pk=unmatched_id, resolved_at=None)
    row = waiting.select_for_update(no_key=True).first()
    if row is not None:
        waiting.update(resolved_at=now)
    return row


def _strangers(listed: Sequence[Receipt], *, above_height: int) -> dict[_Key, Receipt]:
    """Return what no permission's address received, and what was not recorded as a permission's either.

    A deposit can be recorded although its address is listed in another form: by a receiver of it.
    """
    young = [each for each in listed if each.height is None or each.height > above_height]
    foreign = {_key(each): each for each in young if not each.is_own}
    taken = _taken({each.address for each in foreign.values()})
    unknown = {key: each for key, each in foreign.items() if each.address not in taken}
    recorded = _recorded({each.txid for each in unknown.values()})
    return {key: each for key, each in unknown.items() if key not in recorded}


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


def _drop_own(txids: Iterable[str]) -> None:
    for some in _pages(txids):
        UnmatchedDeposit.objects.filter(txid__in=some).delete()


def _leave_to_deposits() -> None:
    """Drop what has been recorded as a permission's by now."""
    same = Deposit.objects.filter(
        txid=OuterRef("txid"), pool=OuterRef("pool"), output_index=OuterRef("output_index")
    )
    UnmatchedDeposit.objects.filter(Exists(same)).delete()


def _write(strangers: Mapping[_Key, Receipt], *, now: datetime) -> None:
    """Write what is new and large enough to wait, and where each is mined by now."""
    known = _known({each.txid for each in strangers.values()})
    least_zat = _least_zat()
    new = [each for key, each in strangers.items() if key not in known and each.amount_zat > least_zat]
    new.sort(key=lambda each: (-each.amount_zat, _key(each)))
    moved = [each for key, each in strangers.items() if key in known and known[key] != each.height]
    # In one order, so that two passes do not wait for each other.
    rows = [_row(each, now=now) for each in sorted([*new[:MOST_WAITING], *moved], key=_key)]
    UnmatchedDeposit.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["txid", "pool", "output_index"],
        update_fields=["height"],
    )


def _known(txids: Iterable[str]) -> dict[_Key, int | None]:
    """Return where the rows of these transactions are mined."""
    found: dict[_Key, int | None] = {}
    for some in _pages(txids):
        found |= {_key(row): row.height for row in UnmatchedDeposit.objects.filter(txid__in=some)}
    return found


def _least_zat() -> int:
    """Return what an amount must be above to wait: nothing, as long as there is room."""
    last = UnmatchedDeposit.objects.waiting()[MOST_WAITING - 1 : MOST_WAITING].first()
    return 0 if last is None else last.amount_zat


def _make_room() -> None:
    smallest = UnmatchedDeposit.objects.waiting()[MOST_WAITING:]
    UnmatchedDeposit.objects.filter(pk__in=smallest.values("pk")).delete()


def _ask_for_unlisted(listed: set[_Key], *, since_height: int, wallet: WalletPort, now: datetime) -> None:
    """Drop what can never be mined any more; absence from a list is no evidence of that.

    A wallet that rescans lists nothing, and what an operator has resolved must not come back as a new case.
    """
    due = UnmatchedDeposit.objects.filter(Q(height=None) | Q(height__gte=since_height)).order_by("pk")
    unlisted = [row for row in due if _key(row) not in listed]
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
