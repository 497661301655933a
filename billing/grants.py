"""How long sessions may stream on what is known now: the funding chain looked at ahead of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing import metering
from billing.models import Transaction
from billing.projection import Runner, Source, funded_until_ms, runner
from billing.rules import depletes_ms
from core.amounts import MS_PER_HOUR
from core.clock import from_ms, to_ms
from zcash.models import SpendingPermission

# Larger than any primary key: a session that would be started comes last in the hand-out.
_NEXT_ID = 2**63
_DAY_MS = 24 * MS_PER_HOUR


@dataclass(frozen=True)
class Grants:
    """`depletes_at` of the active permission, None where the sessions' caps or its last day come first;
    `until` by session primary key: the vendor may stream until then."""

    depletes_at: datetime | None
    until: dict[int, datetime]


def of(
    permission: SpendingPermission,
    running: Sequence[Transaction],
    *,
    queue: Sequence[SpendingPermission] | None = None,
) -> Grants:
    """Return the grants of the open transactions of a settled, active permission.

    `queue` is what waits behind it, in order; None: it is read.
    Heartbeat leases are taken to be renewed, so that a heartbeat of one session takes nothing from what
    another was granted; a session's own lease bounds its own grant.
    """
    if not running:
        return Grants(None, {})
    settled_ms = to_ms(metering.settled_at(permission))
    renewed = [_runner(each, own_bound=each.session.capped_at) for each in running]
    ends = funded_until_ms(renewed, chain=_chain(permission, queue), settled_ms=settled_ms)
    depletion_ms = depletes_ms(renewed, remaining_zat=permission.remaining_zat, settled_ms=settled_ms)
    if depletion_ms is not None and depletion_ms > to_ms(permission.expires_at):
        depletion_ms = None
    return Grants(
        depletes_at=None if depletion_ms is None else from_ms(depletion_ms),
        until={each.session_id: min(each.session.billable_until, from_ms(ends[each.pk])) for each in running},
    )


def funded_ms(
    permission: SpendingPermission,
    running: Sequence[Transaction],
    *,
    rate: int,
    at: datetime,
    queue: Sequence[SpendingPermission] | None = None,
) -> int:
    """Return for how many milliseconds the chain would pay for one more session at a rate, up to a day."""
    at_ms = to_ms(at)
    newcomer = runner(_NEXT_ID, rate, started_ms=at_ms, own_bound_ms=at_ms + _DAY_MS, max_amount_zat=None)
    others = [_runner(each, own_bound=each.session.billable_until) for each in running]
    ends = funded_until_ms([*others, newcomer], chain=_chain(permission, queue), settled_ms=at_ms)
    return ends[_NEXT_ID] - at_ms


def _runner(transaction: Transaction, *, own_bound: datetime) -> Runner:
    return runner(
        transaction.pk,
        transaction.price_zat,
        started_ms=to_ms(transaction.started_at),
        own_bound_ms=to_ms(own_bound),
        max_amount_zat=transaction.max_amount_zat,
    )


def _chain(permission: SpendingPermission, queue: Sequence[SpendingPermission] | None) -> list[Source]:
    """Return the active permission and what waits behind it, in the order in which they pay."""
    if queue is None:
        wallet = SpendingPermission.objects.of_wallet(
            client_id=permission.client_id, wallet_address=permission.wallet_address
        )
        queue = list(wallet.queued_in_order())
    return [
        Source(each.remaining_zat, each.rate_zat_per_hour, to_ms(each.expires_at))
        for each in [permission, *queue]
    ]
