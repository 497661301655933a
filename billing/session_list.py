"""A client's sessions, a page at a time, each with what it has cost up to an instant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import F, Sum

from billing import covering, expiry, records
from billing.models import ZEC, Transaction
from billing.rules import TransactionStatus
from core import db
from core.clock import MS
from core.errors import Invalid
from sessions_app import queries as session_queries
from sessions_app.errors import SessionNotFound
from sessions_app.models import StreamingSession
from sessions_app.rules import OPEN, SessionStatus
from zcash.models import SpendingPermission


@dataclass(frozen=True)
class ListedSession:
    """A session with its totals in zatoshis and billable milliseconds.

    What tokens paid of it is told by the session's own record.
    """

    session: StreamingSession
    amount_zat: int
    duration_ms: int


@dataclass(frozen=True)
class SessionPage:
    """Sessions, newest first; `next_after` is the code that the next page comes after, None: it is the last.

    A page of one status can be short of what time alone has ended meanwhile.
    """

    sessions: Sequence[ListedSession]
    next_after: str | None


class _Cost(NamedTuple):
    amount_zat: int = 0
    duration_ms: int = 0


def page(
    *,
    client_id: int,
    limit: int,
    now: datetime,
    wallet_address: str | None = None,
    status: SessionStatus | None = None,
    after: str | None = None,
) -> SessionPage:
    """Return a client's sessions as they are at `now`, those that come after one's code.

    Whatever time alone has brought to them happens first; else the number of statements is the same for
    every page.

    Raises:
        Invalid: `after` names no session of this client.
    """
    found = session_queries.newest(
        client_id=client_id,
        wallet_address=wallet_address,
        status=status,
        before_id=_session_id(after, client_id=client_id) if after else None,
        limit=limit + 1,
    )
    shown = found[:limit]
    _bring_current(shown, now=now)
    with db.snapshot():
        sessions = session_queries.all_of([each.pk for each in shown])
        final, running = _final(shown), _running(shown, now=now)
    return SessionPage(
        [_listed(each, final, running) for each in sessions if status in (None, each.status)],
        next_after=shown[-1].code if len(found) > limit else None,
    )


def on_permission(permission: SpendingPermission, *, now: datetime) -> Sequence[ListedSession]:
    """Return the open sessions that a permission pays at `now`, and those paused on it, newest first."""
    of_wallet = session_queries.open_of_wallet(
        client_id=permission.client_id, wallet_address=permission.wallet_address
    )
    _bring_current(of_wallet, now=now)
    with db.snapshot():
        sessions = [
            each
            for each in session_queries.all_of([each.pk for each in of_wallet])
            if each.status in OPEN and is_paid_by(each, permission)
        ]
        final, running = _final(sessions), _running(sessions, now=now)
    return [_listed(each, final, running) for each in sessions]


def is_paid_by(session: StreamingSession, permission: SpendingPermission) -> bool:
    """Whether a permission pays a session now, or paid it last."""
    payers = (
        Transaction.objects.filter(session=session).order_by("-id").values_list("permission_id", flat=True)
    )
    return payers.first() == permission.pk


def _session_id(code: str, *, client_id: int) -> int:
    try:
        return session_queries.of_client(client_id=client_id, code=code).pk
    except SessionNotFound as error:
        raise Invalid("names no session", field="after") from error


def _bring_current(sessions: Iterable[StreamingSession], *, now: datetime) -> None:
    """Let everything happen to sessions that time alone brings."""
    ids = [each.pk for each in sessions if each.status == SessionStatus.ACTIVE]
    running = Transaction.objects.filter(session_id__in=ids, status=TransactionStatus.OPEN)
    due = running.filter(permission__next_event_at__lte=now)
    for permission_id in sorted(set(due.values_list("permission_id", flat=True))):
        expiry.bring_current(permission_id, now=now)
    owed = running.filter(authorization__next_event_at__lte=now)
    for authorization_id in sorted(set(owed.values_list("authorization_id", flat=True))):
        covering.bring_current(authorization_id, now=now)
    for session in sessions:
        if session.pause_is_over(now=now):
            expiry.end_pause(session.pk, now=now)


def _final(sessions: Iterable[StreamingSession]) -> Mapping[int, _Cost]:
    """Return what the final transactions of sessions come to, by session."""
    final = Transaction.objects.filter(session__in=list(sessions)).exclude(status=TransactionStatus.OPEN)
    sums = final.values("session_id").annotate(
        zat=Sum("amount_zat", default=0), duration=Sum(F("ended_at") - F("started_at"))
    )
    return {each["session_id"]: _Cost(int(each["zat"]), each["duration"] // MS) for each in sums}


def _running(sessions: Iterable[StreamingSession], *, now: datetime) -> Mapping[int, _Cost]:
    """Return what the open transactions of sessions come to at an instant, by session."""
    running = Transaction.objects.filter(session__in=list(sessions), status=TransactionStatus.OPEN)
    found = {
        each.session_id: records.of_transaction(each, now=now)
        for each in running.select_related(*records.PAYERS)
    }
    return {
        key: _Cost(each.amount if each.asset == ZEC else 0, each.duration_ms) for key, each in found.items()
    }


def _listed(
    session: StreamingSession, final: Mapping[int, _Cost], running: Mapping[int, _Cost]
) -> ListedSession:
    parts = [each.get(session.pk, _Cost()) for each in (final, running)]
    return ListedSession(
        session,
        amount_zat=sum(each.amount_zat for each in parts),
        duration_ms=sum(each.duration_ms for each in parts),
    )
