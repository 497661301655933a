"""Seals: the digest of every closed leaf of the audit log, each covering the one before it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import structlog
from django.db import connection, transaction

from core import db
from zcash.history import sql
from zcash.history.leaves import BRANCHES, Branch, Leaf, existing, place_in_archive, quoted
from zcash.models import AuditSeal

log = structlog.get_logger(__name__)

# Of the advisory lock that who seals holds.
LOCK = "audit seals"
# Before the first seal.
GENESIS = "0" * 64
# Longer than any statement or open transaction may last: what was booked before the end is there by then.
GRACE = timedelta(hours=1)
# A closed leaf may wait that long for the upkeep that seals it.
SEALED_WITHIN = timedelta(days=1)


class State(StrEnum):
    """What became of a partition, as a verification finds it."""

    INTACT = "intact"
    BROKEN = "broken"
    LATE_ROWS = "late rows"  # the sealed rows are as they were, others came later
    MISSING = "missing"
    UNSEALED = "unsealed"
    WAITING = "waiting"  # closed a short while ago, to be sealed
    AWAY = "away"  # archived, dumped and dropped
    NOTED = "noted"


FAILURES = frozenset({State.BROKEN, State.LATE_ROWS, State.MISSING, State.UNSEALED})


@dataclass(frozen=True)
class Finding:
    """One partition, or one seal, as a verification found it."""

    partition: str
    state: State
    detail: str


def seal_closed(*, now: datetime) -> list[AuditSeal]:
    """Seal every leaf that has closed and has no seal; return the new seals, none while another does it."""
    with db.alone(LOCK) as first:
        return [_seal(leaf, now=now) for leaf in unsealed(now=now)] if first else []


def verify(*, now: datetime, since: datetime | None, retention: timedelta) -> Iterator[Finding]:
    """Recompute the seals of leaves that end after `since` (None: all), the chain of all, and find gaps.

    Settlement leaves older than the retention may be away: their seals count for the chain alone.
    """
    branch_of = {leaf.name: leaf for branch in BRANCHES for leaf in existing(branch)}
    previous = GENESIS
    for seal in AuditSeal.objects.order_by("id").iterator():
        if seal.previous_digest != previous:
            yield Finding(seal.partition, State.BROKEN, "its seal does not follow the one before it")
        previous = seal.digest
        if since is None or seal.covers_to > since:
            yield _check(seal, branch_of.get(seal.partition), now=now, retention=retention)
    yield from _gaps(now=now)


def unsealed(*, now: datetime) -> list[Leaf]:
    """The closed leaves without a seal, in the order in which they closed."""
    closed = [leaf for branch in BRANCHES for leaf in existing(branch) if leaf.covers_to + GRACE <= now]
    sealed = set(AuditSeal.objects.values_list("partition", flat=True))
    return sorted(
        (leaf for leaf in closed if leaf.name not in sealed), key=lambda leaf: (leaf.covers_to, leaf.name)
    )


def _seal(leaf: Leaf, *, now: datetime) -> AuditSeal:
    latest = AuditSeal.objects.order_by("id").last()
    (last_id,) = db.row(sql.LAST_ID)
    seal = AuditSeal(
        partition=leaf.name,
        covers_from=leaf.covers_from,
        covers_to=leaf.covers_to,
        last_id=last_id,
        previous_digest=latest.digest if latest else GENESIS,
        sealed_at=now,
    )
    seal.rows, seal.digest = _digest(seal, quoted(leaf.name), leaf.branch)
    with db.operation():
        seal.save(force_insert=True)
    # Whoever ships the logs has it outside of this database's reach.
    log.info(
        "audit_sealed",
        partition=seal.partition,
        rows=seal.rows,
        digest=seal.digest,
        previous_digest=seal.previous_digest,
    )
    return seal


def _check(seal: AuditSeal, leaf: Leaf | None, *, now: datetime, retention: timedelta) -> Finding:
    place = quoted(leaf.name) if leaf else place_in_archive(seal.partition)
    if place is None:
        may_be_away = _branch(seal).archived and seal.covers_to <= now - retention
        state = State.AWAY if may_be_away else State.MISSING
        return Finding(seal.partition, state, "not in this database; its seal is part of the chain")
    if leaf and (leaf.covers_from, leaf.covers_to) != (seal.covers_from, seal.covers_to):
        return Finding(seal.partition, State.BROKEN, "it covers another time than its seal says")
    rows, digest = _digest(seal, place, _branch(seal))
    if (rows, digest) != (seal.rows, seal.digest):
        return Finding(seal.partition, State.BROKEN, f"not as sealed ({seal.rows} rows then, {rows} now)")
    (late,) = db.row(sql.LATE_ROWS.format(place=place), {"last_id": seal.last_id})
    if late:
        return Finding(seal.partition, State.LATE_ROWS, f"{late} rows were added after it was sealed")
    return Finding(seal.partition, State.INTACT, f"{rows} rows")


def _gaps(*, now: datetime) -> Iterator[Finding]:
    for leaf in unsealed(now=now):
        waiting = now < leaf.covers_to + GRACE + SEALED_WITHIN
        state = State.WAITING if waiting else State.UNSEALED
        yield Finding(leaf.name, state, f"ended at {leaf.covers_to:%Y-%m-%d %H:%M}, has no seal")
    for branch in BRANCHES:
        (used,) = db.row(sql.DEFAULT_HAS_ROWS.format(default=branch.default))
        if used:
            yield Finding(branch.default, State.NOTED, "holds rows: no seal covers them")


def _digest(seal: AuditSeal, place: str, branch: Branch) -> tuple[int, str]:
    """Return how many rows a seal covers and SHA-256 over what it says of itself and their text.

    It is read a part at a time, each in a transaction of its own: a closed leaf does not change.
    """
    hasher = hashlib.sha256(_heading(seal).encode())
    rows, since = 0, seal.covers_from
    while since < seal.covers_to:
        until = min(since + branch.part, seal.covers_to)
        statement = sql.ROWS_AS_TEXT.format(
            place=place, since=since.isoformat(), until=until.isoformat(), last_id=seal.last_id
        )
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.LONG_READ)
            with cursor.copy(statement) as lines:
                for block in lines:
                    hasher.update(block)
                    rows += bytes(block).count(b"\n")
        since = until
    return rows, hasher.hexdigest()


def _heading(seal: AuditSeal) -> str:
    instants = (seal.covers_from, seal.covers_to, seal.sealed_at)
    texts = (each.astimezone(UTC).isoformat(timespec="microseconds") for each in instants)
    return "\t".join([seal.previous_digest, seal.partition, *texts, str(seal.last_id)]) + "\n"


def _branch(seal: AuditSeal) -> Branch:
    return next(branch for branch in BRANCHES if seal.partition.startswith(branch.table + "_"))
