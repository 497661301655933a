"""What the calls of permissions answer. Written by clients/generate.py: do not edit."""

from decimal import Decimal
from typing import Literal, NotRequired, TypedDict

from paygo_client.types.common import (
    FieldProblem,
)


class WalletBalance(TypedDict):
    """What is visible of a wallet; amounts in ZEC, null for what cannot be known."""

    as_of: str | None
    can_stream: bool
    computed_from: list[Literal["transparent_balance", "shielded_balance", "active_permission"]]
    estimated_hours: Decimal | None
    permission_balance: Decimal | None
    rate_per_hour: Decimal | None
    shielded_balance: Decimal | None
    shielded_visible: bool
    stale: bool
    total_balance: Decimal
    total_is_partial: bool
    transparent_balance: Decimal | None
    wallet_address: str


class LastKnownBalance(TypedDict):
    """What the chain said last, at most an hour ago."""

    as_of: str
    stale: bool
    transparent_balance: Decimal


class BalanceProblem(TypedDict):
    """The node cannot be asked; with what it said last, if that is known."""

    cached: NotRequired[LastKnownBalance]
    code: str
    detail: str
    errors: NotRequired[list[FieldProblem]]
    instance: str
    request_id: str
    status: int
    title: str
    type: str


class CreatedPermission(TypedDict):
    """A new permission and how to pay it."""

    amount_to_pay: Decimal
    checkout_url: str
    expires_at: str
    max_sessions: int | None
    max_streaming_hours: Decimal
    pay_before: str
    payment_address: str
    payment_uri: str
    permission_id: str
    status: Literal["pending"]


class WalletPermission(TypedDict):
    """The active permission of a wallet."""

    approved_amount: Decimal
    expires_at: str
    id: str
    max_sessions: int | None
    max_streaming_hours: Decimal
    rate_per_hour: Decimal
    remaining_amount: Decimal
    status: Literal["pending", "queued", "active", "exhausted", "suspended", "expired", "revoked", "lapsed"]
    used_streaming_hours: Decimal
    user_wallet_address: str


class PaymentState(TypedDict):
    """How far the payment is; amounts in ZEC."""

    confirmations: int
    confirmed: Decimal
    missing: Decimal
    quarantined: bool
    received: Decimal
    required: Decimal
    required_confirmations: int


class RefundState(TypedDict):
    """What becomes of the money that an ended permission has left; amounts in ZEC."""

    address: str
    amount: Decimal
    fee: Decimal
    minimum: Decimal
    not_before: str | None
    reason: str
    refund_id: str | None
    status: Literal[
        "queued", "sending", "unknown", "sent", "confirmed", "failed", "cancelled", "below_minimum", "waiting"
    ]
    txids: list[str]


class PermissionState(TypedDict):
    """A permission as it is at this moment."""

    expires_at: str
    max_sessions: int | None
    open_sessions: int
    payment: PaymentState
    payment_uri: str | None
    permission_id: str
    rate_per_hour: Decimal
    refund: RefundState | None
    refund_address: str
    refunded_amount: Decimal
    remaining_amount: Decimal
    remaining_hours: Decimal
    status: Literal["pending", "queued", "active", "exhausted", "suspended", "expired", "revoked", "lapsed"]
    suspended_for: Literal["reversal", "hold"] | None
    used_hours: Decimal


class MadePayerLink(TypedDict):
    """A link for one viewer; it opens once."""

    ends_at: str
    may_change_refund_address: bool
    open_before: str
    payer_url: str


class RevokedPayerLinks(TypedDict):
    """How many links and open pages have been closed."""

    revoked: int


class VerifiedPermission(TypedDict):
    """A permission after a look at the chain."""

    expires_at: str
    id: str
    payment: PaymentState
    payment_uri: str | None
    remaining_amount: Decimal
    remaining_hours: Decimal
    status: Literal["pending", "queued", "active", "exhausted", "suspended", "expired", "revoked", "lapsed"]
