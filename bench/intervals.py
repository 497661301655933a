"""Rows about the interval: against its floor and the ORM, by size, with a past, shared, by two engines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bench import slices, world
from bench.children import Children
from bench.results import Goal, Report, median, say, spread
from bench.slices import Clock, Slice, timed
from core import db

_FLOOR = Goal(0.65, 0.90)
_RATE = Goal(50_000, 100_000, unit="/s")


@dataclass(frozen=True)
class Scale:
    """How large and how often: sizes are numbers of running sessions."""

    sizes: Sequence[int]
    rounds: int
    past_rows: int
    busy: int


def against_the_floor(scale: Scale, report: Report) -> None:
    """Product and floor in turns at each size, then the time by size."""
    seconds = {}
    for size in scale.sizes:
        say(f"{size:,} permissions: building")
        world.build(size)
        clock = Clock(world.START)
        took = _in_turns([slices.product, slices.floor], size, clock, rounds=scale.rounds)
        ratios = [floor / product for product, floor in zip(*took, strict=True)]
        seconds[size] = median(took[0])
        report.curves.setdefault("product", {})[size] = size / seconds[size]
        report.curves.setdefault("floor", {})[size] = size / median(took[1])
        report.add(f"interval, {size:,}: product / floor", _FLOOR, median(ratios), spread(ratios))
        report.add(f"interval, {size:,}: settlements a second, one engine", _RATE, size / seconds[size])
    if len(seconds) > 1:
        report.add("time against N (log-log exponent)", Goal(1.05, 1.00, most=True), _exponent(seconds))


def against_the_orm(scale: Scale, report: Report) -> None:
    """Product against a loop of the ORM, and against its bulk calls."""
    size = min(scale.sizes)
    world.build(size)
    clock = Clock(world.START)
    loop, bulk, product = (
        _in_turns([each], count, clock, rounds=3)[0]
        for each, count in (
            (slices.orm_loop, slices.ORM_SIZE),
            (slices.orm_bulk, size),
            (slices.product, size),
        )
    )
    rate = size / median(product)
    loop_rate, bulk_rate = slices.ORM_SIZE / median(loop), size / median(bulk)
    report.add("interval: product / ORM loop (2k)", Goal(100, 300), rate / loop_rate, f"{loop_rate:,.0f}/s")
    report.add(
        "interval: product / bulk_create + bulk_update", Goal(8, 20), rate / bulk_rate, f"{bulk_rate:,.0f}/s"
    )


def with_a_past(scale: Scale, report: Report) -> None:
    """Product over floor before and after many rows of the past; the floor takes the machine's mood out."""
    size = scale.sizes[len(scale.sizes) // 2]
    world.build(size)
    clock = Clock(world.START)
    before = _in_turns([slices.product, slices.floor], size, clock, rounds=scale.rounds)
    _fill_the_past(scale.past_rows)
    after = _in_turns([slices.product, slices.floor], size, clock, rounds=scale.rounds)
    slower = [median([p / f for p, f in zip(*took, strict=True)]) for took in (after, before)]
    report.add(
        f"interval: time with {scale.past_rows:,} past audit rows / with none",
        Goal(1.10, 1.03, most=True),
        slower[0] / slower[1],
        f"at {size:,} permissions; plain times {median(after[0]) / median(before[0]):.2f}",
    )


def shared(scale: Scale, report: Report) -> None:
    """As many sessions on one permission as on many."""
    sessions = 10_000
    took = {}
    for permissions in (sessions, 1):
        world.build(sessions, permissions=permissions)
        clock = Clock(world.START)
        timed(slices.product, permissions, clock)
        took[permissions] = median(
            [timed(slices.product, permissions, clock) for _ in range(max(5, scale.rounds))]
        )
    report.add(
        "interval: 10k sessions on one permission / on 10k, throughput",
        Goal(0.9, 1.1),
        took[sessions] / took[1],
        f"{took[1] * 1000:.0f} ms / {took[sessions] * 1000:.0f} ms",
    )


def two_engines(scale: Scale, report: Report) -> None:
    """Two processes share the work that one does alone."""
    size = scale.busy
    world.build(size)
    now = world.START
    alone: list[float] = []
    together: list[float] = []
    with Children(2) as children:
        for number in range(2 * scale.rounds + 2):
            now += timedelta(minutes=1)
            world.settle_down()
            count = 1 + number % 2
            seconds = children.bill(now, count=count)
            if number >= 2:
                (together if count == 2 else alone).append(seconds)
    gains = [one / two for one, two in zip(alone, together, strict=True)]
    report.add(
        "two engines / one", Goal(1.3, 1.7), median(gains), f"at {size:,} permissions; {spread(gains)}"
    )


def memory(scale: Scale, report: Report) -> None:
    """What the engine's process needs for the largest world more than for a thousand permissions."""
    peaks = {}
    for size in (1_000, max(scale.sizes)):
        world.build(size)
        with Children(1) as children:
            children.bill(world.START + timedelta(minutes=1), count=1)
            children.bill(world.START + timedelta(minutes=2), count=1)
            peaks[size] = children.peak_megabytes()
    small, large = peaks.values()
    report.add(
        f"peak memory of the engine, {max(scale.sizes):,} permissions / 1,000",
        Goal(10, 2, most=True, unit=" MB"),
        large - small,
        f"{small:.0f} MB and {large:.0f} MB",
    )


def storage(scale: Scale, report: Report) -> None:
    """Bytes of the audit log for each settlement, indexes included, and what else an interval leaves."""
    size = scale.sizes[len(scale.sizes) // 2]
    world.build(size)
    clock = Clock(world.START)
    timed(slices.product, size, clock)
    sizes, rows = [], 0
    for _ in range(2):
        sizes.append(_bytes_of_settlements())
        rows = db.row("SELECT count(*) FROM zcash_permission_audit_settled")[0] - rows
        for _ in range(3):
            timed(slices.product, size, clock)
            world.settle_down()
    each = (sizes[1] - sizes[0]) / rows
    report.add("bytes on disk per settlement incl. indexes", Goal(200, 110, most=True), each)


def _bytes_of_settlements() -> int:
    leaf = "zcash_permission_audit_settled_20260101"
    db.execute(
        f"SELECT brin_summarize_new_values(indexrelid) FROM pg_index WHERE indrelid = '{leaf}'::regclass"
    )
    return int(db.row(f"SELECT pg_total_relation_size('{leaf}')")[0])


def _in_turns(kinds: Sequence[Slice], size: int, clock: Clock, *, rounds: int) -> list[list[float]]:
    """Return the seconds of each kind, round by round, in ABBA order; the first slices are thrown away."""
    for each in kinds:
        timed(each, size, clock)
    took: dict[Slice, list[float]] = {each: [] for each in kinds}
    for number in range(rounds):
        for each in kinds if number % 2 else list(reversed(kinds)):
            world.settle_down()
            took[each].append(timed(each, size, clock))
        shown = ", ".join(f"{each.__name__} {size / took[each][-1]:,.0f}/s" for each in kinds)
        say(f"  round {number + 1}/{rounds}: {shown}")
    return list(took.values())


def _exponent(seconds: dict[int, float]) -> float:
    points = [(math.log(size), math.log(took)) for size, took in seconds.items()]
    mean_x, mean_y = (sum(each) / len(points) for each in zip(*points, strict=True))
    covered: float = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return float(covered / sum((x - mean_x) ** 2 for x, _ in points))


def _fill_the_past(rows: int) -> None:
    """Give the audit log that many settlements of the days before, in their own partitions."""
    from zcash.history import leaves

    per_day = 1_000_000
    for day in range(1, rows // per_day + 1):
        since = world.START - timedelta(days=day)
        leaves.create_ahead(now=since)
        db.execute("SET statement_timeout = 0")
        db.execute(
            "INSERT INTO zcash_permission_audit (permission_id, created_at, effective_at, amount_before_zat,"
            " amount_after_zat, action, actor) SELECT n, %(since)s, %(since)s, n + 1, n, 'settled', 'engine'"
            " FROM generate_series(1, %(n)s) n",
            {"since": since, "n": per_day},
        )
        say(f"  {day * per_day:,} of {rows:,} past rows")
    db.execute("ANALYZE zcash_permission_audit")
