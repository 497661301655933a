"""Windows on transactions and interval runs."""

from django.contrib import admin

from billing.models import IntervalRun, Transaction
from paygo.backoffice.base import ReadOnlyAdmin, zec_column


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


@admin.register(IntervalRun)
class IntervalRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "finished_at", "engine", "permissions", "events", "put_aside")
    ordering = ("-started_at",)
