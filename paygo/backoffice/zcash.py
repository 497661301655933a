"""Windows on spending permissions, deposits and the audit log."""

from django.contrib import admin

from paygo.backoffice.base import ReadOnlyAdmin, address_column, zec_column
from zcash.models import Deposit, PermissionAudit, SpendingPermission, WatchedChain


@admin.register(SpendingPermission)
class SpendingPermissionAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "client",
        "wallet",
        "status",
        "requested",
        "remaining",
        "open_transactions",
        "settled_at",
        "expires_at",
    )
    list_filter = ("status", "created_at")
    list_select_related = ("client",)
    search_fields = ("=public_id", "=wallet_address", "=payment_address")
    ordering = ("-id",)

    wallet = address_column("wallet_address", "wallet")
    requested = zec_column("requested_zat", "requested (ZEC)")
    remaining = zec_column("remaining_zat", "remaining when settled (ZEC)")


@admin.register(Deposit)
class DepositAdmin(ReadOnlyAdmin):
    list_display = (
        "txid",
        "pool",
        "amount",
        "status",
        "confirmations",
        "permission",
        "first_seen_at",
        "quarantined",
        "lost_at",
    )
    list_filter = ("status", "pool", "quarantined")
    list_select_related = ("permission",)
    search_fields = ("=txid", "=permission__public_id")
    ordering = ("-id",)

    amount = zec_column("amount_zat", "amount (ZEC)")


@admin.register(PermissionAudit)
class PermissionAuditAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "effective_at", "permission", "action", "before", "after", "actor")
    list_select_related = ("permission",)
    search_fields = ("=permission__public_id",)
    ordering = ("-id",)

    before = zec_column("amount_before_zat", "before (ZEC)")
    after = zec_column("amount_after_zat", "after (ZEC)")


@admin.register(WatchedChain)
class WatchedChainAdmin(ReadOnlyAdmin):
    list_display = ("network", "genesis_hash", "tip_height", "asked_at", "scanned_at")
