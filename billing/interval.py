"""The interval: settles every permission with open transactions, a chunk at a time, set-based.

Any number of engines may run at once. Each chunk is one short transaction: a page of permissions is locked
(what is busy is skipped, and tried once more at the end), then one statement settles those to which
nothing happens; those that have an event go one by one through `billing.metering`.
"""

from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import DatabaseError, OperationalError, connection
from django.db.models import Func

from billing import metering, sql
from billing.models import IntervalRun
from core import db
from core.errors import Busy, DomainError
from zcash import audit
from zcash.sql import Claim, claim_page, claimed_unsettled, draw

log = structlog.get_logger(__name__)

_LAST_ID = 2**63 - 1
_STATEMENT_TIMEOUT_MS = 60_000


@dataclass
class Progress:
    """What a run has done so far: permissions settled, events let happen, and who could not be billed."""

    permissions: int = 0
    events: int = 0
    second_round: list[int] = field(default_factory=list)
    put_aside: list[int] = field(default_factory=list)


def run_interval(*, now: datetime, engine: str, chunk_size: int) -> IntervalRun:
    """Settle every permission with open transactions up to `now`; return the run as it was recorded."""
    run = IntervalRun.objects.create(started_at=now, engine=engine)
    progress = Progress()
    claim: Claim | None = None
    after_id = 0
    while claim is None or claim.last_id is not None:
        claim = _settle_page(progress, after_id=after_id, limit=chunk_size, now=now)
        after_id = claim.last_id or after_id
    for permission_id in sorted(set(progress.second_round)):
        _settle_one(progress, permission_id, now=now, wait=True)
    return _finish(run, progress)


def _settle_page(progress: Progress, *, after_id: int, limit: int, now: datetime) -> Claim:
    """Settle the next page; one that fails is split until the culprit stands alone."""
    try:
        claim, settled, with_event = _settle_chunk(after_id=after_id, limit=limit, now=now)
    except OperationalError:
        # The database is away, or too busy for everyone: no row is to blame.
        raise
    except DatabaseError as error:
        return _bisect(progress, error, after_id=after_id, limit=limit, now=now)
    progress.permissions += settled
    progress.second_round += claim.skipped
    for permission_id in with_event:
        _settle_one(progress, permission_id, now=now, wait=False)
    return claim


def _settle_chunk(*, after_id: int, limit: int, now: datetime) -> tuple[Claim, int, list[int]]:
    with db.operation():
        with connection.cursor() as cursor:
            cursor.execute(sql.PLANNER)
            cursor.execute(f"SET LOCAL statement_timeout = {_STATEMENT_TIMEOUT_MS}")
            # What a crash loses of these deductions, the next run derives again: nothing was announced.
            cursor.execute("SET LOCAL synchronous_commit = off")
        claim = claim_page(after_id=after_id, up_to_id=_LAST_ID, limit=limit)
        if not claim.claimed:
            return claim, 0, []
        parameters = sql.draw_parameters(to=now, booked_at=now, actor=audit.ENGINE)
        settled = draw(sql.CLAIMED_WITHOUT_EVENT, parameters)
        with_event = claimed_unsettled(to=now) if settled < claim.claimed else []
    return claim, settled, with_event


def _bisect(
    progress: Progress, error: DatabaseError, *, after_id: int, limit: int, now: datetime
) -> Claim:
    if limit == 1:
        return _put_aside(progress, error, after_id=after_id)
    first = _settle_page(progress, after_id=after_id, limit=limit // 2, now=now)
    if first.last_id is None:
        return first
    rest = _settle_page(progress, after_id=first.last_id, limit=limit - limit // 2, now=now)
    return rest if rest.last_id is not None else first


def _put_aside(progress: Progress, error: Exception, *, after_id: int) -> Claim:
    with db.operation():
        claim = claim_page(after_id=after_id, up_to_id=_LAST_ID, limit=1)
    assert claim.last_id is not None, "a page that failed was not empty"
    _blame(progress, claim.last_id, error)
    return claim


def _settle_one(progress: Progress, permission_id: int, *, now: datetime, wait: bool) -> None:
    """The event path: whoever is busy gets a second round, whoever fails is put aside and named."""
    try:
        metering.settle_one(permission_id, now=now, wait=wait)
        progress.events += 1
    except Busy as error:
        if wait:
            _blame(progress, permission_id, error)
        else:
            progress.second_round.append(permission_id)
    except OperationalError:
        raise
    except (DatabaseError, DomainError, AssertionError) as error:
        _blame(progress, permission_id, error)


def _blame(progress: Progress, permission_id: int, error: Exception) -> None:
    progress.put_aside.append(permission_id)
    log.error("permission_not_billed", permission=permission_id, error=str(error), exc_info=error)


def _finish(run: IntervalRun, progress: Progress) -> IntervalRun:
    IntervalRun.objects.filter(pk=run.pk).update(
        finished_at=Func(function="paygo_now"),
        permissions=progress.permissions,
        events=progress.events,
        put_aside=progress.put_aside,
    )
    run.refresh_from_db()
    return run
