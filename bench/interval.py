"""The interval against its floor and against a plain ORM loop, in one run, interleaved.

    .venv/bin/python -m bench.interval [--sizes 10000,100000] [--rounds 5]

(a) floor: hand-written statements that only update the permission rows and insert the audit rows;
(b) product: billing.interval.run_interval, which also locks, reads transactions and looks for events;
(c) ORM loop: one permission at a time, as a plain reading of the specification gives it.
All three commit with the interval's own durability. Ratios count; the rates are of this machine.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from bench.database import bench_database

LOOP_SIZE = 2_000
CHUNK = 5_000
Slice = Callable[[int, datetime], None]

_FLOOR = """
WITH drawn AS (
    UPDATE floor_permission SET remaining_zat = remaining_zat - 1, settled_at = %(to)s
    WHERE id > %(low)s AND id <= %(high)s
    RETURNING id, remaining_zat
)
INSERT INTO floor_audit (permission_id, created_at, effective_at, amount_before_zat, amount_after_zat, action,
                         actor)
SELECT id, %(to)s, %(to)s, remaining_zat + 1, remaining_zat, 'settled', 'engine' FROM drawn
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000", help="numbers of active permissions")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of slices per size")
    arguments = parser.parse_args()
    with bench_database():
        results = [measure(int(n), rounds=arguments.rounds) for n in arguments.sizes.split(",")]
    print(json.dumps({"benchmark": "interval", "results": results}))


def measure(permissions: int, *, rounds: int) -> dict[str, float]:
    """Interleave slices of floor and product in ABBA order, then the ORM loop; return rates and ratios."""
    from bench import world
    from tests import books

    say(f"{permissions} permissions: building")
    world.build(permissions)
    clock = Clock(world.START)
    run_slice(product, permissions, clock)
    run_slice(floor, permissions, clock)
    ratios, rates = [], {"floor": [], "product": []}
    for number in range(rounds):
        pair = {}
        for slice_ in (floor, product) if number % 2 else (product, floor):
            world.settle_down()
            pair[slice_.__name__] = permissions / run_slice(slice_, permissions, clock)
            rates[slice_.__name__].append(pair[slice_.__name__])
        ratios.append(pair["product"] / pair["floor"])
        say(f"  round {number + 1}/{rounds}: floor {pair['floor']:,.0f}/s, product {pair['product']:,.0f}/s")
    loop_size = min(LOOP_SIZE, permissions)
    loop_rate = loop_size / run_slice(orm_loop, loop_size, clock)
    if violations := books.violations():
        raise SystemExit(f"the books do not balance: {violations}")
    return report(permissions, ratios, rates, loop_rate)


def report(
    permissions: int, ratios: list[float], rates: dict[str, list[float]], loop_rate: float
) -> dict[str, float]:
    product_rate = statistics.median(rates["product"])
    result = {
        "permissions": permissions,
        "floor_per_s": round(statistics.median(rates["floor"])),
        "product_per_s": round(product_rate),
        "orm_loop_per_s": round(loop_rate),
        "product_to_floor": round(statistics.median(ratios), 3),
        "product_to_orm_loop": round(product_rate / loop_rate, 1),
    }
    say(
        f"  settlements/s: floor {result['floor_per_s']:,}, product {result['product_per_s']:,},"
        f" ORM loop {result['orm_loop_per_s']:,}; product/floor {result['product_to_floor']},"
        f" product/ORM loop {result['product_to_orm_loop']}"
    )
    return result


class Clock:
    """The time that the slices settle up to: a minute on, each."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def tick(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def run_slice(slice_: Slice, permissions: int, clock: Clock) -> float:
    """Return how many seconds a slice takes."""
    to = clock.tick()
    began = time.perf_counter()
    slice_(permissions, to)
    return time.perf_counter() - began


def product(permissions: int, to: datetime) -> None:
    from billing.interval import run_interval

    run = run_interval(now=to, engine="bench", chunk_size=CHUNK)
    assert (run.permissions, run.events, run.put_aside) == (permissions, 0, [])


def floor(permissions: int, to: datetime) -> None:
    from core import db

    for low in range(0, permissions, CHUNK):
        with db.operation():
            db.execute("SET LOCAL synchronous_commit = off")
            db.execute(_FLOOR, {"to": to, "low": low, "high": low + CHUNK})


def orm_loop(permissions: int, to: datetime) -> None:
    from core import db
    from zcash.models import SpendingPermission

    ids = SpendingPermission.objects.filter(open_transactions__gt=0).order_by("id")[:permissions]
    for permission_id in list(ids.values_list("pk", flat=True)):
        with db.operation():
            db.execute("SET LOCAL synchronous_commit = off")
            _settle_by_orm(permission_id, to)


def _settle_by_orm(permission_id: int, to: datetime) -> None:
    from billing.models import Transaction
    from zcash.models import PermissionAudit, SpendingPermission

    permission = SpendingPermission.objects.select_for_update().get(pk=permission_id)
    used_zat = 0
    for transaction in Transaction.objects.filter(permission=permission, status="open"):
        until, since = (
            (at - transaction.started_at) // timedelta(milliseconds=1) for at in (to, permission.settled_at)
        )
        rate = transaction.rate_zat_per_hour
        used_zat += rate * until // 3_600_000 - rate * since // 3_600_000
    before_zat = permission.remaining_zat
    permission.remaining_zat -= used_zat
    permission.settled_at = to
    permission.save(update_fields=["remaining_zat", "settled_at"])
    PermissionAudit.objects.create(
        permission=permission,
        created_at=to,
        effective_at=to,
        amount_before_zat=before_zat,
        amount_after_zat=permission.remaining_zat,
        action="settled",
        actor="engine",
    )


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
