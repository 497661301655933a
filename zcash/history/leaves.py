"""Leaves of the audit log: settlements by day, everything else by month, each with a default one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from django.db import IntegrityError, connection

from core import db
from core.errors import Busy
from zcash.history import sql
from zcash.models import AuditSeal

log = structlog.get_logger(__name__)

ARCHIVE = "paygo_archive"
_TRIES = 5
_PAUSE_S = 0.2


@dataclass(frozen=True)
class Branch:
    """The leaves of one kind of rows: how long one lasts, how many are made ahead, how it is read.

    `part` is how much of a leaf is read in one statement: a longer one would keep the cleaning of every
    table waiting for its snapshot, and sort more rows than memory holds.
    """

    table: str
    monthly: bool
    ahead: int
    part: timedelta
    archived: bool

    @property
    def default(self) -> str:
        return f"{self.table}_default"

    def leaf_at(self, moment: datetime) -> "Leaf":
        """Return the leaf that covers an instant, as it is made."""
        since = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if not self.monthly:
            return Leaf(f"{self.table}_{since:%Y%m%d}", self, since, since + timedelta(days=1))
        since = since.replace(day=1)
        return Leaf(f"{self.table}_{since:%Y%m}", self, since, (since + timedelta(days=31)).replace(day=1))


@dataclass(frozen=True)
class Leaf:
    """One partition that covers the instants `[covers_from, covers_to)`."""

    name: str
    branch: Branch
    covers_from: datetime
    covers_to: datetime

    def overlaps(self, other: "Leaf") -> bool:
        """Whether an instant belongs to both."""
        return self.covers_from < other.covers_to and other.covers_from < self.covers_to


SETTLED = Branch(
    "zcash_permission_audit_settled", monthly=False, ahead=7, part=timedelta(hours=1), archived=True
)
OTHER = Branch("zcash_permission_audit_other", monthly=True, ahead=3, part=timedelta(days=1), archived=False)
BRANCHES = (SETTLED, OTHER)


def existing(branch: Branch) -> list[Leaf]:
    """Return the attached leaves of a branch, in order of time, without the default one."""
    found = db.rows(sql.LEAVES, {"branch": branch.table})
    return [Leaf(name, branch, covers_from, covers_to) for name, covers_from, covers_to in found]


def exist() -> bool:
    """Whether the log is there and partitioned by kind (a migrate back leaves another one, or none)."""
    (there,) = db.row(sql.BRANCH_EXISTS, {"branch": SETTLED.table})
    return bool(there)


def create_ahead(*, now: datetime) -> list[str]:
    """Make the leaves of now and of the time ahead that are missing; return their names.

    Several callers at once do no harm. A leaf that cannot be made is named in the log and left to the
    default one, which takes every row: nothing that is booked waits for this.
    """
    return [leaf.name for leaf in missing(now=now) if _create(leaf)]


def missing(*, now: datetime) -> list[Leaf]:
    """Return the leaves of now and of the time ahead that are not there."""
    return [leaf for branch in BRANCHES for leaf in _missing(branch, now=now)]


def archive(*, now: datetime, retention: timedelta) -> list[str]:
    """Move sealed leaves of derivable rows that are older than the retention out of the log; return them.

    They stay tables of the schema `paygo_archive` until an operator dumps and drops them.
    """
    return [leaf.name for leaf in archivable(now=now, retention=retention) if _archive(leaf)]


def archivable(*, now: datetime, retention: timedelta) -> list[Leaf]:
    """Return the sealed leaves of derivable rows that are older than the retention."""
    old = [
        leaf
        for branch in BRANCHES
        if branch.archived
        for leaf in existing(branch)
        if leaf.covers_to <= now - retention
    ]
    sealed = set(
        AuditSeal.objects.filter(partition__in=[leaf.name for leaf in old]).values_list(
            "partition", flat=True
        )
    )
    return [leaf for leaf in old if leaf.name in sealed]


def place_in_archive(name: str) -> str | None:
    """Return the qualified, quoted name of an archived leaf, None if it is not in the archive (any more)."""
    place = f"{ARCHIVE}.{quoted(name)}"
    (archived,) = db.row(sql.IS_ARCHIVED, {"place": place})
    return place if archived else None


def _missing(branch: Branch, *, now: datetime) -> list[Leaf]:
    wanted = [branch.leaf_at(now)]
    while len(wanted) <= branch.ahead:
        wanted.append(branch.leaf_at(wanted[-1].covers_to))
    there = existing(branch)
    return [leaf for leaf in wanted if not any(leaf.overlaps(each) for each in there)]


def _create(leaf: Leaf) -> bool:
    try:
        return _patiently(lambda: _create_once(leaf))
    except (Busy, IntegrityError) as error:
        log.warning("audit_partition_not_made", partition=leaf.name, error=str(error), advice=_LATER)
        return False


_LATER = "it is tried again; until then its rows go to the default partition, which has no seal"


def _create_once(leaf: Leaf) -> bool:
    with db.operation():
        _lock_shape()
        if any(leaf.overlaps(each) for each in existing(leaf.branch)):
            return False
        covers = {"covers_from": leaf.covers_from, "covers_to": leaf.covers_to}
        (late,) = db.row(sql.HOLDS_ROWS.format(default=leaf.branch.default), covers)
        if late:
            # To move rows would be to delete rows, and to stop whoever writes them for so long.
            log.warning("audit_rows_left_to_default", partition=leaf.name, default=leaf.branch.default)
            return False
        db.execute(
            sql.CREATE_LEAF.format(
                leaf=quoted(leaf.name),
                branch=leaf.branch.table,
                covers_from=leaf.covers_from.isoformat(),
                covers_to=leaf.covers_to.isoformat(),
            )
        )
    return True


def _archive(leaf: Leaf) -> bool:
    try:
        _patiently(lambda: _archive_once(leaf))
    except Busy as error:
        log.warning("audit_partition_not_archived", partition=leaf.name, error=str(error))
        return False
    log.info("audit_archived", partition=leaf.name, schema=ARCHIVE)
    return True


def _archive_once(leaf: Leaf) -> bool:
    with db.operation():
        _lock_shape()
        if leaf not in existing(leaf.branch):
            return False
        db.execute(sql.ARCHIVE_LEAF.format(leaf=quoted(leaf.name), branch=leaf.branch.table, archive=ARCHIVE))
    return True


def _lock_shape() -> None:
    """One at a time changes the tree."""
    db.execute(sql.SHORT_LOCKS)
    db.execute("SELECT pg_advisory_xact_lock(%(n)s)", {"n": db.advisory_number("audit partitions")})


def _patiently(call: Callable[[], bool]) -> bool:
    """Try again a few times what gave up its place in the queue for a lock.

    Raises:
        Busy: it was never free; nothing was changed.
    """
    for _ in range(_TRIES - 1):
        try:
            return call()
        except Busy:
            time.sleep(_PAUSE_S)
    return call()


def quoted(name: str) -> str:
    """Return the name as an identifier."""
    return str(connection.ops.quote_name(name))
