"""What one call about a session reads, and what it writes: a statement each, under the permission's lock.

A round trip costs as much as everything else that a start or an end does. The events of a permission (its
bounds, depletion, expiry) are `billing.metering`'s; here none is due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Model

from billing import grants, metering, stage_sql
from billing.grants import Grants
from billing.models import Transaction
from billing.projection import next_event_ms
from billing.rules import TransactionStatus, accrued_zat
from core import db, jsonrows, outbox
from core.clock import from_ms, to_ms
from core.errors import Conflict
from core.outbox import Happened
from sessions_app import sessions
from sessions_app.models import StreamingSession, Vendor
from sessions_app.rules import EndReason, SessionStatus
from zcash import audit
from zcash.models import SpendingPermission
from zcash.rules import PermissionStatus

# No primary key is larger: what is about to start comes last.
_NEXT_ID = 2**63 - 1


class Settled(NamedTuple):
    """What a permission's transactions used up to an instant, and when that was booked."""

    at: datetime
    drawn_zat: int
    booked_at: datetime


@dataclass
class Stage:
    """A locked, active permission with all that runs on it; what it has used is settled when it is written.

    `sessions` are the wallet's open ones, `past` the final transactions of the one that the call is about,
    `vendors` those of the sessions and the one that was asked for.
    """

    permission: SpendingPermission
    sessions: list[StreamingSession]
    running: list[Transaction]
    past: list[Transaction]
    vendors: list[Vendor]
    queue: list[SpendingPermission]

    def event_is_due(self, *, now: datetime) -> bool:
        """Whether something happens by itself up to the instant that counts: `metering.settle` does it."""
        return self._next_event_ms() <= to_ms(metering.effective_instant(self.permission, now=now))

    def of_session(self, session_code: str) -> Transaction | None:
        """Return the open transaction of a session, None where it does not run on this permission."""
        return next((each for each in self.running if each.session.code == session_code), None)

    def grants(self) -> Grants:
        """Return how long each running session may stream."""
        return grants.of(self.permission, self.running, queue=self.queue)

    def settle(self, *, now: datetime) -> Settled:
        """Count as used what was used up to the instant that counts; the next write writes it."""
        at = metering.effective_instant(self.permission, now=now)
        drawn_zat = accrued_zat(
            metering.meters(self.running),
            settled_ms=to_ms(metering.settled_at(self.permission)),
            at_ms=to_ms(at),
        )
        self.permission.remaining_zat -= drawn_zat
        self.permission.settled_at = at
        return Settled(at, drawn_zat, now)

    def start(self, session: StreamingSession, settled: Settled) -> Grants:
        """Let a new session run; return the grants with it."""
        session.pk = _NEXT_ID
        return self._run(
            stage_sql.START,
            session,
            settled,
            event=sessions.told("session.started", session),
            max_amount_zat=session.max_amount_zat,
            parameters={"session": jsonrows.dump(session)},
        )

    def resume(self, session: StreamingSession, settled: Settled) -> Grants:
        """Let a paused, locked session go on, with what it has left of its cap; return the grants with it."""
        sessions.go_on(session, at=settled.at)
        return self._run(
            stage_sql.RESUME,
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
        opened = metering.new_transaction(
            session, self.permission, at=settled.at, max_amount_zat=max_amount_zat
        )
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
            stage_sql.PAUSE,
            settled,
            session_id=session.pk,
            resume_by=resume_by,
            transaction_id=transaction.pk,
            amount_zat=transaction.amount_zat,
            events=outbox.given([sessions.paused(session)]),
        )

    def end(self, transaction: Transaction, settled: Settled, *, reason: EndReason) -> None:
        """End a running session."""
        self._close(transaction, settled)
        session = transaction.session
        session.status, session.ended_at, session.end_reason = SessionStatus.ENDED, settled.at, reason
        self._write(
            stage_sql.END,
            settled,
            session_id=session.pk,
            end_reason=reason,
            transaction_id=transaction.pk,
            amount_zat=transaction.amount_zat,
            events=outbox.given([sessions.told("session.ended", session)]),
        )

    def renew(self, transaction: Transaction, settled: Settled, *, lease_until: datetime) -> None:
        """Move the end of a running session's heartbeat lease."""
        session = transaction.session
        session.lease_until = lease_until
        transaction.billable_until = metering.billable_until(transaction)
        self._write(
            stage_sql.RENEW,
            settled,
            session_id=session.pk,
            lease_until=lease_until,
            transaction_id=transaction.pk,
            billable_until=transaction.billable_until,
        )

    def _close(self, transaction: Transaction, settled: Settled) -> None:
        self.running.remove(transaction)
        self.past.append(transaction)
        transaction.status, transaction.ended_at = TransactionStatus.CONFIRMED, settled.at
        transaction.amount_zat = metering.meter(transaction).amount(to_ms(settled.at))

    def _write(self, statement: str, settled: Settled, **parameters: Any) -> None:
        noted = {
            "permission_id": self.permission.pk,
            "client_id": self.permission.client_id,
            "actor": audit.ENGINE,
            **settled._asdict(),
            **self._meter(),
        }
        (written,) = db.prepared(statement, {**noted, **parameters})
        if None in written:
            raise Conflict("the session has ended already")

    def _meter(self) -> dict[str, Any]:
        alone = self.running[0] if len(self.running) == 1 else None
        return {
            "open_transactions": len(self.running),
            "meter_rate_zat_per_hour": alone and alone.rate_zat_per_hour,
            "meter_started_at": alone and alone.started_at,
            "next_event_at": from_ms(self._next_event_ms()) if self.running else None,
        }

    def _next_event_ms(self) -> int:
        event_ms, _ = next_event_ms(
            metering.meters(self.running),
            remaining_zat=self.permission.remaining_zat,
            settled_ms=to_ms(metering.settled_at(self.permission)),
            expires_ms=to_ms(self.permission.expires_at),
        )
        return event_ms


