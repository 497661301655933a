"""What will happen if nothing else does: when the money of a funding chain ends, for whom; pure.

Times are milliseconds since the epoch. The engine (`billing.metering`) does the same steps for real.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.rules import Meter, accrued_zat, depletes_ms


@dataclass(frozen=True)
class Source:
    """One permission of a wallet's funding chain, in the order in which they pay."""

    remaining_zat: int
    rate_zat_per_hour: int
    expires_ms: int


def next_event_ms(
    meters: Sequence[Meter], *, remaining_zat: int, settled_ms: int, expires_ms: int
) -> tuple[int, int | None]:
    """Return (the next instant at which something changes by itself, the depletion instant or None)."""
    depletion_ms = depletes_ms(meters, remaining_zat=remaining_zat, settled_ms=settled_ms)
    bounds = [meter.until_ms for meter in meters]
    depletion = [] if depletion_ms is None else [depletion_ms]
    return min([expires_ms, *bounds, *depletion]), depletion_ms


def funded_until_ms(meters: Sequence[Meter], *, chain: Sequence[Source], settled_ms: int) -> dict[int, int]:
    """Return for each open transaction, by id, until when the whole chain pays for its session."""
    ends: dict[int, int] = {}
    running, at_ms, waiting = list(meters), settled_ms, list(chain)
    while running and waiting:
        source = waiting[0]
        event_ms, depletion_ms = next_event_ms(
            running,
            remaining_zat=source.remaining_zat,
            settled_ms=at_ms,
            expires_ms=source.expires_ms,
        )
        used_zat = accrued_zat(running, settled_ms=at_ms, at_ms=event_ms)
        ends.update({meter.id: event_ms for meter in running if meter.until_ms == event_ms})
        running = [meter for meter in running if meter.until_ms > event_ms]
        if event_ms in (depletion_ms, source.expires_ms):
            waiting = [later for later in waiting[1:] if later.expires_ms > event_ms]
            running = _rolled(running, waiting[0] if waiting else None, at_ms=event_ms, ends=ends)
        else:
            waiting[0] = replace(source, remaining_zat=source.remaining_zat - used_zat)
        at_ms = event_ms
    return ends


def _rolled(
    running: Sequence[Meter], heir: Source | None, *, at_ms: int, ends: dict[int, int]
) -> list[Meter]:
    covered = [m for m in running if heir and m.rate_zat_per_hour <= heir.rate_zat_per_hour]
    ends.update({meter.id: at_ms for meter in running if meter not in covered})
    return [replace(meter, started_ms=at_ms) for meter in covered]
