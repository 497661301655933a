"""How long sessions may stream on what is known now: the funding chain looked at ahead of time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Model

from billing import linked, metering, sources, token_prices
from billing.ethereum.rules import AuthorizationStatus
from billing.models import Transaction
from billing.models_ethereum import Authorization
from billing.projection import Link, Runner, funded_until_ms, runner
from billing.rules import depletes_ms
from billing.sources import Source
from core.amounts import MS_PER_HOUR
from core.clock import from_ms, to_ms
from sessions_app.models import StreamingSession
from zcash.models import SpendingPermission

# Larger than any primary key: a session that would be started comes last in the hand-out.
_NEXT_ID = 2**63
_DAY_MS = 24 * MS_PER_HOUR


@dataclass(frozen=True)
class Grants:
    """`depletes_at` of the active source, None where the sessions' caps or its last day come first;
    `until` by session primary key: the vendor may stream until then."""

    depletes_at: datetime | None
    until: dict[int, datetime]


class Behind(NamedTuple):
    """What pays for a wallet when its active source is used up, in this order."""

    queue: Sequence[SpendingPermission] = ()
    fallback: Authorization | None = None


def of(source: Source, running: Sequence[Transaction], *, behind: Behind | None = None) -> Grants:
    """Return the grants of the open transactions of a settled, active source.

    `behind` is what pays after it; None: it is read.
    Heartbeat leases are taken to be renewed, so that a heartbeat of one session takes nothing from what
    another was granted; a session's own lease bounds its own grant.
    """
    if not running:
        return Grants(None, {})
    settled_ms = to_ms(metering.settled_at(source))
    behind = _behind(source, behind)
    renewed = [_runner(each, own_bound=each.session.capped_at, behind=behind) for each in running]
    ends = funded_until_ms(renewed, chain=_chain(source, behind), settled_ms=settled_ms)
    depletion_ms = depletes_ms(renewed, remaining=sources.remaining(source), settled_ms=settled_ms)
    if depletion_ms is not None and depletion_ms > to_ms(source.expires_at):
        depletion_ms = None
    return Grants(
        depletes_at=None if depletion_ms is None else from_ms(depletion_ms),
        until={each.session_id: min(each.session.billable_until, from_ms(ends[each.pk])) for each in running},
    )


def funded_ms(
    source: Source,
    running: Sequence[Transaction],
    *,
    newcomer: StreamingSession,
    rate: int,
    at: datetime,
    behind: Behind | None = None,
) -> int:
    """Return for how many milliseconds the chain would pay for one more session at a rate, up to a day."""
    at_ms = to_ms(at)
    behind = _behind(source, behind)
    one_more = runner(
        _NEXT_ID,
        rate,
        started_ms=at_ms,
        own_bound_ms=at_ms + _DAY_MS,
        max_amount=None,
        token_rate=_token_rate(newcomer, behind),
    )
    others = [_runner(each, own_bound=each.session.billable_until, behind=behind) for each in running]
    ends = funded_until_ms([*others, one_more], chain=_chain(source, behind), settled_ms=at_ms)
    return ends[_NEXT_ID] - at_ms


def fallback_of(source: Source, rows: Iterable[Model]) -> Authorization | None:
    """Return which of some authorisations pays for a permission's wallet when that is used up.

    One that pays for other streams meanwhile is left out: what it has left then is not known now.
    """
    if isinstance(source, Authorization):
        return None
    fitting = [each for each in rows if isinstance(each, Authorization) and _falls_back(source, each)]
    return fitting[0] if fitting else None


def _falls_back(permission: SpendingPermission, authorization: Authorization) -> bool:
    return (
        authorization.linked_wallet_address == permission.wallet_address
        and authorization.status == AuthorizationStatus.ACTIVE
        and authorization.open_transactions == 0
        and authorization.remaining_units > 0
    )


def _runner(transaction: Transaction, *, own_bound: datetime, behind: Behind) -> Runner:
    return runner(
        transaction.pk,
        transaction.rate,
        started_ms=to_ms(transaction.started_at),
        own_bound_ms=to_ms(own_bound),
        max_amount=transaction.max_amount_zat,
        token_rate=_token_rate(transaction.session, behind),
    )


def _token_rate(session: StreamingSession, behind: Behind) -> int:
    return token_prices.rate(session, behind.fallback) if behind.fallback else 0


def _chain(source: Source, behind: Behind) -> list[Link]:
    """Return the active source and what waits behind it, in the order in which they pay."""
    links = [_link(each) for each in [source, *behind.queue]]
    return [*links, _link(behind.fallback)] if behind.fallback else links


def _behind(source: Source, known: Behind | None) -> Behind:
    """Return what waits behind the active source: behind an authorisation there is nothing."""
    if isinstance(source, Authorization):
        return Behind()
    return known or _read_behind(source)


def _read_behind(permission: SpendingPermission) -> Behind:
    client_id, address = permission.client_id, permission.wallet_address
    wallet = SpendingPermission.objects.of_wallet(client_id=client_id, wallet_address=address)
    fallback = linked.behind(permission)
    fallback = fallback_of(permission, [fallback] if fallback else [])
    return Behind(list(wallet.queued_in_order()), fallback)


def _link(source: Source) -> Link:
    expires_ms = to_ms(source.expires_at)
    if isinstance(source, Authorization):
        return Link(source.remaining_units, source.rate_units_per_hour, expires_ms, sets_rate=True)
    return Link(source.remaining_zat, source.rate_zat_per_hour, expires_ms)
