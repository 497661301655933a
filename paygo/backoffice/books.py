"""Windows on the ledger, payouts, and the comparisons of books and wallet."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from billing.ledger_models import Reconciliation, Transfer
from billing.ledger_rules import MOVES, ZEC, Account, Kind
from billing.models import ForeignSend, Refund, Transaction
from billing.operator_models import OperatorAction
from billing.payout_models import Payout
from core.amounts import zec_text
from paygo.backoffice import pages
from paygo.backoffice.actions import page_at
from paygo.backoffice.base import ReadOnlyAdmin, link_column, zec_column
from paygo.backoffice.filters import TimeFilter
from paygo.backoffice.outgoing import OutgoingAdmin
from sessions_app.models import Vendor
from zcash.models import Deposit, SpendingPermission

# The tables that accounts and causes are rows of, where they have a window.
OWNERS: Mapping[str, type[Model]] = {
    Account.PERMISSION: SpendingPermission,
    Account.REFUND: Refund,
    Account.VENDOR: Vendor,
    Account.PAYOUT: Payout,
}
CAUSES: Mapping[str, type[Model]] = {
    Kind.DEPOSIT: Deposit,
    Kind.REVERSAL: Deposit,
    Kind.LOSS: SpendingPermission,
    Kind.LOSS_COVERED: SpendingPermission,
    Kind.CHARGE: Transaction,
    Kind.FEE: Transaction,
    Kind.CHAIN_CHARGE: Transaction,
    Kind.CHAIN_PAYOUT: OperatorAction,
    Kind.WITHDRAWAL: ForeignSend,
    **{kind: Refund for kind in Kind if kind.startswith("refund")},
    **{kind: Payout for kind in Kind if kind.startswith("payout")},
}


def _cause_name(row: Transfer) -> str:
    model = CAUSES.get(row.kind)
    return str(model._meta.verbose_name) if model else row.kind.replace("_", " ")


def _row_column(description: str, row_of: Callable[[Transfer], tuple[str, type[Model] | None, int]]) -> Any:
    """Return a list column that leads to a row by its table and number: no row is asked for that."""

    @admin.display(description=description)
    def column(_: Any, row: Transfer) -> str:
        name, model, pk = row_of(row)
        text = f"{name} {pk or ''}".strip()
        if model is None or not pk:
            return text
        return format_html('<a href="{}">{}</a>', page_at(model, pk), text)

    column.plain = lambda row: row_of(row)[0]  # type: ignore[attr-defined]
    return column


class MoveFilter(admin.SimpleListFilter):
    """One kind of transfer, of those that there are; its accounts lead to it by their indexes."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, kind.value.replace("_", " ")) for kind in Kind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.value()
        if asked not in set(Kind):
            return queryset
        debit, credit = MOVES[Kind(asked or "")]
        return queryset.filter(kind=asked, debit=debit, credit=credit)


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    """Every movement of money, latest first."""

    list_display = (
        "id",
        "booked_at",
        "kind",
        "amount",
        "asset",
        "debited",
        "credited",
        "cause",
    )
    list_filter = (MoveFilter, ("booked_at", TimeFilter))
    search_fields = ("=id",)
    search_help_text = "Number of a transfer"
    ordering = ("-id",)
    csv_also = ("debit_of", "credit_of", "cause_id")

    debited = _row_column("debit", lambda row: (row.debit, OWNERS.get(row.debit), row.debit_of))
    credited = _row_column("credit", lambda row: (row.credit, OWNERS.get(row.credit), row.credit_of))
    cause = _row_column("caused by", lambda row: (_cause_name(row), CAUSES.get(row.kind), row.cause_id))

    @admin.display(description="amount")
    def amount(self, row: Transfer) -> str:
        return zec_text(row.amount_units) if row.asset == ZEC else str(row.amount_units)


@admin.register(Payout)
class PayoutAdmin(OutgoingAdmin):
    list_display = (
        "public_id",
        "of_vendor",
        "number",
        "state",
        "amount",
        "fee",
        "to",
        "created_at",
        "attempts",
        "reason",
    )
    list_filter = ("status", ("created_at", TimeFilter))
    list_select_related = ("vendor", "send")
    search_fields = ("=public_id", "=vendor__slug", "=address", "=send__txids__contains")
    search_help_text = "Payout, vendor, address or txid"

    of_vendor = link_column("vendor", "vendor")

    def page_extra(self, request: HttpRequest, row: Payout) -> dict[str, Any]:
        """Show who has approved it, too."""
        return {**super().page_extra(request, row), **pages.of_payout(row)}


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    """What the last comparisons of books and wallet found."""

    list_display = ("at", "right", "owed", "booked", "holdings", "findings")
    list_filter = (("at", TimeFilter),)
    ordering = ("-at",)

    owed = zec_column("owed_zat", "owed (ZEC)")
    booked = zec_column("booked_zat", "in the wallet by the books (ZEC)")
    holdings = zec_column("holdings_zat", "in the wallet by its own word (ZEC)")

    @admin.display(boolean=True, description="right")
    def right(self, row: Reconciliation) -> bool:
        return row.is_right

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        """There is nothing to look for but a time."""
        return queryset, False
