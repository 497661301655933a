"""What one call about a session reads, and what it writes: a statement each, under the lock of what pays.

A round trip costs as much as everything else that a start or an end does. The events of a source (bounds,
depletion, expiry) are `billing.succession`'s; here none is due.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from django.db.models import Model

from billing import (
    covering,
    grants,
    linked,
    metering,
    records,
    sources,
    stage_sql,
    token_prices,
    transactions,
)
from billing.grants import Behind, Grants
from billing.models import Transaction
from billing.models_ethereum import Authorization
from billing.rules import TransactionStatus
from billing.sources import Source
from billing.stage_sql import Writes
from core import db, jsonrows, outbox
from core.clock import to_ms
from core.errors import Conflict
from core.outbox import Happened
from sessions_app import sessions
from sessions_app.models import StreamingSession, Vendor
from sessions_app.rules import EndReason, SessionStatus
from zcash import audit
from zcash.models import SpendingPermission
from zcash.rules import PermissionStatus

M = TypeVar("M", bound=Model)
# No primary key is larger: what is about to start comes last.
_NEXT_ID = 2**63 - 1


class Settled(NamedTuple):
    """What a source's transactions used up to an instant, and when that was booked."""

    at: datetime
    drawn: int
    booked_at: datetime


@dataclass
class Stage:
    """A locked, active source with all that runs on it; what it has used is settled when it is written.

    `sessions` are the viewer's open ones, `past` the final transactions of the one that the call is about,
    `vendors` those of the sessions and the one that was asked for. `queue` and `fallback` are what pays for
    the wallet when the permission is used up.
    """

    source: Source
    sessions: list[StreamingSession]
    running: list[Transaction]
    past: list[Transaction]
    vendors: list[Vendor]
    queue: list[SpendingPermission]
    fallback: Authorization | None

    def event_is_due(self, *, now: datetime) -> bool:
        """Whether something happens by itself up to the instant that counts: `billing.succession` does it."""
        at = metering.effective_instant(self.source, now=now)
        return metering.event_is_due(self.source, self.running, now=at)

    def of_session(self, session_code: str) -> Transaction | None:
        """Return the open transaction of a session, None where it does not run on this source."""
        return next((each for each in self.running if each.session.code == session_code), None)

    def grants(self) -> Grants:
        """Return how long each running session may stream."""
        return grants.of(self.source, self.running, behind=self.behind)

    @property
    def behind(self) -> Behind:
        """What pays for the wallet when the source is used up."""
        return Behind(self.queue, self.fallback)

    def fallback_of(self, session: StreamingSession) -> str | None:
        """Return the asset that a session may go over to when the source is used up, if any."""
        if self.fallback is None or not token_prices.covers(self.fallback, session):
            return None
        return self.fallback.asset

    def settle(self, *, now: datetime) -> Settled:
        """Count as used what was used up to the instant that counts; the next write writes it."""
        at = metering.effective_instant(self.source, now=now)
        drawn = metering.used(self.source, self.running, until=at)
        sources.use(self.source, drawn, to=at)
        return Settled(at, drawn, now)

    def start(self, session: StreamingSession, settled: Settled) -> Grants:
        """Let a new session run; return the grants with it."""
        session.pk = _NEXT_ID
        return self._run(
            self._writes.start,
            session,
            settled,
            event=sessions.started(session),
            max_amount_zat=session.max_amount_zat,
            parameters={"session": jsonrows.dump(session)},
        )

    def resume(self, session: StreamingSession, settled: Settled) -> Grants:
        """Let a paused, locked session go on, with what it has left of its cap; return the grants with it."""
        sessions.go_on(session, at=settled.at)
        return self._run(
            self._writes.resume,
            session,
            settled,
            event=sessions.resumed(session, at=settled.at),
            max_amount_zat=self.past[-1].left_zat,
            parameters={
                "session_id": session.pk,
                "capped_at": session.capped_at,
                "lease_until": session.lease_until,
                "paused_ms": session.paused_ms,
            },
        )

    def _run(
        self,
        statement: str,
        session: StreamingSession,
        settled: Settled,
        *,
        event: Happened,
        max_amount_zat: int | None,
        parameters: Mapping[str, Any],
    ) -> Grants:
        before = self.grants().until
        opened = transactions.new(session, self.source, at=settled.at, max_amount_zat=max_amount_zat)
        opened.pk = _NEXT_ID
        self.running.append(opened)
        after = self.grants()
        earlier = [each.session for each in self.running if _is_earlier(each.session_id, before, after.until)]
        changes = [sessions.grant_changed(each, granted_until=after.until[each.pk]) for each in earlier]
        self._write(
            statement,
            settled,
            transaction=jsonrows.dump(opened),
            events=outbox.given([event, *changes]),
            **parameters,
        )
        return after

    def pause(self, transaction: Transaction, settled: Settled, *, resume_by: datetime) -> None:
        """Pause a running session."""
        self._close(transaction, settled)
        session = transaction.session
        session.status, session.paused_at, session.resume_by = SessionStatus.PAUSED, settled.at, resume_by
        self._write(
            self._writes.pause,
            settled,
            session_id=session.pk,
            resume_by=resume_by,
            **self._closed(transaction),
            events=outbox.given([sessions.paused(session)]),
        )

    def end(self, transaction: Transaction, settled: Settled, *, reason: EndReason) -> None:
        """End a running session."""
        self._close(transaction, settled)
        session = transaction.session
        session.status, session.ended_at, session.end_reason = SessionStatus.ENDED, settled.at, reason
        record = records.of_transactions(session, self.past)
        self._write(
            self._writes.end,
            settled,
            session_id=session.pk,
            end_reason=reason,
            **self._closed(transaction),
            events=outbox.given([sessions.ended(session, cost=records.cost(record))]),
        )

    def renew(self, transaction: Transaction, settled: Settled, *, lease_until: datetime) -> None:
        """Move the end of a running session's heartbeat lease."""
        session = transaction.session
        session.lease_until = lease_until
        transaction.billable_until = transactions.billable_until(transaction)
        self._write(
            self._writes.renew,
            settled,
            session_id=session.pk,
            lease_until=lease_until,
            transaction_id=transaction.pk,
            billable_until=transaction.billable_until,
        )

    def _close(self, transaction: Transaction, settled: Settled) -> None:
        self.running.remove(transaction)
        self.past.append(transaction)
        amount = transactions.meter(transaction).amount(to_ms(settled.at))
        for field, value in transactions.final(transaction, at=settled.at, amount=amount).items():
            setattr(transaction, field, value)

    def _closed(self, transaction: Transaction) -> dict[str, Any]:
        return {
            "transaction_id": transaction.pk,
            "amount": transaction.amount,
            "final_status": transaction.status,
            "due_units": transaction.due_units,
        }

    @property
    def _writes(self) -> Writes:
        return stage_sql.AUTHORIZED if isinstance(self.source, Authorization) else stage_sql.PAID

    def _write(self, statement: str, settled: Settled, **parameters: Any) -> None:
        noted = {
            "source_id": self.source.pk,
            "client_id": self.source.client_id,
            "actor": audit.ENGINE,
            **settled._asdict(),
            **self._meter(),
        }
        (written,) = db.prepared(statement, {**noted, **parameters})
        if None in written:
            raise Conflict("the session has ended already")

    def _meter(self) -> dict[str, Any]:
        alone = self.running[0] if len(self.running) == 1 else None
        at = metering.settled_at(self.source)
        return {
            "open_transactions": len(self.running),
            "meter_rate": alone and alone.rate,
            "meter_started_at": alone and alone.started_at,
            "next_event_at": metering.next_event_at(self.source, self.running, at=at),
        }


