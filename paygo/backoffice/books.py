"""Windows on the ledger, payouts, and the comparisons of books and wallet."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from billing.ledger_models import Reconciliation, Transfer
from billing.ledger_rules import ZEC
from billing.payout_models import Payout
from core.amounts import zec_text
from paygo.backoffice import pages
from paygo.backoffice.base import ReadOnlyAdmin, link_column, zec_column
from paygo.backoffice.filters import TimeFilter
from paygo.backoffice.outgoing import OutgoingAdmin


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    """Every movement of money, latest first."""

    list_display = (
        "id",
        "booked_at",
        "kind",
        "amount",
        "asset",
        "debit",
        "debit_of",
        "credit",
        "credit_of",
        "cause_id",
    )
    list_filter = (("booked_at", TimeFilter),)
    search_fields = ("=id",)
    search_help_text = "Number of a transfer"
    ordering = ("-id",)

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
