"""What the calls of ethereum answer. Written by clients/generate.py: do not edit."""

from typing import Any, Literal, NotRequired, TypedDict


class CreatedAuthorization(TypedDict):
    """A new authorisation, and what the wallet has to do for it."""

    allowance: str | None
    approve_data: str
    approve_to: str
    authorization_id: str
    balance: str | None
    binding: Literal["limit", "allowance", "balance", "debt_ceiling"]
    chain_id: int
    chain_read_at: str | None
    charged: str
    collectable_until: str
    collected: str
    consent: str
    created_at: str
    debt_ceiling: str
    decimals: int
    expires_at: str
    limit: str
    linked_wallet_address: str | None
    permit_refusal: str | None
    permit_status: Literal["waiting", "sent", "confirmed", "failed"] | None
    permit_typed_data: dict[str, Any] | None
    privacy_note: str
    rate_per_hour: str
    spendable: str
    spender: str
    status: Literal["pending", "active", "exhausted", "expired", "revoked", "suspended"]
    suspended_for: str | None
    token: str
    token_symbol: str
    typed_data: dict[str, Any]
    wallet_address: str


class AuthorizationState(TypedDict):
    """An authorisation as it is; amounts in the token's smallest unit, as texts."""

    allowance: str | None
    authorization_id: str
    balance: str | None
    binding: Literal["limit", "allowance", "balance", "debt_ceiling"]
    chain_id: int
    chain_read_at: str | None
    charged: str
    collectable_until: str
    collected: str
    created_at: str
    debt_ceiling: str
    decimals: int
    expires_at: str
    limit: str
    linked_wallet_address: str | None
    permit_refusal: str | None
    permit_status: Literal["waiting", "sent", "confirmed", "failed"] | None
    privacy_note: str
    rate_per_hour: str
    spendable: str
    spender: str
    status: Literal["pending", "active", "exhausted", "expired", "revoked", "suspended"]
    suspended_for: str | None
    token: str
    token_symbol: str
    wallet_address: str


class AuthorizationSignatures(TypedDict):
    """What the viewer's wallet has signed."""

    permit_signature: NotRequired[str]
    signature: str
