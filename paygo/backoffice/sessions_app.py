"""Windows on vendors, which operators keep, and sessions, which the engine writes."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from core import clock
from paygo.backoffice.base import ReadOnlyAdmin, address_column, zec_column
from sessions_app.models import StreamingSession, Vendor


@admin.register(Vendor)
class VendorAdmin(ModelAdmin):
    list_display = ("slug", "name", "client", "price", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("client",)
    search_fields = ("slug", "name")
    raw_id_fields = ("client",)
    readonly_fields = ("created_at",)

    price = zec_column("price_zat_per_hour", "price (ZEC/h)")

    def save_model(self, request: HttpRequest, obj: Vendor, form: Any, change: bool) -> None:
        if not change:
            obj.created_at = clock.now()
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A vendor that was ever paid stays: it is switched off by `is_active`."""
        return False


@admin.register(StreamingSession)
class StreamingSessionAdmin(ReadOnlyAdmin):
    list_display = (
        "code",
        "client",
        "wallet",
        "vendor",
        "status",
        "rate",
        "started_at",
        "end_reason",
    )
    list_filter = ("status", "end_reason")
    list_select_related = ("client", "vendor")
    search_fields = ("=code", "=wallet_address")
    ordering = ("-id",)

    wallet = address_column("wallet_address", "wallet")
    rate = zec_column("rate_zat_per_hour", "rate (ZEC/h)")
