"""Windows on the Ethereum rail: what viewers have signed, what is collected of it, and by what sends."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin

from billing.models_ethereum import Authorization, ChainKey, ChainSend, Collection
from paygo.backoffice.base import ReadOnlyAdmin, address_column, link_column, status_column
from paygo.backoffice.filters import TimeFilter
from paygo.backoffice.texts import tokens


def _token_column(description: str, field: str, of: Callable[[Any], Authorization]) -> Any:
    """Return a list column that shows smallest units in tokens of the authorisation of its row."""

    @admin.display(description=description)
    def column(_: Any, row: Any) -> str:
        units = getattr(row, field)
        return "" if units is None else tokens(units, of(row).decimals)

    return column


def _own(description: str, field: str) -> Any:
    return _token_column(description, field, lambda row: row)


def _authorizations(description: str, field: str) -> Any:
    return _token_column(description, field, lambda row: row.authorization)


@admin.register(Authorization)
class AuthorizationAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "client",
        "wallet_address",
        "linked",
        "state",
        "suspended_for",
        "token_symbol",
        "chain_id",
        "limit",
        "charged",
        "debt",
        "remaining",
        "binding",
        "chain_read_at",
        "expires_at",
    )
    list_filter = (
        "status",
        "binding",
        ("created_at", TimeFilter),
        ("expires_at", TimeFilter),
    )
    list_select_related = ("client",)
    search_fields = (
        "=public_id",
        "=wallet_address",
        "=linked_wallet_address",
        "=transactions__session__code",
    )
    search_help_text = "Authorisation, wallet (with its checksum), linked wallet or session code"
    ordering = ("-id",)
    exclude = ("typed_data", "permit")

    state = status_column()
    linked = address_column("linked_wallet_address", "linked wallet")
    limit = _own("limit (tokens)", "limit_units")
    charged = _own("charged (tokens)", "charged_units")
    debt = _own("owed (tokens)", "debt_units")
    remaining = _own("left when settled (tokens)", "remaining_units")


@admin.register(Collection)
class CollectionAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "of_authorization",
        "wallet",
        "state",
        "token",
        "amount",
        "received",
        "of_send",
        "reason",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", ("created_at", TimeFilter))
    list_select_related = ("authorization", "send")
    search_fields = ("=public_id", "=authorization__public_id", "=send__hashes__contains")
    search_help_text = "Collection, authorisation or transaction hash"
    ordering = ("-id",)

    state = status_column()
    of_authorization = link_column("authorization", "authorisation")
    of_send = link_column("send", "sent by")
    amount = _authorizations("amount (tokens)", "amount_units")
    received = _authorizations("received (tokens)", "received_units")

    @admin.display(description="wallet")
    def wallet(self, row: Collection) -> str:
        return row.authorization.wallet_address

    @admin.display(description="token")
    def token(self, row: Collection) -> str:
        return row.authorization.token_symbol


@admin.register(ChainSend)
class ChainSendAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "chain_id",
        "sender",
        "nonce",
        "state",
        "latest",
        "block_number",
        "silent_since",
        "reason",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", ("created_at", TimeFilter))
    search_fields = ("=public_id", "=hashes__contains", "=sender")
    search_help_text = "Send, transaction hash or key"
    ordering = ("-id",)

    state = status_column()

    @admin.display(description="transaction")
    def latest(self, row: ChainSend) -> str:
        """The hash that was mined, or of the last try."""
        return row.mined_hash or row.hashes[-1]


@admin.register(ChainKey)
class ChainKeyAdmin(ReadOnlyAdmin):
    list_display = ("chain_id", "address", "next_nonce", "adopted_at", "reason")
    ordering = ("-id",)
