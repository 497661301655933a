"""How long the end of a session takes while an interval runs, against an idle engine."""

import threading
import time
from datetime import datetime, timedelta

from bench import world
from bench.children import Children
from bench.intervals import Scale
from bench.results import Goal, Report, say

_PER_SECOND = 40
_SECONDS = 6


def ends_while_billing(scale: Scale, report: Report) -> None:
    """Ends at a steady rate, timed from when each was due, in turns with and without an interval."""
    world.build(scale.busy)
    idle: list[float] = []
    busy: list[float] = []
    with Children(1) as engine:
        now = world.START + timedelta(minutes=1)
        _ends(range(1, 100), now)
        next_session = 100
        for turn in range(2 * max(2, scale.rounds // 2)):
            world.settle_down()
            codes = range(next_session, next_session + _PER_SECOND * _SECONDS)
            next_session = codes.stop
            now += timedelta(minutes=5)
            if turn % 2 == 0:
                idle += _ends(codes, now)
            else:
                stop = threading.Event()
                billing = threading.Thread(target=_bill_on, args=(engine, now, stop))
                billing.start()
                busy += _ends(codes, now)
                stop.set()
                billing.join()
    p99_busy, p99_idle = (sorted(each)[int(len(each) * 0.99)] * 1000 for each in (busy, idle))
    p50_busy, p50_idle = (sorted(each)[len(each) // 2] * 1000 for each in (busy, idle))
    report.add(
        f"session end p99 while an interval of {scale.busy:,} runs / idle",
        Goal(2.0, 1.3, most=True),
        p99_busy / p99_idle,
        f"{p99_busy:.1f} ms / {p99_idle:.1f} ms; medians {p50_busy:.1f} ms / {p50_idle:.1f} ms",
    )


def _bill_on(engine: Children, now: datetime, stop: threading.Event) -> None:
    """One interval after another, until told to stop."""
    runs = 0
    while not stop.is_set():
        now += timedelta(seconds=60)
        engine.bill(now, count=1)
        runs += 1
    say(f"  {runs} intervals while sessions ended")


def _ends(sessions: range, now: datetime) -> list[float]:
    """End sessions at a steady rate; return how long after it was due each had ended."""
    from billing import engine

    took = []
    began = time.perf_counter()
    for number, session in enumerate(sessions):
        due = began + number / _PER_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        engine.end(f"code-{session}", client_id=1, now=now)
        took.append(time.perf_counter() - due)
    return took
