"""Settling: the one door through which streaming takes from what pays for it (design: metering).

The open transactions of a source, a permission or an authorisation, are settled up to one instant,
`settled_at`. Every deduction is a difference of running totals, so it does not matter when, how often or how
late settling happens. What becomes of the sessions of a source that ends is `billing.succession`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing import ends, sources, transactions
from billing.models import Transaction
from billing.models_ethereum import Authorization
from billing.projection import next_event_ms
from billing.rules import accrued, depletion_amounts
from billing.sources import Source
from billing.transactions import meter, meters, running_on
from core.clock import cut, from_ms, to_ms
from core.db import require_transaction
from sessions_app.rules import EndReason


@dataclass(frozen=True)
class Ending:
    """The instant at which a source was used up, or its last day was over.

    `rolling` are the transactions of the sessions that could go on: they are final.
    """

    at: datetime
    depletes: bool
    rolling: list[Transaction]


def settle(source: Source, *, now: datetime) -> Ending | None:
    """Settle a locked, active source at max(now, settled_at), or at the instant at which it ends; a step.

    A bound of a transaction that lies at or before that instant takes effect at its own instant. None: it
    goes on, with `settled_at` there.
    """
    require_transaction()
    while True:
        running = running_on(source)
        to = effective_instant(source, now=now)
        event_ms, depletion_ms = _next_event_ms(source, running, at=settled_at(source))
        if event_ms > to_ms(to):
            _draw(source, running, to=to, booked_at=now)
            if running and source.next_event_at != from_ms(event_ms):
                # It was noted from less than all that is known here.
                note_meters(source, running, at=to)
            return None
        at = from_ms(event_ms)
        depletes = event_ms == depletion_ms
        rolling = _pass_event(source, running, at=at, depletes=depletes, now=now)
        if depletes or source.expires_at <= at:
            return Ending(at, depletes, rolling)


def effective_instant(source: Source, *, now: datetime) -> datetime:
    """Return the instant that counts under the source's lock: never before `settled_at`."""
    return max(cut(now), settled_at(source))


def settled_at(source: Source) -> datetime:
    """Return up to when a source that has been active is settled."""
    assert source.settled_at is not None, "what was never active has no meter"
    return source.settled_at


def event_is_due(source: Source, running: Sequence[Transaction], *, now: datetime) -> bool:
    """Whether something happens by itself up to an instant to what runs on a source."""
    event_ms, _ = _next_event_ms(source, running, at=settled_at(source))
    return event_ms <= to_ms(now)


def note_meters(source: Source, running: Sequence[Transaction], *, at: datetime) -> None:
    """Write on a locked source, settled at an instant, what runs on it from then on; a step.

    The last step of whatever changes its open transactions, their bounds, or its money while it is metered.
    """
    alone = running[0] if len(running) == 1 else None
    sources.set_meter(
        source,
        open_transactions=len(running),
        meter=(alone.rate, alone.started_at) if alone else None,
        next_event_at=next_event_at(source, running, at=at),
        settled_at=at,
    )


def note_money(source: Source) -> None:
    """Write on a locked, settled source what other money means for what runs on it; a step."""
    if running := running_on(source):
        note_meters(source, running, at=settled_at(source))


def note_cutoff(authorization: Authorization, *, now: datetime) -> None:
    """Write on a locked, settled authorisation what another cutoff means for what runs on it; a step.

    Where nothing is left, that ends: the chain may have taken away what the viewer had promised.
    """
    if authorization.remaining_units:
        note_money(authorization)
    elif authorization.open_transactions:
        stop_all(authorization, at=settled_at(authorization), now=now, reason=EndReason.EXHAUSTED)


def next_event_at(source: Source, running: Sequence[Transaction], *, at: datetime) -> datetime | None:
    """Return before when nothing happens by itself to what runs on a source settled at an instant."""
    if not running:
        return None
    event_ms, _ = _next_event_ms(source, running, at=at)
    return from_ms(event_ms)


def stop_all(source: Source, *, at: datetime, now: datetime, reason: EndReason) -> None:
    """End every session that runs on a locked source settled at an instant, without roll-over; a step."""
    running = running_on(source)
    for transaction in running:
        amount = meter(transaction).amount(to_ms(at))
        transactions.close(transaction, at=at, amount=amount, booked_at=now)
        ends.end(transaction.session, at=at, reason=reason, now=now)
    if running:
        note_meters(source, [], at=at)


def used(source: Source, running: Sequence[Transaction], *, until: datetime) -> int:
    """Return what open transactions used from `settled_at` up to an instant without an event before it."""
    return accrued(meters(running), settled_ms=to_ms(settled_at(source)), at_ms=to_ms(until))


def _next_event_ms(source: Source, running: Sequence[Transaction], *, at: datetime) -> tuple[int, int | None]:
    return next_event_ms(
        meters(running),
        remaining=sources.remaining(source),
        settled_ms=to_ms(at),
        expires_ms=to_ms(source.expires_at),
    )


def _draw(source: Source, running: Sequence[Transaction], *, to: datetime, booked_at: datetime) -> None:
    """Take what was used up to an instant without an event in between."""
    if running and to != source.settled_at:
        sources.draw(source, used(source, running, until=to), to=to, booked_at=booked_at)


def _pass_event(
    source: Source, running: Sequence[Transaction], *, at: datetime, depletes: bool, now: datetime
) -> list[Transaction]:
    """Let everything happen to transactions that happens at one instant; return those that could roll over.

    Sessions that reach their own bound at the instant end for that reason.
    """
    amounts = _amounts_at(source, running, at=at, depletes=depletes)
    if running:
        drawn = sources.remaining(source) if depletes else used(source, running, until=at)
        sources.draw(source, drawn, to=at, booked_at=now)
    bounded = [each for each in running if each.billable_until <= at]
    leaving = running if depletes or source.expires_at <= at else bounded
    for transaction in leaving:
        transactions.close(transaction, at=at, amount=amounts[transaction.pk], booked_at=now)
    for transaction in bounded:
        reason = transactions.bound_reason(transaction)
        ends.end(transaction.session, at=at, reason=reason, now=now)
    if leaving:
        note_meters(source, [each for each in running if each not in leaving], at=at)
    return [each for each in leaving if each not in bounded]


def _amounts_at(
    source: Source, running: Sequence[Transaction], *, at: datetime, depletes: bool
) -> dict[int, int]:
    if not depletes:
        return {each.pk: meter(each).amount(to_ms(at)) for each in running}
    return depletion_amounts(
        meters(running),
        remaining=sources.remaining(source),
        settled_ms=to_ms(settled_at(source)),
        depleted_ms=to_ms(at),
    )
