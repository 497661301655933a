"""What the page of a row shows besides its fields: what belongs to it, and its life as a time line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from billing import approvals, earnings, live
from billing.models import Refund, Transaction
from billing.operator_models import OperatorAction
from billing.operator_rules import APPROVERS
from billing.payout_models import Payout
from core.amounts import zec_text
from core.errors import DomainError
from paygo.backoffice.actions import page_of
from paygo.backoffice.texts import in_asset
from sessions_app.models import StreamingSession, Vendor, VendorPrice, VendorTokenPrice
from zcash.models import Deposit, PermissionAudit, SpendingPermission
from zcash.rules import AuditAction

# A page has room for so many of each; the lists have all.
MOST = 50
FEW = 10
_MOST_ON_LINE = 200
_GOOD = (AuditAction.CREDITED, AuditAction.ACTIVATED)
_BAD = (AuditAction.REVERSED, AuditAction.SUSPENDED, AuditAction.REVOKED)


@dataclass(frozen=True)
class Cell:
    """A text of a table, and where it leads."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Table:
    """Rows that belong to a row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Moment:
    """One entry of a time line."""

    at: datetime
    title: str
    amount: str = ""
    who: str = ""
    details: Sequence[tuple[str, str]] = field(default_factory=tuple)
    url: str = ""
    tone: str = ""


def of_permission(permission: SpendingPermission, *, now: datetime) -> dict[str, Any]:
    """Return what is left now, what belongs to a permission, and its time line."""
    transactions = list(
        Transaction.objects.filter(permission=permission)
        .select_related("session__vendor")
        .order_by("-id")[:MOST]
    )
    refunds = list(Refund.objects.filter(permission=permission).select_related("send").order_by("-id")[:MOST])
    return {
        "office_facts": _facts(permission, now=now),
        "office_tables": [
            _deposits(Deposit.objects.filter(permission=permission).order_by("-id")[:MOST]),
            _transactions(transactions),
            _refunds(refunds),
        ],
        "office_line": _line(permission, transactions),
    }


def of_session(session: StreamingSession) -> dict[str, Any]:
    """Return what a session cost, stretch by stretch, and what operators did to it."""
    found = Transaction.objects.filter(session=session).select_related(
        "session__vendor", "permission", "authorization"
    )
    actions = OperatorAction.objects.filter(session=session).select_related("operator")
    return {
        "office_tables": [_transactions(found.order_by("-id")[:MOST], of_session=True), _actions(actions)]
    }


def of_vendor(vendor: Vendor, *, now: datetime) -> dict[str, Any]:
    """Return what a vendor has earned, its latest prices, payouts and sessions."""
    prices = VendorPrice.objects.filter(vendor=vendor).order_by("-version")[:FEW]
    payouts = Payout.objects.filter(vendor=vendor).order_by("-number")[:FEW]
    sessions = StreamingSession.objects.filter(vendor=vendor).order_by("-id")[:FEW]
    earned = earnings.of_vendor(vendor, now=now)
    return {
        "office_facts": [
            ("Earned", f"{zec_text(earned.earned_zat)} ZEC"),
            ("Platform's share of it", f"{zec_text(earned.fees_zat)} ZEC"),
            ("Pending", f"{zec_text(earned.pending_zat)} ZEC"),
            ("Available", f"{zec_text(earned.available_zat)} ZEC"),
            ("On its way", f"{zec_text(earned.under_way_zat)} ZEC"),
            ("Paid out", f"{zec_text(earned.paid_zat)} ZEC"),
        ],
        "office_tables": [
            Table(
                "Latest payouts",
                ("number", "when", "ZEC", "status", "to", "reason"),
                [
                    (
                        Cell(f"{each.number}", page_of(each)),
                        _time(each.created_at),
                        Cell(zec_text(each.amount_zat)),
                        Cell(each.status),
                        Cell(each.address),
                        Cell(each.reason),
                    )
                    for each in payouts
                ],
            ),
            Table(
                "Latest prices",
                ("version", "since", "ZEC/h", "by"),
                [
                    (Cell(f"{each.version}"), _time(each.created_at), _price(each), Cell(each.actor))
                    for each in prices
                ],
            ),
            _in_tokens(vendor),
            Table(
                "Latest sessions",
                ("session", "started", "status", "end"),
                [
                    (
                        Cell(each.code, page_of(each)),
                        _time(each.started_at),
                        Cell(each.status),
                        Cell(each.end_reason or ""),
                    )
                    for each in sessions
                ],
            ),
        ],
    }


def of_refund(refund: Refund) -> dict[str, Any]:
    """Return what paid a refund, and what operators did to it."""
    actions = OperatorAction.objects.filter(refund=refund).select_related("operator")
    return {"office_tables": [_sends(refund), _actions(actions)], **_approvals(refund)}


def of_payout(payout: Payout) -> dict[str, Any]:
    """Return what paid a payout, and what operators did to it."""
    actions = OperatorAction.objects.filter(payout=payout).select_related("operator")
    return {"office_tables": [_sends(payout), _actions(actions)], **_approvals(payout)}


def _approvals(row: Refund | Payout) -> dict[str, Any]:
    """Return who has agreed to a large refund or payout."""
    given = [str(each.operator) for each in approvals.given(row)]
    is_large = bool(given) or approvals.is_needed(row)
    return {"office_approvals": given if is_large else None, "office_approvers": APPROVERS}


def _sends(row: Refund | Payout) -> Table:
    cells = [
        (
            Cell(str(each.public_id), page_of(each)),
            Cell(each.status),
            Cell(", ".join(each.txids)),
            Cell(each.reason),
        )
        for each in [row.send]
        if each is not None
    ]
    return Table("Wallet sends", ("send", "status", "txids", "reason"), cells)


def _facts(permission: SpendingPermission, *, now: datetime) -> list[tuple[str, str]]:
    try:
        found = live.read(permission.pk, now=now)
        left, status, running = found.remaining_zat, found.permission.status, found.open_sessions
    except DomainError:
        # Somebody holds it: what was settled last is what is known.
        left, status, running = permission.remaining_zat, permission.status, permission.open_transactions
    return [
        ("Status", f"{status}, {permission.suspended_for}" if permission.suspended_for else status),
        ("Left now", f"{zec_text(left)} ZEC"),
        ("Paid in", f"{zec_text(permission.approved_zat)} ZEC"),
        ("Streaming", f"{running} session{'' if running == 1 else 's'}"),
        ("At most", f"{zec_text(permission.rate_zat_per_hour)} ZEC/h"),
        ("Until", f"{permission.expires_at:%Y-%m-%d %H:%M} UTC"),
    ]


def _deposits(rows: Iterable[Deposit]) -> Table:
    return Table(
        "Deposits",
        ("transaction", "ZEC", "status", "confirmations", "first seen"),
        [
            (
                Cell(each.txid, page_of(each)),
                Cell(zec_text(each.amount_zat)),
                Cell(each.status),
                Cell(f"{each.confirmations}"),
                _time(each.first_seen_at),
            )
            for each in rows
        ],
    )


def _transactions(rows: Iterable[Transaction], *, of_session: bool = False) -> Table:
    return Table(
        "Transactions" if of_session else "Sessions and their transactions",
        ("paid by" if of_session else "session", "vendor", "started", "lasted", "amount", "status"),
        [
            (
                _payer(each) if of_session else Cell(each.session.code, page_of(each.session)),
                Cell(each.session.vendor.name, page_of(each.session.vendor)),
                _time(each.started_at),
                Cell(_lasted(each), page_of(each)),
                Cell(_amount(each)),
                Cell(each.status),
            )
            for each in rows
        ],
    )


def _refunds(rows: Iterable[Refund]) -> Table:
    return Table(
        "Refunds",
        ("refund", "ZEC", "of it fee", "status", "to", "reason"),
        [
            (
                Cell(str(each.public_id), page_of(each)),
                Cell(zec_text(each.amount_zat)),
                Cell(zec_text(each.fee_zat)),
                Cell(each.status),
                Cell(each.address),
                Cell(each.reason),
            )
            for each in rows
        ],
    )


def _actions(rows: Iterable[OperatorAction]) -> Table:
    return Table(
        "Operators' actions",
        ("when", "who", "what", "why"),
        [
            (_time(each.created_at), Cell(str(each.operator)), Cell(each.verb), Cell(each.reason))
            for each in rows
        ],
    )


def _line(permission: SpendingPermission, transactions: Iterable[Transaction]) -> list[Moment]:
    """Return a permission's life, latest first: the audit log without settlements, and its sessions."""
    audit = PermissionAudit.objects.filter(permission=permission).exclude(action=AuditAction.SETTLED)
    changes = [_of_audit(each) for each in audit.order_by("-id")[:_MOST_ON_LINE]]
    streams = [_of_transaction(each) for each in transactions]
    return sorted([*changes, *streams], key=lambda each: each.at, reverse=True)


