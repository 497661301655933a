"""The watcher: asks the wallet what the permissions' addresses received and records it; it credits nothing.

A wallet that lists all receipts of its account is asked once a pass; one that does not is asked address by
address: live permissions on every new block, closed ones hourly for 30 days after their end and daily from
then on, so that late money is found.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, OperationalError
from django.db.models import Min, Q, QuerySet

from core.db import operation
from core.errors import DomainError
from zcash import deposits, reorgs, unmatched
from zcash.models import Deposit, SpendingPermission, WatchedChain
from zcash.node import verify_chain
from zcash.node.port import NodeNotReady, NodeStatus, NodeUnavailable, Receipt, WalletPort
from zcash.rules import CLOSED, LOOK_BACK, WATCHED, DepositStatus

log = structlog.get_logger(__name__)

_PAGE = 500
_UNREAD_IN_A_ROW = 3
_YOUNG = timedelta(days=30)


@dataclass(frozen=True)
class Scan:
    """What a pass found: the height it stands on, how many addresses it recorded, how many new outputs.

    `locked`: the wallet said of itself that its view was being repaired; nothing is taken back upon it.
    """

    height: int
    addresses: int
    new_deposits: int
    locked: bool


@dataclass(frozen=True)
class _Pass:
    """One pass over the addresses: whom it asks, and what the wallet said of itself when it began."""

    wallet: WalletPort
    status: NodeStatus
    since_height: int
    now: datetime


@dataclass
class _Found:
    """What a pass has recorded so far; `is_whole` unless an address could not be written."""

    addresses: int = 0
    new: int = 0
    is_whole: bool = True


def scan(*, wallet: WalletPort, now: datetime) -> Scan:
    """Record what the wallet received, and notice which credited deposits the chain has lost.

    Raises:
        NodeUnavailable: the node is away, not synced, or on another chain; nothing is credited from it.
    """
    status = ready_status(wallet)
    chain = pin(status)
    is_new_tip = chain.tip_hash != status.tip_hash
    this = _Pass(wallet, status, _since(chain, status), now)
    listed = wallet.all_receipts(since_height=this.since_height)
    if listed is not None:
        found = _record_listed(listed, this)
    elif is_new_tip:
        found = _look_at_all(_due(chain, now=now), this)
    else:
        # What is about to lapse may have been paid since the last block: the mempool tells.
        found = _look_at_all(_paged(SpendingPermission.objects.unpaid_by(now)), this)
    if is_new_tip:
        reorgs.find_lost(wallet=wallet, status=status, checked_height=chain.tip_height, now=now)
    if is_new_tip and found.is_whole and not status.locked:
        # The mark moves only after a whole pass upon a wallet that trusts itself: any other is done again.
        WatchedChain.objects.update(tip_height=status.height, tip_hash=status.tip_hash, scanned_at=now)
    WatchedChain.objects.update(asked_at=now)
    if listed is not None and not status.locked:
        _show_unmatched(listed, this, above_height=chain.pinned_height)
    return Scan(status.height, found.addresses, found.new, locked=status.locked)


def look(permission: SpendingPermission, *, wallet: WalletPort, now: datetime) -> int:
    """Record what the wallet shows at one permission's address; return how many outputs are new.

    Raises:
        NodeUnavailable: the node is away, not synced, or on another chain.
    """
    status = ready_status(wallet)
    chain = pin(status)
    since_height = max(_since(chain, status), permission.birthday_height - LOOK_BACK)
    return _look(permission, _Pass(wallet, status, since_height, now))


def ready_status(wallet: WalletPort) -> NodeStatus:
    """Return the node's state if what it says about receipts can be trusted.

    Raises:
        NodeNotReady: it is still catching up with its peers.
    """
    status = wallet.status()
    if not status.synced:
        raise NodeNotReady(status.reason or "the Zcash node is not synced yet")
    return status


def pin(status: NodeStatus) -> WatchedChain:
    """Return the chain this service lives on, pinning it at the first start.

    Raises:
        WrongChain: the node is on another chain than the pinned or the configured one.
    """
    chain = require_own_chain(status)
    if chain is None:
        with operation():
            chain, _ = WatchedChain.objects.get_or_create(
                pk=1,
                defaults={
                    "network": settings.ZCASH_NETWORK,
                    "genesis_hash": status.genesis_hash,
                    "pinned_height": status.height,
                },
            )
    return chain


def require_own_chain(status: NodeStatus) -> WatchedChain | None:
    """Return the chain that is pinned, if one is; nothing is pinned here.

    Raises:
        WrongChain: the node is on another chain than the pinned or the configured one.
    """
    chain = WatchedChain.objects.filter(pk=1).first()
    verify_chain(status, network=settings.ZCASH_NETWORK, genesis_hash=chain.genesis_hash if chain else None)
    return chain


def _since(chain: WatchedChain, status: NodeStatus) -> int:
    """Return from which height on receipts are asked for: behind the last whole pass by a deep reorg.

    Behind the oldest deposit that waits, too: its confirmations are known only as long as it is listed.
    """
    oldest = _waiting().aggregate(height=Min("height"))["height"]
    reached = min(chain.tip_height or 0, status.height)
    return max(0, min(reached, reached if oldest is None else oldest) - LOOK_BACK)


def _waiting() -> QuerySet[Deposit]:
    return Deposit.objects.filter(status=DepositStatus.SEEN)


def _look(permission: SpendingPermission, this: _Pass) -> int:
    """Record one address, and give up what it waits for and can never be mined."""
    found = this.wallet.receipts([permission.payment_address], since_height=max(0, this.since_height))
    return _record(permission, found, this)


def _record(permission: SpendingPermission, found: Sequence[Receipt], this: _Pass) -> int:
    new = deposits.record(
        permission, found, now=this.now, since_height=this.since_height, quarantined=this.status.locked
    )
    if this.status.locked:
        return new
    for deposit in deposits.waiting_elsewhere(permission, found):
        # Absence from a list is no evidence: the transaction itself is asked for.
        place = this.wallet.transaction(deposit.txid)
        if place is not None and (place.expired or place.conflicted):
            deposits.give_up(deposit, permission=permission, now=this.now)
        elif place is not None and place.height is not None:
            # A reorg deeper than the look-back has mined it below what was listed.
            deposits.place(deposit, place)
    return new


def _look_at_all(permissions: Iterator[SpendingPermission], this: _Pass) -> _Found:
    return _record_each(permissions, lambda permission: _look(permission, this), wallet=this.wallet)


def _record_listed(listed: Sequence[Receipt], this: _Pass) -> _Found:
    """Record a list of everything received, by the addresses that it concerns."""
    by_address: defaultdict[str, list[Receipt]] = defaultdict(list)
    for receipt in _not_credited(listed):
        by_address[receipt.address].append(receipt)
    return _record_each(
        _concerned(list(by_address), now=this.now),
        lambda permission: _record(permission, by_address[permission.payment_address], this),
        wallet=this.wallet,
    )


def _show_unmatched(listed: Sequence[Receipt], this: _Pass, *, above_height: int) -> None:
    """Let operators see what is no permission's; that this fails holds up nobody's money."""
    try:
        unmatched.record(
            listed,
            wallet=this.wallet,
            since_height=this.since_height,
            above_height=above_height,
            now=this.now,
        )
    except OperationalError:
        raise
    except (DomainError, DatabaseError) as error:
        log.warning("unmatched_not_recorded", reason=str(error))


def _not_credited(listed: Sequence[Receipt]) -> Iterator[Receipt]:
    """Leave out what is credited already: where that is mined is the business of `zcash.reorgs`."""
    for first in range(0, len(listed), _PAGE):
        some = listed[first : first + _PAGE]
        credited = Deposit.objects.filter(
            status=DepositStatus.CONFIRMED, txid__in={each.txid for each in some}
        )
        known = set(credited.values_list("txid", "pool", "output_index"))
        yield from (each for each in some if (each.txid, each.pool, each.output_index) not in known)


def _concerned(addresses: Sequence[str], *, now: datetime) -> Iterator[SpendingPermission]:
    """Yield whose address is on a list, whose deposit ought to be, and whose payment window has ended."""
    waiting = Q(pk__in=_waiting().values("permission_id"))
    others = waiting | Q(pk__in=SpendingPermission.objects.unpaid_by(now).values("pk"))
    yield from _paged(SpendingPermission.objects.filter(others))
    for first in range(0, len(addresses), _PAGE):
        some = addresses[first : first + _PAGE]
        yield from SpendingPermission.objects.filter(payment_address__in=some).exclude(others).order_by("pk")


def _record_each(
    permissions: Iterator[SpendingPermission],
    record: Callable[[SpendingPermission], int],
    *,
    wallet: WalletPort,
) -> _Found:
    """Record each permission's address; one that fails hides nobody else's money.

    What cannot be read is named in the log and read again at the next block; what somebody holds makes this
    no whole pass.

    Raises:
        NodeUnavailable: several could not be read in a row, and the node does not answer otherwise either.
    """
    found = _Found()
    unread = 0
    for permission in permissions:
        found.addresses += 1
        try:
            found.new += record(permission)
            unread = 0
        except NodeUnavailable as error:
            log.warning("address_not_read", permission=permission.pk, reason=str(error))
            unread += 1
            if unread % _UNREAD_IN_A_ROW == 0:
                ready_status(wallet)
        except OperationalError:
            raise
        except (DomainError, DatabaseError) as error:
            log.warning("address_not_recorded", permission=permission.pk, reason=str(error))
            found.is_whole = False
    return found


def _due(chain: WatchedChain, *, now: datetime) -> Iterator[SpendingPermission]:
    # Late money is followed to its confirmations block by block, as any other.
    due = Q(status__in=WATCHED) | Q(pk__in=_waiting().values("permission_id"))
    if _boundary_passed(chain.scanned_at, now, every=timedelta(hours=1)):
        due |= Q(status__in=CLOSED, closed_at__gt=now - _YOUNG)
    if _boundary_passed(chain.scanned_at, now, every=timedelta(days=1)):
        due |= Q(status__in=CLOSED)
    return _paged(SpendingPermission.objects.filter(due))


def _boundary_passed(before: datetime | None, now: datetime, *, every: timedelta) -> bool:
    """Whether a whole hour (or day) began since the last pass: no second schedule to keep."""
    return before is None or before.timestamp() // every.total_seconds() < (
        now.timestamp() // every.total_seconds()
    )


def _paged(permissions: QuerySet[SpendingPermission]) -> Iterator[SpendingPermission]:
    """Yield permissions page by page: no cursor stays open over the calls to the node."""
    last_id = 0
    while page := list(permissions.filter(pk__gt=last_id).order_by("pk")[:_PAGE]):
        yield from page
        last_id = page[-1].pk
