"""Windows on spending permissions, deposits and the audit log."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from core import clock
from paygo.backoffice import pages
from paygo.backoffice.actions import buttons
from paygo.backoffice.base import ReadOnlyAdmin, address_column, link_column, status_column, zec_column
from paygo.backoffice.filters import TimeFilter
from zcash.models import AuditSeal, Deposit, PermissionAudit, SpendingPermission, WatchedChain
from zcash.rules import AuditAction
from zcash.unmatched_models import UnmatchedDeposit


@admin.register(SpendingPermission)
class SpendingPermissionAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "client",
        "wallet",
        "state",
        "requested",
        "remaining",
        "open_transactions",
        "max_sessions",
        "settled_at",
        "expires_at",
    )
    list_filter = (
        "status",
        "suspended_for",
        ("created_at", TimeFilter),
        ("expires_at", TimeFilter),
    )
    list_select_related = ("client",)
    search_fields = (
        "=public_id",
        "=wallet_address",
        "=payment_address",
        "=deposits__txid",
        "=transactions__session__code",
    )
    search_help_text = "Permission, wallet, address, txid or session code"
    ordering = ("-id",)

    state = status_column()

    wallet = address_column("wallet_address", "wallet")
    requested = zec_column("requested_zat", "requested (ZEC)")
    remaining = zec_column("remaining_zat", "remaining when settled (ZEC)")

    def page_extra(self, request: HttpRequest, row: SpendingPermission) -> dict[str, Any]:
        """Show what is left now, what belongs to it, and its time line."""
        shown = pages.of_permission(row, now=clock.now())
        # What time alone brings may have happened by the look at it.
        row.refresh_from_db()
        return {"office_buttons": buttons(row, request), **shown}


@admin.register(Deposit)
class DepositAdmin(ReadOnlyAdmin):
    list_display = (
        "txid",
        "pool",
        "amount",
        "state",
        "confirmations",
        "of_permission",
        "first_seen_at",
        "quarantined",
        "lost_at",
    )
    list_filter = ("status", "pool", "quarantined", ("first_seen_at", TimeFilter))
    list_select_related = ("permission",)
    search_fields = ("=txid", "=permission__public_id", "=permission__payment_address")
    search_help_text = "Txid, permission or address"
    ordering = ("-id",)

    state = status_column()

    of_permission = link_column("permission", "permission")
    amount = zec_column("amount_zat", "amount (ZEC)")


@admin.register(UnmatchedDeposit)
class UnmatchedDepositAdmin(ReadOnlyAdmin):
    list_display = ("txid", "pool", "amount", "received_at", "height", "first_seen_at", "resolved_at")
    list_filter = ("pool", ("first_seen_at", TimeFilter), ("resolved_at", TimeFilter))
    search_fields = ("=txid", "=address")
    search_help_text = "Txid or address"
    ordering = ("-id",)

    received_at = address_column("address", "address")
    amount = zec_column("amount_zat", "amount (ZEC)")


class KindFilter(admin.SimpleListFilter):
    """Credits, refunds and states, unless settlements are asked for: of those there are billions."""

    title = "kind"
    parameter_name = "kind"
    RECENT = timedelta(hours=1)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("settled", "settlements of the last hour")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "settled":
            return queryset.exclude(action=AuditAction.SETTLED)
        return queryset.filter(action=AuditAction.SETTLED, created_at__gte=clock.now() - self.RECENT)


@admin.register(PermissionAudit)
class PermissionAuditAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "created_at",
        "effective_at",
        "of_permission",
        "action",
        "before",
        "after",
        "actor",
        "details",
    )
    # A row by its number alone would be looked for in every partition; the list shows all of it.
    list_display_links = None
    list_filter = (KindFilter,)
    list_select_related = ("permission",)
    search_fields = ("=permission__public_id",)
    search_help_text = "Permission"
    ordering = ("-id",)

    of_permission = link_column("permission", "permission")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find a permission's trail; rows are not looked for by their own numbers."""
        try:
            found = SpendingPermission.objects.filter(public_id=search_term.strip())
            return (queryset.filter(permission__in=list(found)) if search_term else queryset), False
        except ValidationError:
            return queryset.none(), False

    before = zec_column("amount_before_zat", "before (ZEC)")
    after = zec_column("amount_after_zat", "after (ZEC)")


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    list_display = ("partition", "covers_from", "covers_to", "rows", "digest", "previous_digest", "sealed_at")
    search_fields = ("=partition", "=digest")
    ordering = ("-id",)


@admin.register(WatchedChain)
class WatchedChainAdmin(ReadOnlyAdmin):
    list_display = ("network", "genesis_hash", "tip_height", "asked_at", "scanned_at")