def _of_audit(row: PermissionAudit) -> Moment:
    moved = row.amount_after_zat - row.amount_before_zat
    return Moment(
        at=row.effective_at,
        title=row.action.replace("_", " ").capitalize(),
        amount=f"{'+' if moved > 0 else '-'}{zec_text(abs(moved))} ZEC" if moved else "",
        who=row.actor,
        details=[(key.replace("_", " "), str(value)) for key, value in (row.details or {}).items()],
        tone="good" if row.action in _GOOD else "bad" if row.action in _BAD else "",
    )


def _of_transaction(row: Transaction) -> Moment:
    return Moment(
        at=row.started_at,
        title=f"Streamed at {row.session.vendor.name}",
        amount=f"-{_amount(row)}" if row.ended_at else "",
        details=[
            ("session", row.session.code),
            ("lasted", _lasted(row)),
            ("end", row.session.end_reason or ""),
        ],
        url=page_of(row.session),
        tone="soft",
    )


def _amount(row: Transaction) -> str:
    if row.ended_at is None:
        return "running"
    return f"{in_asset(row, row.amount_zat, row.amount_units)} {row.asset}"


def _payer(row: Transaction) -> Cell:
    payer = row.permission or row.authorization
    assert payer is not None, "somebody pays each"
    return Cell(str(payer.public_id), page_of(payer))


def _lasted(row: Transaction) -> str:
    if row.ended_at is None:
        return "running"
    seconds = int((row.ended_at - row.started_at).total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _in_tokens(vendor: Vendor) -> Table:
    found = VendorTokenPrice.objects.filter(vendor=vendor).order_by("-version")[:FEW]
    return Table(
        "Latest prices in tokens",
        ("version", "since", "chain", "token", "smallest units/h", "by"),
        [
            (
                Cell(f"{each.version}", page_of(each)),
                _time(each.created_at),
                Cell(f"{each.chain_id}"),
                Cell(each.token_address),
                Cell(f"{each.price_units_per_hour or 'as signed'}"),
                Cell(each.actor),
            )
            for each in found
        ],
    )


def _price(row: VendorPrice) -> Cell:
    return Cell("as the permission" if row.price_zat_per_hour is None else zec_text(row.price_zat_per_hour))


def _time(moment: datetime) -> Cell:
    return Cell(f"{moment:%Y-%m-%d %H:%M:%S}")