def lock_payer(session_code: str, *, client_id: int) -> SpendingPermission | None:
    """Lock the permission that a client's session runs on; None where it does not run, or is nobody's."""
    db.require_transaction()
    parameters = {"client_id": client_id, "code": session_code}
    found = db.prepared(stage_sql.LOCK_PAYER, parameters)
    return jsonrows.instance(SpendingPermission, found[0]) if found else None


def read_running(session_code: str, *, client_id: int) -> tuple[Stage, Transaction] | None:
    """Return what a session runs on and what else does, without a lock; None if it does not run."""
    parameters = {"client_id": client_id, "code": session_code, "slug": None}
    ((*rows, payer),) = db.prepared(stage_sql.READ, parameters)
    if not payer:
        return None
    (permission,) = jsonrows.load(SpendingPermission, payer)
    found = _stage(permission, *rows)
    transaction = found.of_session(session_code)
    return None if transaction is None else (found, transaction)


def lock_running(session_code: str, *, client_id: int, now: datetime) -> tuple[Stage, Transaction] | None:
    """Lock what a session runs on and read what else does; None if it does not run at `now` (any more).

    Raises:
        LostRace: it moved to another permission while the lock was waited for.
    """
    permission = lock_payer(session_code, client_id=client_id)
    if permission is None:
        return None
    found = load(permission, session_code=session_code)
    if found.of_session(session_code) is None:
        # The lock of what it ran on before must not be held while the session's is waited for.
        raise db.LostRace
    if found.event_is_due(now=now):
        permission = metering.settle(permission, now=now)
        if permission is None:
            return None
        found = load(permission, session_code=session_code)
    transaction = found.of_session(session_code)
    return None if transaction is None else (found, transaction)


def load(
    permission: SpendingPermission, *, vendor_slug: str | None = None, session_code: str | None = None
) -> Stage:
    """Return all that a call needs to know, under the lock of an active permission."""
    parameters = {
        "client_id": permission.client_id,
        "wallet_address": permission.wallet_address,
        "permission_id": permission.pk,
        "code": session_code,
        "slug": vendor_slug,
    }
    (rows,) = db.prepared(stage_sql.LOAD, parameters)
    return _stage(permission, *rows)


def _stage(
    permission: SpendingPermission, of_sessions: Any, of_transactions: Any, of_vendors: Any, of_payers: Any
) -> Stage:
    vendors = jsonrows.load(Vendor, of_vendors)
    open_sessions = jsonrows.load(StreamingSession, of_sessions)
    payers = {each.pk: each for each in [*jsonrows.load(SpendingPermission, of_payers), permission]}
    _join(open_sessions, {each.pk: each for each in vendors}, "vendor")
    transactions = jsonrows.load(Transaction, of_transactions)
    _join(transactions, {each.pk: each for each in open_sessions}, "session")
    _join(transactions, payers, "permission")
    return Stage(
        permission,
        sessions=open_sessions,
        running=[each for each in transactions if _runs_on(permission, each)],
        past=[each for each in transactions if each.status != TransactionStatus.OPEN],
        vendors=vendors,
        queue=[each for each in payers.values() if each.status == PermissionStatus.QUEUED],
    )


def _runs_on(permission: SpendingPermission, transaction: Transaction) -> bool:
    # The session may have gone on to another permission while this one's lock was waited for.
    return transaction.status == TransactionStatus.OPEN and transaction.permission_id == permission.pk


def _join(rows: Sequence[Model], parents: Mapping[int, Model], name: str) -> None:
    for row in rows:
        setattr(row, name, parents[getattr(row, f"{name}_id")])


def _is_earlier(session_id: int, before: Mapping[int, datetime], after: Mapping[int, datetime]) -> bool:
    return session_id in before and after[session_id] < before[session_id]
