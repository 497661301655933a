"""Windows on vendors, which operators keep, their prices, and sessions, which the engine writes."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from core import clock
from paygo.backoffice import pages
from paygo.backoffice.actions import buttons
from paygo.backoffice.base import (
    ReadOnlyAdmin,
    Window,
    address_column,
    link_column,
    status_column,
    zec_column,
)
from paygo.backoffice.filters import TimeFilter
from sessions_app import vendors
from sessions_app.models import StreamingSession, Vendor, VendorPrice


@admin.register(Vendor)
class VendorAdmin(Window):
    list_display = ("slug", "name", "client", "price", "price_version", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("client",)
    search_fields = ("slug", "name")
    raw_id_fields = ("client",)
    # Where earnings go to is the client's to say, or `manage.py setvendorpayouts`: a change has a delay.
    readonly_fields = (
        "created_at",
        "price_version",
        "payout_address",
        "payout_not_before",
        "payout_schedule",
        "payout_minimum_zat",
    )

    price = zec_column("price_zat_per_hour", "price (ZEC/h)")

    def page_extra(self, request: HttpRequest, row: Vendor) -> dict[str, Any]:
        """Show its prices and latest sessions."""
        return pages.of_vendor(row)

    def get_readonly_fields(self, request: HttpRequest, obj: Vendor | None = None) -> tuple[str, ...]:
        """Callers know a vendor by its client and its id: these stay."""
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "client", "slug") if obj else tuple(fixed)

    def save_model(self, request: HttpRequest, obj: Vendor, form: Any, change: bool) -> None:
        now, actor = clock.now(), f"operator:{request.user}"
        if not change:
            obj.created_at = now
            vendors.insert(obj, actor=actor)
            return
        vendors.change(obj, fields=form.changed_data)
        if "price_zat_per_hour" in form.changed_data:
            vendors.publish(obj.pk, price_zat_per_hour=obj.price_zat_per_hour, actor=actor, now=now)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A vendor that was ever paid stays: it is switched off by `is_active`."""
        return False


@admin.register(VendorPrice)
class VendorPriceAdmin(ReadOnlyAdmin):
    list_display = ("of_vendor", "client", "version", "price", "created_at", "actor")
    list_select_related = ("vendor__client",)
    search_fields = ("=vendor__slug",)
    ordering = ("-id",)

    of_vendor = link_column("vendor", "vendor")
    price = zec_column("price_zat_per_hour", "price (ZEC/h)")

    @admin.display(description="client", ordering="vendor__client")
    def client(self, row: VendorPrice) -> str:
        return str(row.vendor.client)


@admin.register(StreamingSession)
class StreamingSessionAdmin(ReadOnlyAdmin):
    list_display = (
        "code",
        "client",
        "wallet",
        "of_vendor",
        "state",
        "rate",
        "price_version",
        "started_at",
        "end_reason",
    )
    list_filter = ("status", "end_reason", ("started_at", TimeFilter))
    list_select_related = ("client", "vendor")
    search_fields = ("=code", "=public_id", "=wallet_address", "=vendor__slug")
    search_help_text = "Session code, session, wallet or vendor"
    ordering = ("-id",)

    state = status_column()

    wallet = address_column("wallet_address", "wallet")
    of_vendor = link_column("vendor", "vendor")
    rate = zec_column("rate_zat_per_hour", "rate (ZEC/h)")

    def page_extra(self, request: HttpRequest, row: StreamingSession) -> dict[str, Any]:
        """Show what it cost, and what operators did."""
        return {"office_buttons": buttons(row, request), **pages.of_session(row)}
