"""The interval: settles every permission with open transactions, a chunk at a time, set-based.

Any number of engines may run at once. Each chunk is one statement in one short transaction: it settles those
of a page of permissions to which nothing happens. A row that somebody holds for longer than a moment is
skipped. What a chunk leaves, because it was busy or has an event, goes one by one through `billing.metering`,
and once more at the end if it is still busy then.
"""

from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import DatabaseError, OperationalError
from django.db.models import Func

from billing import metering, sql
from billing.models import IntervalRun
from core import db
from core.errors import Busy, DomainError
from zcash import audit
from zcash.sql import Page, draw_page

log = structlog.get_logger(__name__)


@dataclass
class Progress:
    """What a run has done so far: permissions settled, events let happen, and who could not be billed."""

    permissions: int = 0
    events: int = 0
    busy: list[int] = field(default_factory=list)
    put_aside: list[int] = field(default_factory=list)


def run_interval(*, now: datetime, engine: str, chunk_size: int) -> IntervalRun:
    """Settle every permission with open transactions up to `now`; return the run as it was recorded."""
    run = IntervalRun.objects.create(started_at=now, engine=engine)
    progress = Progress()
    last_id: int | None = 0
    while last_id is not None:
        last_id = _settle_page(progress, after_id=last_id, limit=chunk_size, now=now)
    for permission_id in progress.busy:
        _settle_one(progress, permission_id, now=now, wait=True)
    return _finish(run, progress)


def _settle_page(progress: Progress, *, after_id: int, limit: int, now: datetime) -> int | None:
    """Settle the next page and return its last id, None behind the last; a failing one is split."""
    try:
        page = _draw_page(sql.USED_WITHOUT_EVENT, after_id=after_id, limit=limit, now=now)
    except OperationalError:
        # The database is away: no row is to blame.
        raise
    except (Busy, DatabaseError):
        return _split_page(progress, after_id=after_id, limit=limit, now=now)
    progress.permissions += page.drawn
    for permission_id in page.left:
        _settle_one(progress, permission_id, now=now, wait=False)
    return page.last_id


def _draw_page(source: str, *, after_id: int, limit: int, now: datetime) -> Page:
    """Draw a page in one transaction; where somebody holds a row for long, once more without what is busy."""
    try:
        return _draw_once(source, after_id=after_id, limit=limit, now=now, skip_busy=False)
    except Busy:
        return _draw_once(source, after_id=after_id, limit=limit, now=now, skip_busy=True)


def _draw_once(source: str, *, after_id: int, limit: int, now: datetime, skip_busy: bool) -> Page:
    with db.operation():
        db.execute(sql.CHUNK_SETTINGS)
        return draw_page(
            source,
            after_id=after_id,
            limit=limit,
            to=now,
            booked_at=now,
            actor=audit.ENGINE,
            skip_busy=skip_busy,
        )


def _split_page(progress: Progress, *, after_id: int, limit: int, now: datetime) -> int | None:
    """Halve a page that fails until the culprit stands alone; alone, it fails on the event path too."""
    if limit == 1:
        page = _draw_page(sql.NOTHING, after_id=after_id, limit=1, now=now)
        for permission_id in page.left:
            _settle_one(progress, permission_id, now=now, wait=False)
        return page.last_id
    half_id = _settle_page(progress, after_id=after_id, limit=limit // 2, now=now)
    if half_id is None:
        return None
    last_id = _settle_page(progress, after_id=half_id, limit=limit - limit // 2, now=now)
    return half_id if last_id is None else last_id


def _settle_one(progress: Progress, permission_id: int, *, now: datetime, wait: bool) -> None:
    """The event path: whoever is busy gets a second round, whoever fails is put aside and named."""
    try:
        metering.settle_one(permission_id, now=now, wait=wait)
        progress.events += 1
    except Busy as error:
        if wait:
            _blame(progress, permission_id, error)
        else:
            progress.busy.append(permission_id)
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
