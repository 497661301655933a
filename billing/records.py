"""What a session cost: the record that `end` and `show` answer, from its transactions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from billing import metering
from billing.models import Transaction
from billing.rules import TransactionStatus
from core.clock import to_ms
from sessions_app.models import StreamingSession
from sessions_app.rules import EndReason


@dataclass(frozen=True)
class TransactionRecord:
    """One stretch of a session on one permission; `amount_zat` of an open one is what it used so far."""

    id: str
    permission_id: str
    status: str
    rate_zat_per_hour: int
    started_at: datetime
    ended_at: datetime | None
    duration_ms: int
    amount_zat: int


@dataclass(frozen=True)
class SessionRecord:
    """A session with its totals in zatoshis and billable milliseconds."""

    session: StreamingSession
    transactions: tuple[TransactionRecord, ...]

    @property
    def amount_zat(self) -> int:
        return sum(each.amount_zat for each in self.transactions)

    @property
    def duration_ms(self) -> int:
        return sum(each.duration_ms for each in self.transactions)

    @property
    def status(self) -> str:
        """The least final of the transactions' states."""
        states = {each.status for each in self.transactions}
        return next(state.value for state in TransactionStatus if state in states)

    @property
    def end_reason(self) -> EndReason | None:
        reason = self.session.end_reason
        return EndReason(reason) if reason else None


def of_session(session: StreamingSession, *, now: datetime | None = None) -> SessionRecord:
    """Return a session's record; open transactions are measured at `now`."""
    found = Transaction.objects.filter(session=session).select_related("permission").order_by("id")
    return of_transactions(session, found, now=now)


def of_transactions(
    session: StreamingSession, transactions: Iterable[Transaction], *, now: datetime | None = None
) -> SessionRecord:
    """Return the record of a session from its transactions, in order, with their permissions."""
    return SessionRecord(session, tuple(of_transaction(each, now=now) for each in transactions))


def of_transaction(transaction: Transaction, *, now: datetime | None = None) -> TransactionRecord:
    """Return the record of a transaction with its permission; an open one is measured at `now`.

    Never before what the permission is settled up to: that has been deducted.
    """
    until = transaction.ended_at or _measured_at(transaction, now=now)
    amount_zat = transaction.amount_zat
    if amount_zat is None:
        amount_zat = metering.meter(transaction).amount(to_ms(until))
    return TransactionRecord(
        id=str(transaction.public_id),
        permission_id=str(transaction.payer.public_id),
        status=transaction.status,
        rate_zat_per_hour=transaction.price_zat,
        started_at=transaction.started_at,
        ended_at=transaction.ended_at,
        duration_ms=to_ms(until) - to_ms(transaction.started_at),
        amount_zat=amount_zat,
    )


def _measured_at(transaction: Transaction, *, now: datetime | None) -> datetime:
    instants = (transaction.started_at, transaction.payer.settled_at, now)
    return min(max(each for each in instants if each is not None), transaction.billable_until)
