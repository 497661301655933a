"""What will happen if nothing else does: when the money of a funding chain ends, for whom; pure.

Times are milliseconds since the epoch. The engine (`billing.metering`) does the same steps for real.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.rules import Meter, accrued, bound_ms, depletes_ms, depletion_amounts


@dataclass(frozen=True)
class Link:
    """One link of a wallet's funding chain, in the order in which they pay: amounts in its own units.

    `rate` is the most that a session on it may cost. With `sets_rate`, an authorisation's, each costs its
    `token_rate` there.
    """

    remaining: int
    rate: int
    expires_ms: int
    sets_rate: bool = False

    def covers(self, runner: "Runner") -> bool:
        """Whether a session that runs elsewhere may go on here."""
        if not self.sets_rate:
            return runner.rate <= self.rate
        return runner.max_amount is None and runner.token_rate <= self.rate


@dataclass(frozen=True)
class Runner(Meter):
    """The meter of a session, with what it takes along: its own bound and what its transaction may cost.

    `token_rate` is what an hour costs on the authorisation at the end of the chain, 0 without one.
    """

    own_bound_ms: int
    max_amount: int | None
    token_rate: int = 0

    def rolled(self, heir: Link, *, at_ms: int, amount: int) -> "Runner":
        """Return it on the next source, where the transaction before came to an amount."""
        if self.max_amount is None:
            return replace(self, started_ms=at_ms, rate=self.token_rate if heir.sets_rate else self.rate)
        return runner(
            self.id,
            self.rate,
            started_ms=at_ms,
            own_bound_ms=self.own_bound_ms,
            max_amount=self.max_amount - amount,
        )


def runner(
    key: int,
    rate: int,
    *,
    started_ms: int,
    own_bound_ms: int,
    max_amount: int | None,
    token_rate: int = 0,
) -> Runner:
    """Return the meter of a session that runs to its own bound or until it costs too much."""
    until_ms = bound_ms(
        started_ms,
        rate=rate,
        own_bound_ms=own_bound_ms,
        max_amount=max_amount,
    )
    return Runner(key, rate, started_ms, until_ms, own_bound_ms, max_amount, token_rate)


def next_event_ms(
    meters: Sequence[Meter], *, remaining: int, settled_ms: int, expires_ms: int
) -> tuple[int, int | None]:
    """Return (the next instant at which something changes by itself, the depletion instant or None)."""
    depletion_ms = depletes_ms(meters, remaining=remaining, settled_ms=settled_ms)
    bounds = [meter.until_ms for meter in meters]
    depletion = [] if depletion_ms is None else [depletion_ms]
    return min([expires_ms, *bounds, *depletion]), depletion_ms


def funded_until_ms(runners: Sequence[Runner], *, chain: Sequence[Link], settled_ms: int) -> dict[int, int]:
    """Return for each open transaction, by id, until when the whole chain pays for its session."""
    ends: dict[int, int] = {}
    running, at_ms, waiting = list(runners), settled_ms, list(chain)
    while running and waiting:
        source = waiting[0]
        event_ms, depletion_ms = next_event_ms(
            running,
            remaining=source.remaining,
            settled_ms=at_ms,
            expires_ms=source.expires_ms,
        )
        used = accrued(running, settled_ms=at_ms, at_ms=event_ms)
        ends.update({meter.id: event_ms for meter in running if meter.until_ms == event_ms})
        lasting = [meter for meter in running if meter.until_ms > event_ms]
        if event_ms in (depletion_ms, source.expires_ms):
            depletes = event_ms == depletion_ms
            amounts = _amounts(running, source, settled_ms=at_ms, at_ms=event_ms, depletes=depletes)
            waiting = [later for later in waiting[1:] if later.expires_ms > event_ms]
            heir = waiting[0] if waiting else None
            lasting = _rolled(lasting, heir, at_ms=event_ms, amounts=amounts, ends=ends)
        else:
            waiting[0] = replace(source, remaining=source.remaining - used)
        running, at_ms = lasting, event_ms
    return ends


def _amounts(
    running: Sequence[Runner], source: Link, *, settled_ms: int, at_ms: int, depletes: bool
) -> dict[int, int]:
    """Return what the transactions come to, by id, where their permission ends at an instant."""
    if not depletes:
        return {meter.id: meter.amount(at_ms) for meter in running}
    return depletion_amounts(running, remaining=source.remaining, settled_ms=settled_ms, depleted_ms=at_ms)


def _rolled(
    running: Sequence[Runner],
    heir: Link | None,
    *,
    at_ms: int,
    amounts: dict[int, int],
    ends: dict[int, int],
) -> list[Runner]:
    covered = [meter for meter in running if heir and heir.covers(meter)]
    ends.update({meter.id: at_ms for meter in running if meter not in covered})
    return [meter.rolled(heir, at_ms=at_ms, amount=amounts[meter.id]) for meter in covered if heir]
