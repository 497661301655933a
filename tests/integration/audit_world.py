"""What the tests of the audit log's partitions share: an empty tree, rows of any time, their place."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection

from core import clock, db
from tests.factories import NOW
from zcash.history import leaves
from zcash.history.leaves import ARCHIVE, BRANCHES
from zcash.models import PermissionAudit, SpendingPermission

# Far from every leaf that the present makes.
MARCH = NOW.replace(year=2031, month=3, day=15, hour=12)


@contextmanager
def bare_tree() -> Iterator[None]:
    """Take away the leaves of the present, as long as a test lasts."""
    _drop_leaves()
    yield
    if not connection.in_atomic_block:
        # Nothing rolls back: the next test wants them.
        _drop_leaves()
        leaves.create_ahead(now=clock.now())


def note(permission: SpendingPermission, at: datetime, *, action: str = "settled") -> PermissionAudit:
    """Write a row that changes nothing: its place alone matters."""
    return PermissionAudit.objects.create(
        permission=permission,
        created_at=at,
        effective_at=at,
        amount_before_zat=permission.remaining_zat,
        amount_after_zat=permission.remaining_zat,
        action=action,
        actor="tests",
    )


def place(row: PermissionAudit) -> str:
    """Return the name of the partition that holds a row."""
    (table,) = db.row(
        "SELECT tableoid::regclass::text FROM zcash_permission_audit WHERE id = %(id)s", {"id": row.pk}
    )
    return str(table)


def names_of(branch: leaves.Branch) -> list[str]:
    """Return the leaves of a branch in order of time."""
    return [leaf.name for leaf in leaves.existing(branch)]


def _drop_leaves() -> None:
    for branch in BRANCHES:
        for name in names_of(branch):
            db.execute(f"DROP TABLE {name}")
    db.execute(f"DROP SCHEMA IF EXISTS {ARCHIVE} CASCADE")
