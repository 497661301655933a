"""What a session cost: the record that `end` and `show` answer, from its transactions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing import transactions as stretches
from billing.models import ZEC, Transaction
from billing.rules import TransactionStatus
from core.amounts import zec_text
from core.clock import to_ms
from sessions_app.models import StreamingSession
from sessions_app.rules import EndReason

# What a record needs of a transaction besides itself.
PAYERS = ("permission", "authorization")
_ZEC_DECIMALS = 8


@dataclass(frozen=True)
class TransactionRecord:
    """One stretch of a session on one source; `amount` of an open one is what it used so far.

    Amount and rate (an hour's) are in the smallest unit of the asset, which has so many decimals.
    """

    id: str
    permission_id: str | None
    authorization_id: str | None
    asset: str
    decimals: int
    status: str
    rate: int
    started_at: datetime
    ended_at: datetime | None
    duration_ms: int
    amount: int


@dataclass(frozen=True)
class Total:
    """What a session cost in one asset, in its smallest unit."""

    asset: str
    decimals: int
    amount: int


@dataclass(frozen=True)
class SessionRecord:
    """A session with its totals and billable milliseconds; `amount_zat` is its total in ZEC."""

    session: StreamingSession
    transactions: tuple[TransactionRecord, ...]

    @property
    def amount_zat(self) -> int:
        return sum(each.amount for each in self.transactions if each.asset == ZEC)

    @property
    def totals(self) -> list[Total]:
        """What it cost in each asset that paid for it, in the order in which they came."""
        sums: dict[tuple[str, int], int] = {}
        for each in self.transactions:
            asset = (each.asset, each.decimals)
            sums[asset] = sums.get(asset, 0) + each.amount
        return [Total(*asset, amount) for asset, amount in sums.items()]

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


def cost(record: SessionRecord) -> dict[str, Any]:
    """Return what the event of a session's end says of its cost; `billing.sql.COST` says the same."""
    return {
        "amount": zec_text(record.amount_zat),
        "duration_seconds": record.duration_ms / 1000,
        "totals": [
            {"asset": each.asset, "amount_units": str(each.amount), "decimals": each.decimals}
            for each in record.totals
        ],
    }


def of_session(session: StreamingSession, *, now: datetime | None = None) -> SessionRecord:
    """Return a session's record; open transactions are measured at `now`."""
    found = Transaction.objects.filter(session=session).select_related(*PAYERS).order_by("id")
    return of_transactions(session, found, now=now)


def of_transactions(
    session: StreamingSession, transactions: Iterable[Transaction], *, now: datetime | None = None
) -> SessionRecord:
    """Return the record of a session from its transactions, in order, with what paid for them."""
    return SessionRecord(session, tuple(of_transaction(each, now=now) for each in transactions))


def of_transaction(transaction: Transaction, *, now: datetime | None = None) -> TransactionRecord:
    """Return the record of a transaction with what pays for it; an open one is measured at `now`.

    Never before what that is settled up to: so much has been deducted.
    """
    until = transaction.ended_at or _measured_at(transaction, now=now)
    amount = transaction.amount
    if amount is None:
        amount = stretches.meter(transaction).amount(to_ms(until))
    permission, authorization = transaction.permission, transaction.authorization
    return TransactionRecord(
        id=str(transaction.public_id),
        permission_id=str(permission.public_id) if permission else None,
        authorization_id=str(authorization.public_id) if authorization else None,
        asset=transaction.asset,
        decimals=authorization.decimals if authorization else _ZEC_DECIMALS,
        status=transaction.status,
        rate=transaction.rate,
        started_at=transaction.started_at,
        ended_at=transaction.ended_at,
        duration_ms=to_ms(until) - to_ms(transaction.started_at),
        amount=amount,
    )


def _measured_at(transaction: Transaction, *, now: datetime | None) -> datetime:
    instants = (transaction.started_at, transaction.payer.settled_at, now)
    return min(max(each for each in instants if each is not None), transaction.billable_until)
