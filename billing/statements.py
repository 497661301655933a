"""Statements of a permission, a vendor, a payout: every movement of the money, line by line, that adds up.

A statement is a page of the ledger: what the account had before its first line, the lines, and what it has
after the last. Lines come in the order in which they were booked, and a period is one of booking: a past one
never changes. Whatever runs now has lines of its own at the end of a permission's statement.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from billing import earnings, ledger_sql, payout_records, records
from billing.earnings import TokenEarnings
from billing.ledger_rules import ZEC, Account, Kind
from billing.models import Refund, Transaction
from billing.payout_models import Payout
from billing.records import TransactionRecord
from billing.rules import TransactionStatus
from core import db
from core.errors import Invalid
from sessions_app import queries as session_queries
from zcash.models import Deposit, SpendingPermission

STREAM, RUNNING = "stream", "running"


@dataclass(frozen=True)
class Line:
    """One movement: `amount_zat` came to the account, or left it (below 0); `balance_zat` is there after it.

    `at` is the instant that counts. A stretch of streaming has its record and its session's code, everything
    else what it was caused by.
    """

    kind: str
    at: datetime
    booked_at: datetime | None
    amount_zat: int
    balance_zat: int
    stretch: TransactionRecord | None = None
    session_code: str | None = None
    cause: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """A page of an account; `next_after` names the one that follows, None: this is the last.

    A vendor's says, too, what he had earned in each token at its end: that has no lines.
    """

    account: Account
    name: str
    since: datetime | None
    until: datetime | None
    opening_zat: int
    lines: Sequence[Line]
    closing_zat: int
    next_after: int | None
    tokens: Sequence[TokenEarnings] = ()


@dataclass(frozen=True)
class Asked:
    """Which part of an account: what was booked in [since, until), behind an earlier page."""

    since: datetime | None = None
    until: datetime | None = None
    after: int = 0
    limit: int = 1000


Read = Callable[[Asked], Statement]


def pages(read: Read, *, asked: Asked) -> Iterator[Statement]:
    """Yield a statement's pages; those of one `db.snapshot` add up, whatever is booked meanwhile."""
    page = read(asked)
    yield page
    while page.next_after:
        page = read(replace(asked, after=page.next_after))
        yield page


def of_permission(permission: SpendingPermission, *, asked: Asked, now: datetime) -> Statement:
    """Return a permission's statement at `now`, the last page with what runs; `live.read` it before."""
    with db.snapshot():
        page = _page(Account.PERMISSION, permission.pk, name=str(permission.public_id), asked=asked)
        if page.next_after or (asked.until and asked.until <= now):
            return page
        running = _running(permission, balance_zat=page.closing_zat, now=now)
    lines = [*page.lines, *running]
    closing_zat = lines[-1].balance_zat if lines else page.closing_zat
    return replace(page, lines=lines, closing_zat=closing_zat)


def of_vendor(*, client_id: int, slug: str, asked: Asked) -> Statement:
    """Return the statement of one of a client's vendors: what it earned, and what it was paid.

    Raises:
        VendorNotFound: it does not exist, or is another client's.
    """
    vendor = session_queries.find_vendor(client_id=client_id, slug=slug)
    with db.snapshot():
        page = _page(Account.VENDOR, vendor.pk, name=vendor.slug, asked=asked)
        return replace(page, tokens=earnings.in_tokens(vendor, until=asked.until))


def of_payout(public_id: UUID, *, client_id: int, slug: str, asked: Asked) -> Statement:
    """Return what a payout to one of a client's vendors is made of: what was earned since the one before.

    It opens with what that one had left, and closes with the payout's amount; of one that an operator has
    booked as paid by less, with what it was queued with.

    Raises:
        VendorNotFound: it does not exist, or is another client's.
        Invalid: it is no payout of this vendor.
    """
    vendor = session_queries.find_vendor(client_id=client_id, slug=slug)
    with db.snapshot():
        found = payout_records.of_vendor(vendor).filter(public_id=public_id).first()
        if found is None:
            raise Invalid("is no payout of this vendor", field="payout")
        return _page(
            Account.VENDOR,
            vendor.pk,
            name=f"{vendor.slug}-payout-{found.number}",
            asked=replace(asked, since=found.earned_from, until=found.earned_until),
            kinds=[Kind.CHARGE, Kind.FEE],
            less_zat=found.paid_before_zat,
        )