def read_running(session_code: str, *, client_id: int, now: datetime) -> tuple[Stage, Transaction] | None:
    """Return what a session runs on and what else does, without a lock; None if it does not run.

    Nor where something has happened up to `now` that comes before what is asked.
    """
    parameters = {"client_id": client_id, "code": session_code, "slug": None}
    ((*rows, payer, authorization_id),) = db.prepared(stage_sql.READ, parameters)
    if payer:
        (permission,) = jsonrows.load(SpendingPermission, payer)
        found = _stage(permission, *rows)
    else:
        authorization = linked.payer(authorization_id, now=now) if authorization_id else None
        if authorization is None:
            return None
        found = load(authorization, session_code=session_code)
    transaction = found.of_session(session_code)
    return None if transaction is None else (found, transaction)


def lock_running(session_code: str, *, client_id: int, now: datetime) -> tuple[Stage, Transaction] | None:
    """Lock what a session runs on and read what else does; None if it does not run at `now` (any more).

    Raises:
        LostRace: it moved to another source while the lock was waited for.
    """
    source = _lock_payer(session_code, client_id=client_id, now=now)
    if source is None:
        return None
    found = load(source, session_code=session_code)
    if found.of_session(session_code) is None:
        # What was locked may have ended while the lock was waited for: nothing is settled by it.
        raise db.LostRace
    if found.event_is_due(now=now):
        covering.let_happen(source, now=now)
        source = _lock_payer(session_code, client_id=client_id, now=now)
        if source is None:
            return None
        found = load(source, session_code=session_code)
    transaction = found.of_session(session_code)
    if transaction is None:
        raise db.LostRace
    return found, transaction


