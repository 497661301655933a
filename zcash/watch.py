"""The watcher: asks the wallet about the permissions' addresses and records deposits; it credits nothing.

Addresses of live permissions are looked at on every new block; those of closed ones hourly for 30 days
after their end and daily from then on, so that late money is found.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import Q, QuerySet

from core.db import operation
from zcash import deposits
from zcash.models import SpendingPermission, WatchedChain
from zcash.node import verify_chain
from zcash.node.port import NodeNotReady, NodeStatus, NodeUnavailable, WalletPort
from zcash.rules import CLOSED, WATCHED

log = structlog.get_logger(__name__)

_PAGE = 500
_UNREAD_IN_A_ROW = 3
_YOUNG = timedelta(days=30)


@dataclass(frozen=True)
class Scan:
    """What a pass found: the height it stands on, how many addresses it looked at, how many new outputs."""

    height: int
    addresses: int
    new_deposits: int


def scan(*, wallet: WalletPort, now: datetime) -> Scan:
    """Look at every address that is due, if the chain has a new tip since the last whole pass.

    Raises:
        NodeUnavailable: the node is away, not synced, or on another chain; nothing is credited from it.
    """
    status = ready_status(wallet)
    chain = pin(status)
    if chain.tip_hash == status.tip_hash:
        # What is about to lapse may have been paid since the last block: the mempool tells.
        found = _look_at_all(_paged(SpendingPermission.objects.unpaid_by(now)), wallet=wallet, now=now)
        WatchedChain.objects.update(asked_at=now)
        return Scan(status.height, *found)
    found = _look_at_all(_due(chain, now=now), wallet=wallet, now=now)
    # The mark moves only after a whole pass: one that died is done again from its start.
    WatchedChain.objects.update(
        tip_height=status.height, tip_hash=status.tip_hash, asked_at=now, scanned_at=now
    )
    return Scan(status.height, *found)


def look(permission: SpendingPermission, *, wallet: WalletPort, now: datetime) -> int:
    """Record what the wallet shows at one permission's address; return how many outputs are new."""
    return deposits.record(permission, list(wallet.receipts([permission.payment_address])), now=now)


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
    chain = WatchedChain.objects.filter(pk=1).first()
    verify_chain(status, network=settings.ZCASH_NETWORK, genesis_hash=chain.genesis_hash if chain else None)
    if chain is None:
        with operation():
            chain, _ = WatchedChain.objects.get_or_create(
                pk=1, defaults={"network": settings.ZCASH_NETWORK, "genesis_hash": status.genesis_hash}
            )
    return chain


def _look_at_all(
    permissions: Iterator[SpendingPermission], *, wallet: WalletPort, now: datetime
) -> tuple[int, int]:
    """Look at each address; return how many there were and how many outputs are new.

    One that cannot be read is named in the log and passed over, so that it hides nobody else's money.

    Raises:
        NodeUnavailable: several could not be read in a row: it is the node.
    """
    addresses = new = unread = 0
    for permission in permissions:
        try:
            new += look(permission, wallet=wallet, now=now)
            unread = 0
        except NodeUnavailable as error:
            unread += 1
            log.warning("address_not_read", permission=permission.pk, reason=str(error))
            if unread == _UNREAD_IN_A_ROW:
                raise
        addresses += 1
    return addresses, new


def _due(chain: WatchedChain, *, now: datetime) -> Iterator[SpendingPermission]:
    due = Q(status__in=WATCHED)
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
