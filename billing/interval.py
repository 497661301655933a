"""The interval: settles every permission with open transactions, a chunk at a time, set-based.

Any number of engines may run at once: each page of permissions is one engine's at a time, and what one has
just settled the others leave alone. A page is one statement in one short transaction: it settles what has one
meter and no event. Several meters on one permission take a statement more. A row that somebody holds for
longer than a moment is skipped. What is left, because it was busy or has an event, goes one by one through
`billing.metering`, and once more at the end if it is still busy then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, OperationalError
from django.db.models import Func

from billing import events, metering, sql
from billing.models import IntervalRun
from core import db
from core.errors import Busy, DomainError
from zcash import audit, queries
from zcash.sql import Page, draw, draw_page, left_of_page, lock_free

log = structlog.get_logger(__name__)

# An event costs ten times what a settlement does: so many hold their locks for no longer than a page.
_EVENT_CHUNK = 500


@dataclass
class Progress:
    """What a run has done so far: permissions settled, events let happen, and who could not be billed."""

    now: datetime
    # What was settled since then is left alone: another engine has just been there.
    before: datetime
    permissions: int = 0
    events: int = 0
    busy: list[int] = field(default_factory=list)
    put_aside: list[int] = field(default_factory=list)


def run_interval(
    *, now: datetime, engine: str, chunk_size: int, fresh_for: timedelta = timedelta()
) -> IntervalRun:
    """Settle every permission with open transactions up to `now`; return the run as it was recorded.

    What was settled within `fresh_for` is not settled again: engines that run at once share the work.
    """
    run = IntervalRun.objects.create(started_at=now, engine=engine)
    progress = Progress(now, before=now - fresh_for)
    last_id: int | None = 0
    while last_id is not None:
        last_id = _settle_page(progress, after_id=last_id, limit=chunk_size)
    for permission_id in progress.busy:
        _settle_one(progress, permission_id, wait=True)
    return _finish(run, progress)


def _settle_page(progress: Progress, *, after_id: int, limit: int) -> int | None:
    """Settle the next page and return its last id, None behind the last; a failing one is split."""
    try:
        page = _draw_page(progress, after_id=after_id, limit=limit)
    except OperationalError:
        # The database is away: no row is to blame.
        raise
    except (Busy, DatabaseError):
        return _split_page(progress, after_id=after_id, limit=limit)
    progress.permissions += page.drawn
    if page.last_id is not None and page.due is not None and page.due > page.drawn:
        _settle_left(progress, after_id=after_id, last_id=page.last_id)
    return page.last_id


def _settle_left(progress: Progress, *, after_id: int, last_id: int) -> None:
    left = left_of_page(after_id=after_id, last_id=last_id, to=progress.now, before=progress.before)
    progress.busy += left.busy
    if left.shared:
        _settle_shared(progress, left.shared)
    if left.events:
        _settle_events(progress, left.events)


def _draw_page(progress: Progress, *, after_id: int, limit: int) -> Page:
    """Draw a page in one transaction; where somebody holds a row for long, once more without what is busy."""
    try:
        return _draw_once(progress, after_id=after_id, limit=limit, skip_busy=False)
    except Busy:
        return _draw_once(progress, after_id=after_id, limit=limit, skip_busy=True)


def _draw_once(progress: Progress, *, after_id: int, limit: int, skip_busy: bool) -> Page:
    with db.operation():
        db.execute(sql.CHUNK_SETTINGS)
        return draw_page(
            sql.USED_BY_METER,
            after_id=after_id,
            limit=limit,
            to=progress.now,
            before=progress.before,
            booked_at=progress.now,
            actor=audit.ENGINE,
            skip_busy=skip_busy,
        )


def _settle_shared(progress: Progress, ids: Sequence[int]) -> None:
    """Settle permissions with several meters; their transactions are read once the locks are held."""
    try:
        drawn = _draw_shared(progress, ids)
    except OperationalError:
        raise
    except (Busy, DatabaseError):
        drawn = 0
    progress.permissions += drawn
    if drawn < len(ids):
        _settle_one_by_one(progress, ids)


def _settle_events(progress: Progress, ids: Sequence[int]) -> None:
    """Let happen by the set what is due on permissions with one meter, one by one what is left."""
    for chunk in (ids[start : start + _EVENT_CHUNK] for start in range(0, len(ids), _EVENT_CHUNK)):
        try:
            happened, settled = events.settle_events(chunk, to=progress.now, booked_at=progress.now)
        except OperationalError:
            raise
        except (Busy, DatabaseError):
            happened = settled = 0
        progress.events += happened
        progress.permissions += settled
        if happened < len(chunk):
            _settle_one_by_one(progress, chunk)


def _settle_one_by_one(progress: Progress, ids: Sequence[int]) -> None:
    for permission_id in queries.metered_behind(ids, at=progress.now):
        _settle_one(progress, permission_id, wait=False)


def _draw_shared(progress: Progress, ids: Sequence[int]) -> int:
    with db.operation():
        db.execute(sql.CHUNK_SETTINGS)
        locked = {"ids": lock_free(ids)}
        return draw(sql.USED_BY_METERS, locked, to=progress.now, booked_at=progress.now, actor=audit.ENGINE)


def _split_page(progress: Progress, *, after_id: int, limit: int) -> int | None:
    """Halve a page that fails until the culprit stands alone; alone, it fails on the event path too."""
    if limit == 1:
        culprit = queries.next_metered(after_id=after_id)
        if culprit is not None:
            _settle_one(progress, culprit, wait=False)
        return culprit
    half_id = _settle_page(progress, after_id=after_id, limit=limit // 2)
    if half_id is None:
        return None
    last_id = _settle_page(progress, after_id=half_id, limit=limit - limit // 2)
    return half_id if last_id is None else last_id


def _settle_one(progress: Progress, permission_id: int, *, wait: bool) -> None:
    """The event path: whoever is busy gets a second round, whoever fails is put aside and named."""
    try:
        metering.settle_one(permission_id, now=progress.now, wait=wait)
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
