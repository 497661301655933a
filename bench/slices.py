"""What is measured of an interval: the product, its floor, and two ways of the ORM; a slice settles all."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from core import db

CHUNK = 5_000
ORM_SIZE = 2_000
_BATCH = 1_000
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


class Clock:
    """The time that the slices settle up to: a second on, each, so that a day has room for all of them."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def tick(self) -> datetime:
        self.now += timedelta(seconds=20)
        return self.now


def timed(slice_: Slice, permissions: int, clock: Clock) -> float:
    """Return how many seconds a slice takes."""
    to = clock.tick()
    began = time.perf_counter()
    slice_(permissions, to)
    return time.perf_counter() - began


def product(permissions: int, to: datetime) -> None:
    """The interval as it is shipped."""
    from billing.interval import run_interval

    run = run_interval(now=to, engine="bench", chunk_size=CHUNK)
    assert (run.permissions, run.events, run.put_aside) == (permissions, 0, []), run.__dict__


def floor(permissions: int, to: datetime) -> None:
    """Update the rows, insert the audit rows, nothing else; with the interval's own durability."""
    for low in range(0, permissions, CHUNK):
        with db.operation():
            db.execute("SET LOCAL synchronous_commit = off")
            db.execute(_FLOOR, {"to": to, "low": low, "high": low + CHUNK})


def orm_loop(permissions: int, to: datetime) -> None:
    """One permission at a time, as a plain reading of the specification gives it."""
    from zcash.models import SpendingPermission

    ids = SpendingPermission.objects.filter(open_transactions__gt=0).order_by("id")[:permissions]
    for permission_id in list(ids.values_list("pk", flat=True)):
        with db.operation():
            db.execute("SET LOCAL synchronous_commit = off")
            permission = SpendingPermission.objects.select_for_update().get(pk=permission_id)
            entry = _settle(permission, permission.transactions.filter(status="open"), to)
            permission.save(update_fields=["remaining_zat", "previous_zat", "settled_at"])
            entry.save()


def orm_bulk(permissions: int, to: datetime) -> None:
    """A thousand at a time, by bulk_update and bulk_create."""
    from billing.models import Transaction
    from zcash.models import PermissionAudit, SpendingPermission

    for low in range(0, permissions, _BATCH):
        with db.operation():
            db.execute("SET LOCAL synchronous_commit = off")
            found = SpendingPermission.objects.filter(
                pk__gt=low, pk__lte=low + _BATCH, open_transactions__gt=0
            )
            batch = list(found.select_for_update().order_by("pk"))
            running: dict[int, list[Transaction]] = {each.pk: [] for each in batch}
            for transaction in Transaction.objects.filter(permission__in=running, status="open"):
                running[transaction.permission_id].append(transaction)
            entries = [_settle(each, running[each.pk], to) for each in batch]
            SpendingPermission.objects.bulk_update(batch, ["remaining_zat", "previous_zat", "settled_at"])
            PermissionAudit.objects.bulk_create(entries)


def _settle(permission, running, to: datetime):  # type: ignore[no-untyped-def]
    from zcash.models import PermissionAudit

    used_zat = 0
    for transaction in running:
        until, since = (
            (at - transaction.started_at) // timedelta(milliseconds=1) for at in (to, permission.settled_at)
        )
        rate = transaction.rate_zat_per_hour
        used_zat += rate * until // 3_600_000 - rate * since // 3_600_000
    permission.previous_zat = permission.remaining_zat
    permission.remaining_zat -= used_zat
    permission.settled_at = to
    return PermissionAudit(
        permission=permission,
        created_at=to,
        effective_at=to,
        amount_before_zat=permission.previous_zat,
        amount_after_zat=permission.remaining_zat,
        action="settled",
        actor="engine",
    )
