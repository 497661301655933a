"""One stretch of a session on one source: how it is measured, opened and closed."""

from collections.abc import Sequence
from datetime import datetime

from billing import ledger, token_prices
from billing.models import Transaction
from billing.models_ethereum import Authorization
from billing.rules import Meter, TransactionStatus, bound_ms
from billing.sources import Source
from core.clock import from_ms, to_ms
from core.db import require_transaction
from core.errors import Conflict
from sessions_app.models import StreamingSession
from sessions_app.rules import EndReason


def running_on(source: Source) -> list[Transaction]:
    """Return a source's open transactions with their sessions, in primary-key order."""
    if source.open_transactions == 0:
        return []
    kind = "authorization" if isinstance(source, Authorization) else "permission"
    running = Transaction.objects.filter(**{kind: source}, status=TransactionStatus.OPEN)
    found = list(running.select_related("session__vendor").order_by("id"))
    for transaction in found:
        setattr(transaction, kind, source)
    return found


def meters(transactions: Sequence[Transaction]) -> list[Meter]:
    """Return what the formula needs of transactions."""
    return [meter(each) for each in transactions]


def meter(transaction: Transaction) -> Meter:
    """Return what the formula needs of a transaction."""
    return Meter(
        id=transaction.pk,
        rate=transaction.rate,
        started_ms=to_ms(transaction.started_at),
        until_ms=to_ms(transaction.billable_until),
    )


def new(
    session: StreamingSession, source: Source, *, at: datetime, max_amount_zat: int | None
) -> Transaction:
    """Return what a session that runs on a source from an instant needs; it is not written.

    On a permission it costs its own price, on an authorisation its vendor's price in that token, if there was
    one at its start, else what was signed. `max_amount_zat` is what is left of the session's spending cap,
    None without one.
    """
    opened = Transaction(session=session, started_at=at, max_amount_zat=max_amount_zat)
    if isinstance(source, Authorization):
        opened.authorization = source
        opened.asset, opened.rate_units_per_hour = source.asset, token_prices.rate(session, source)
    else:
        opened.permission, opened.rate_zat_per_hour = source, session.rate_zat_per_hour
    opened.billable_until = billable_until(opened)
    return opened


def billable_until(transaction: Transaction) -> datetime:
    """Return until when a transaction may be billed, from what its session says now."""
    ends_ms = bound_ms(
        to_ms(transaction.started_at),
        rate=transaction.rate,
        own_bound_ms=to_ms(transaction.session.billable_until),
        max_amount=transaction.max_amount_zat,
    )
    return from_ms(ends_ms)


def bound_reason(transaction: Transaction) -> EndReason:
    """Return why a session ends at its transaction's bound; the session's own reason comes before the cap."""
    session = transaction.session
    capped = transaction.billable_until < session.billable_until
    return EndReason.SPENDING_CAP if capped else session.bound_reason


def close(transaction: Transaction, *, at: datetime, amount: int, booked_at: datetime) -> None:
    """Make an open transaction final at an instant; a step.

    Prepaid ZEC is confirmed at once, and its charge posted; a token is still to be collected.

    Raises:
        Conflict: it is final already.
    """
    require_transaction()
    changes = final(transaction, at=at, amount=amount)
    still_open = Transaction.objects.filter(pk=transaction.pk, status=TransactionStatus.OPEN)
    if not still_open.update(**changes):
        raise Conflict("the transaction is final already")
    if transaction.authorization_id is None:
        ledger.charge([transaction.pk], booked_at=booked_at)
    else:
        ledger.charge_units([transaction.pk], booked_at=booked_at)
    for field, value in changes.items():
        setattr(transaction, field, value)


def final(transaction: Transaction, *, at: datetime, amount: int) -> dict[str, object]:
    """Return what a transaction says from its end on; its source is settled up to that instant."""
    if transaction.authorization is None:
        return {"status": TransactionStatus.CONFIRMED, "ended_at": at, "amount_zat": amount}
    due_units = transaction.authorization.charged_units
    owed = amount > 0 and due_units > transaction.authorization.collected_units
    return {
        "status": TransactionStatus.PENDING if owed else TransactionStatus.CONFIRMED,
        "ended_at": at,
        "amount_units": amount,
        "due_units": due_units,
    }
