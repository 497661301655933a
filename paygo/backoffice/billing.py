"""Windows on transactions, refunds and what pays them, interval runs, and what operators did."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from billing.models import ForeignSend, IntervalRun, Refund, Transaction, WalletSend
from billing.operator_models import OperatorAction
from paygo.backoffice import pages
from paygo.backoffice.base import ReadOnlyAdmin, link_column, status_column
from paygo.backoffice.filters import TimeFilter
from paygo.backoffice.outgoing import OutgoingAdmin
from paygo.backoffice.texts import in_asset


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "of_session",
        "of_permission",
        "of_authorization",
        "state",
        "rate",
        "started_at",
        "ended_at",
        "amount",
        "asset",
    )
    list_filter = ("status", ("started_at", TimeFilter))
    list_select_related = ("session", "permission", "authorization")
    search_fields = ("=public_id", "=session__code", "=permission__public_id", "=authorization__public_id")
    search_help_text = "Transaction, session code, permission or authorisation"
    ordering = ("-id",)

    state = status_column()

    of_session = link_column("session", "session")
    of_permission = link_column("permission", "permission")
    of_authorization = link_column("authorization", "authorisation")

    @admin.display(description="rate (an hour)")
    def rate(self, row: Transaction) -> str:
        return in_asset(row, row.rate_zat_per_hour, row.rate_units_per_hour)

    @admin.display(description="amount")
    def amount(self, row: Transaction) -> str:
        return in_asset(row, row.amount_zat, row.amount_units)


@admin.register(Refund)
class RefundAdmin(OutgoingAdmin):
    list_display = (
        "public_id",
        "of_permission",
        "cause",
        "state",
        "amount",
        "fee",
        "to",
        "not_before",
        "attempts",
        "reason",
    )
    list_filter = ("status", "cause", ("created_at", TimeFilter))
    list_select_related = ("permission", "send")
    search_fields = ("=public_id", "=permission__public_id", "=address", "=send__txids__contains")
    search_help_text = "Refund, permission, address or txid"

    of_permission = link_column("permission", "permission")

    def page_extra(self, request: HttpRequest, row: Refund) -> dict[str, Any]:
        """Show who has approved it, too."""
        return {**super().page_extra(request, row), **pages.of_refund(row)}


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "operator",
        "verb",
        "of_permission",
        "of_deposit",
        "of_session",
        "of_refund",
        "of_payout",
        "of_endpoint",
        "besides",
        "reason",
    )
    list_filter = ("verb", ("created_at", TimeFilter))
    list_select_related = ("operator", "permission", "deposit", "session", "refund", "payout", "endpoint")
    search_fields = ("=permission__public_id", "=operator__username", "=session__code", "=deposit__txid")
    search_help_text = "Permission, operator, session code or txid"
    ordering = ("-id",)

    of_permission = link_column("permission", "permission")
    of_deposit = link_column("deposit", "deposit")
    of_session = link_column("session", "session")
    of_refund = link_column("refund", "refund")
    of_payout = link_column("payout", "payout")
    of_endpoint = link_column("endpoint", "endpoint")

    @admin.display(description="besides")
    def besides(self, row: OperatorAction) -> str:
        return ", ".join(f"{name}: {value}" for name, value in row.details.items())


@admin.register(WalletSend)
class WalletSendAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "state", "policy", "txids", "operation_id", "intent_height", "reason")
    list_filter = ("status", ("created_at", TimeFilter))
    search_fields = ("=public_id", "=operation_id", "=txids__contains")
    ordering = ("-id",)

    state = status_column()


@admin.register(ForeignSend)
class ForeignSendAdmin(ReadOnlyAdmin):
    list_display = ("txid", "first_seen_at", "explanation", "explained_at")
    search_fields = ("=txid",)
    ordering = ("-id",)


@admin.register(IntervalRun)
class IntervalRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "finished_at", "engine", "permissions", "events", "put_aside")
    list_filter = (("started_at", TimeFilter),)
    ordering = ("-started_at",)