def _lock_payer(session_code: str, *, client_id: int, now: datetime) -> Source | None:
    """Lock what a client's session runs on; None where it does not run, or is nobody's."""
    db.require_transaction()
    parameters = {"client_id": client_id, "code": session_code}
    if found := db.prepared(stage_sql.LOCK_PAYER, parameters):
        return jsonrows.instance(SpendingPermission, found[0])
    return linked.lock_payer(session_code, client_id=client_id, now=now)


def load(source: Source, *, vendor_slug: str | None = None, session_code: str | None = None) -> Stage:
    """Return all that a call needs to know, under the lock of an active source."""
    parameters = {
        "client_id": source.client_id,
        "source_id": source.pk,
        "wallet_address": source.wallet_address,
        "code": session_code,
        "slug": vendor_slug,
    }
    statement = stage_sql.LOAD
    if isinstance(source, Authorization):
        statement = stage_sql.LOAD_AUTHORIZED
        parameters["wallets"] = source.wallets
        parameters["wallet_address"] = source.linked_wallet_address
    (rows,) = db.prepared(statement, parameters)
    return _stage(source, *rows)


def _stage(
    source: Source,
    of_sessions: Any,
    of_transactions: Any,
    of_vendors: Any,
    of_permissions: Any,
    of_authorizations: Any,
) -> Stage:
    vendors = jsonrows.load(Vendor, of_vendors)
    open_sessions = jsonrows.load(StreamingSession, of_sessions)
    payers = _by_key([*jsonrows.load(SpendingPermission, of_permissions), source], SpendingPermission)
    rails = _by_key([*jsonrows.load(Authorization, of_authorizations), source], Authorization)
    _join(open_sessions, _by_key(vendors, Vendor), "vendor")
    found = jsonrows.load(Transaction, of_transactions)
    _join(found, _by_key(open_sessions, StreamingSession), "session")
    _join(found, payers, "permission")
    _join(found, rails, "authorization")
    return Stage(
        source,
        sessions=open_sessions,
        running=[each for each in found if _runs_on(source, each)],
        past=[each for each in found if each.status != TransactionStatus.OPEN],
        vendors=vendors,
        queue=[each for each in payers.values() if each.status == PermissionStatus.QUEUED],
        fallback=grants.fallback_of(source, rails.values()),
    )


def _runs_on(source: Source, transaction: Transaction) -> bool:
    # The session may have gone on to another source while this one's lock was waited for.
    if transaction.status != TransactionStatus.OPEN:
        return False
    return source in (transaction.permission, transaction.authorization)


def _by_key(rows: Iterable[Model], model: type[M]) -> dict[int, M]:
    return {each.pk: each for each in rows if isinstance(each, model)}


def _join(rows: Sequence[Model], parents: Mapping[int, Model], name: str) -> None:
    for row in rows:
        key = getattr(row, f"{name}_id")
        if key is not None:
            jsonrows.join(row, name, parents[key])


def _is_earlier(session_id: int, before: Mapping[int, datetime], after: Mapping[int, datetime]) -> bool:
    return session_id in before and after[session_id] < before[session_id]
