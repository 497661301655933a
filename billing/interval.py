"""The interval: settles every source with open transactions, a chunk at a time, set-based.

Permissions come first, then authorisations, by the same code (`billing.pages` says what differs). Any number
of engines may run at once: each page of permissions is one engine's at a time, and what one has
just settled the others leave alone. A page is one statement in one short transaction: it settles what has one
meter and no event. Several meters on one source take a statement more. A row that somebody holds for
longer than a moment is skipped. What is left, because it was busy or has an event, goes one by one through
`billing.succession`, and once more at the end if it is still busy then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, OperationalError
from django.db.models import Func

from billing import sql
from billing.models import IntervalRun
from billing.pages import ALL, Pages
from core import db
from core.errors import Busy, DomainError
from zcash.sql import Page

log = structlog.get_logger(__name__)

# An event costs ten times what a settlement does: so many hold their locks for no longer than a page.
_EVENT_CHUNK = 500


@dataclass
class Progress:
    """What a run has done so far with one kind of source: settled, events let happen, who was not billed."""

    pages: Pages
    now: datetime
    # What was settled since then is left alone: another engine has just been there.
    before: datetime
    permissions: int = 0
    events: int = 0
    busy: list[int] = field(default_factory=list)
    put_aside: list[int | str] = field(default_factory=list)


def run_interval(
    *, now: datetime, engine: str, chunk_size: int, fresh_for: timedelta = timedelta()
) -> IntervalRun:
    """Settle every source with open transactions up to `now`; return the run as it was recorded.

    What was settled within `fresh_for` is not settled again: engines that run at once share the work.
    """
    run = IntervalRun.objects.create(started_at=now, engine=engine)
    done = [_settle_all(Progress(pages, now, before=now - fresh_for), chunk_size) for pages in ALL]
    return _finish(run, done)


def _settle_all(progress: Progress, chunk_size: int) -> Progress:
    # Where nothing of a kind runs, to find that out is all that it costs.
    last_id: int | None = None if progress.pages.next_metered(after_id=0) is None else 0
    while last_id is not None:
        last_id = _settle_page(progress, after_id=last_id, limit=chunk_size)
    for key in progress.busy:
        _settle_one(progress, key, wait=True)
    return progress


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
    left = progress.pages.left(after_id=after_id, last_id=last_id, to=progress.now, before=progress.before)
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
        return progress.pages.draw(
            after_id=after_id, limit=limit, to=progress.now, before=progress.before, skip_busy=skip_busy
        )


def _settle_shared(progress: Progress, ids: Sequence[int]) -> None:
    """Settle sources with several meters; their transactions are read once the locks are held."""
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
    """Let happen by the set what is due on sources with one meter, one by one what is left."""
    for chunk in (ids[start : start + _EVENT_CHUNK] for start in range(0, len(ids), _EVENT_CHUNK)):
        try:
            happened, settled = progress.pages.settle_events(chunk, to=progress.now)
        except OperationalError:
            raise
        except (Busy, DatabaseError):
            happened = settled = 0
        progress.events += happened
        progress.permissions += settled
        if happened < len(chunk):
            _settle_one_by_one(progress, chunk)


def _settle_one_by_one(progress: Progress, ids: Sequence[int]) -> None:
    for key in progress.pages.behind(ids, at=progress.now):
        _settle_one(progress, key, wait=False)


def _draw_shared(progress: Progress, ids: Sequence[int]) -> int:
    with db.operation():
        db.execute(sql.CHUNK_SETTINGS)
        return progress.pages.draw_shared(ids, to=progress.now)


def _split_page(progress: Progress, *, after_id: int, limit: int) -> int | None:
    """Halve a page that fails until the culprit stands alone; alone, it fails on the event path too."""
    if limit == 1:
        culprit = progress.pages.next_metered(after_id=after_id)
        if culprit is not None:
            _settle_one(progress, culprit, wait=False)
        return culprit
    half_id = _settle_page(progress, after_id=after_id, limit=limit // 2)
    if half_id is None:
        return None
    last_id = _settle_page(progress, after_id=half_id, limit=limit - limit // 2)
    return half_id if last_id is None else last_id


def _settle_one(progress: Progress, key: int, *, wait: bool) -> None:
    """The event path: whoever is busy gets a second round, whoever fails is put aside and named."""
    try:
        progress.pages.settle_one(key, now=progress.now, wait=wait)
        progress.events += 1
    except Busy as error:
        if wait:
            _blame(progress, key, error)
        else:
            progress.busy.append(key)
    except OperationalError:
        raise
    except (DatabaseError, DomainError, AssertionError) as error:
        _blame(progress, key, error)


def _blame(progress: Progress, key: int, error: Exception) -> None:
    progress.put_aside.append(progress.pages.name(key))
    log.error("not_billed", source=progress.pages.name(key), error=str(error), exc_info=error)


def _finish(run: IntervalRun, done: Sequence[Progress]) -> IntervalRun:
    IntervalRun.objects.filter(pk=run.pk).update(
        finished_at=Func(function="paygo_now"),
        permissions=sum(each.permissions for each in done),
        events=sum(each.events for each in done),
        put_aside=[name for each in done for name in each.put_aside],
    )
    run.refresh_from_db()
    return run