def _page(
    account: Account,
    of: int,
    *,
    name: str,
    asked: Asked,
    kinds: Sequence[Kind] | None = None,
    less_zat: int = 0,
) -> Statement:
    """Return a page of an account, of some kinds of movements alone, less what others have taken from it."""
    where = {
        "account": account,
        "of": of,
        "asset": ZEC,
        "kinds": [each.value for each in kinds] if kinds else None,
        **vars(asked),
    }
    (opening_zat,) = db.row(ledger_sql.OPENING, where)
    opening_zat = int(opening_zat) - less_zat
    found = db.rows(ledger_sql.LINES, {**where, "limit": asked.limit + 1})
    shown = found[: asked.limit]
    lines = list(_lines(shown, opening_zat=opening_zat))
    return Statement(
        account=account,
        name=name,
        since=asked.since,
        until=asked.until,
        opening_zat=opening_zat,
        lines=lines,
        closing_zat=lines[-1].balance_zat if lines else opening_zat,
        next_after=shown[-1][0] if len(found) > len(shown) else None,
    )


def _lines(rows: Sequence[tuple[Any, ...]], *, opening_zat: int) -> Iterable[Line]:
    stretches = _stretches([cause for _, kind, _, cause, *_ in rows if kind in (Kind.CHARGE, Kind.FEE)])
    causes = _causes(rows)
    balance_zat = opening_zat
    for _, kind, units, cause, at, booked_at in rows:
        balance_zat += int(units)
        stretch = stretches.get(cause) if kind in (Kind.CHARGE, Kind.FEE) else None
        yield Line(
            kind=STREAM if kind == Kind.CHARGE else kind,
            at=at,
            booked_at=booked_at,
            amount_zat=int(units),
            balance_zat=balance_zat,
            stretch=records.of_transaction(stretch) if stretch else None,
            session_code=stretch.session.code if stretch else None,
            cause=causes.get((_noun(kind), cause), {}),
        )


def _running(permission: SpendingPermission, *, balance_zat: int, now: datetime) -> Iterable[Line]:
    open_ones = Transaction.objects.filter(permission=permission, status=TransactionStatus.OPEN)
    for each in open_ones.select_related("permission", "session").order_by("id"):
        record = records.of_transaction(each, now=now)
        balance_zat -= record.amount
        yield Line(
            kind=RUNNING,
            at=record.started_at,
            booked_at=None,
            amount_zat=-record.amount,
            balance_zat=balance_zat,
            stretch=record,
            session_code=each.session.code,
        )


def _stretches(ids: Sequence[int]) -> dict[int, Transaction]:
    return Transaction.objects.select_related("permission", "session").in_bulk(ids)


def _noun(kind: str) -> str:
    """Return what a kind's cause is: `refund` of all kinds of a refund."""
    return "deposit" if kind == Kind.REVERSAL else kind.split("_")[0]


def _causes(rows: Sequence[tuple[Any, ...]]) -> dict[tuple[str, int], dict[str, Any]]:
    """Return what deposits and outgoing payments are called by those who look for them on the chain."""
    ids: dict[str, set[int]] = {}
    for _, kind, _, cause, *_ in rows:
        ids.setdefault(_noun(kind), set()).add(cause)
    deposits = Deposit.objects.in_bulk(ids.get("deposit", ()))
    refunds = Refund.objects.select_related("send").in_bulk(ids.get("refund", ()))
    payouts = Payout.objects.select_related("send").in_bulk(ids.get("payout", ()))
    return {
        **{("deposit", key): each.output for key, each in deposits.items()},
        **{("refund", key): _outgoing("refund_id", each) for key, each in refunds.items()},
        **{("payout", key): _outgoing("payout_id", each) for key, each in payouts.items()},
    }


def _outgoing(name: str, row: Refund | Payout) -> dict[str, Any]:
    public_id: UUID = row.public_id
    return {name: str(public_id), "address": row.address, "txids": row.send.txids if row.send else []}
