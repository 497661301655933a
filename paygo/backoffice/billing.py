"""Windows on transactions, refunds and what pays them, and interval runs."""

from django.contrib import admin

from billing.models import ForeignSend, IntervalRun, Refund, Transaction, WalletSend
from paygo.backoffice.base import ReadOnlyAdmin, address_column, zec_column


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "session",
        "permission",
        "status",
        "rate",
        "started_at",
        "ended_at",
        "amount",
    )
    list_filter = ("status",)
    list_select_related = ("session", "permission")
    search_fields = ("=public_id", "=session__code")
    ordering = ("-id",)

    rate = zec_column("rate_zat_per_hour", "rate (ZEC/h)")
    amount = zec_column("amount_zat", "amount (ZEC)")


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "permission",
        "cause",
        "status",
        "amount",
        "fee",
        "to",
        "not_before",
        "attempts",
        "reason",
    )
    list_filter = ("status", "cause")
    list_select_related = ("permission",)
    search_fields = ("=public_id", "=permission__public_id", "=address")
    ordering = ("-id",)

    amount = zec_column("amount_zat", "amount (ZEC)")
    fee = zec_column("fee_zat", "of it fee (ZEC)")
    to = address_column("address", "to")


@admin.register(WalletSend)
class WalletSendAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "status", "policy", "txids", "operation_id", "intent_height", "reason")
    list_filter = ("status",)
    search_fields = ("=public_id", "=operation_id")
    ordering = ("-id",)


@admin.register(ForeignSend)
class ForeignSendAdmin(ReadOnlyAdmin):
    list_display = ("txid", "first_seen_at", "explanation", "explained_at")
    search_fields = ("=txid",)
    ordering = ("-id",)


@admin.register(IntervalRun)
class IntervalRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "finished_at", "engine", "permissions", "events", "put_aside")
    ordering = ("-started_at",)
