"""What the calls of sessions answer. Written by clients/generate.py: do not edit."""

from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict

from paygo_client.types.common import (
    FieldProblem,
)


class ListedSessionState(TypedDict):
    """A session with what it has cost so far."""

    amount: Decimal
    client_ref: str
    duration_seconds: Decimal
    end_reason: (
        Literal[
            "ended_by_client",
            "exhausted",
            "permission_expired",
            "permission_revoked",
            "permission_suspended",
            "heartbeat_lost",
            "max_duration",
            "spending_cap",
            "pause_expired",
            "ended_by_operator",
            "authorization_expired",
            "authorization_revoked",
        ]
        | None
    )
    ended_at: str | None
    max_amount: Decimal | None
    next_heartbeat_by: str | None
    paused_at: str | None
    price_version: int | None
    rate_per_hour: Decimal | None
    resume_by: str | None
    session_code: str
    session_id: str
    started_at: str
    status: Literal["active", "paused", "ended"]
    token_price_version: int | None
    user_wallet_address: str
    vendor_id: str


class SessionPageState(TypedDict):
    """Some of a client's sessions."""

    next_after: str | None
    sessions: list[ListedSessionState]


class Fallback(TypedDict):
    """What a stream goes on with when ZEC is used up, and what that tells the public."""

    asset: str
    privacy_note: str


class StartedSession(TypedDict):
    """A running session."""

    asset: str
    asset_rate_per_hour: str
    depletes_at: str | None
    fallback: Fallback | None
    granted_until: str
    max_amount: Decimal | None
    rate_per_hour: Decimal | None
    session_code: str
    session_id: str


class PaymentOption(TypedDict):
    """One way to pay, in x402's fields."""

    amount: str
    asset: str
    extra: dict[str, Any]
    maxTimeoutSeconds: int
    network: str
    payTo: str
    scheme: str


class PaidResource(TypedDict):
    """What the payment is for."""

    description: str
    mimeType: str
    url: str


class PaymentProblem(TypedDict):
    """Nothing pays for the session yet; the same is in the header PAYMENT-REQUIRED, in base64."""

    accepts: NotRequired[list[PaymentOption]]
    code: str
    detail: str
    errors: NotRequired[list[FieldProblem]]
    instance: str
    request_id: str
    resource: NotRequired[PaidResource]
    status: int
    title: str
    type: str
    x402Version: NotRequired[int]


class AssetTotal(TypedDict):
    """What a session cost in one asset."""

    amount_units: str
    asset: str
    decimals: int


class TransactionOfSession(TypedDict):
    """One stretch of a session on one source: a permission, in ZEC, or an authorisation, in a token."""

    amount: Decimal
    amount_units: str
    asset: str
    authorization_id: str | None
    decimals: int
    duration_seconds: Decimal
    ended_at: str | None
    id: str
    permission_id: str | None
    rate_per_hour: Decimal | None
    rate_units_per_hour: str
    started_at: str
    status: Literal["open", "pending", "unknown", "submitted", "failed", "confirmed"]


class EndedSession(TypedDict):
    """What an ended session cost; `id` is its last transaction's."""

    amount: Decimal
    duration_minutes: int
    duration_seconds: Decimal
    end_reason: Literal[
        "ended_by_client",
        "exhausted",
        "permission_expired",
        "permission_revoked",
        "permission_suspended",
        "heartbeat_lost",
        "max_duration",
        "spending_cap",
        "pause_expired",
        "ended_by_operator",
        "authorization_expired",
        "authorization_revoked",
    ]
    id: str
    session_code: str
    session_id: str
    status: Literal["open", "pending", "unknown", "submitted", "failed", "confirmed"]
    totals: list[AssetTotal]
    transactions: list[TransactionOfSession]


class AliveSession(TypedDict):
    """A session that runs."""

    granted_until: str
    next_heartbeat_by: str | None
    session_code: str
    session_id: str


class PausedSession(TypedDict):
    """A session whose meter stands still."""

    amount: Decimal
    duration_seconds: Decimal
    paused_at: str
    resume_by: str
    session_code: str
    session_id: str
    status: Literal["paused"]


class ResumedSession(TypedDict):
    """A session that runs again."""

    depletes_at: str | None
    granted_until: str
    next_heartbeat_by: str | None
    rate_per_hour: Decimal
    session_code: str
    session_id: str
    status: Literal["active"]


class SessionState(TypedDict):
    """A session as it is at this moment."""

    amount: Decimal
    client_ref: str
    depletes_at: str | None
    duration_seconds: Decimal
    end_reason: (
        Literal[
            "ended_by_client",
            "exhausted",
            "permission_expired",
            "permission_revoked",
            "permission_suspended",
            "heartbeat_lost",
            "max_duration",
            "spending_cap",
            "pause_expired",
            "ended_by_operator",
            "authorization_expired",
            "authorization_revoked",
        ]
        | None
    )
    ended_at: str | None
    fallback: Fallback | None
    granted_until: str | None
    max_amount: Decimal | None
    next_heartbeat_by: str | None
    paused_at: str | None
    price_version: int | None
    rate_per_hour: Decimal | None
    resume_by: str | None
    session_code: str
    session_id: str
    started_at: str
    status: Literal["active", "paused", "ended"]
    token_price_version: int | None
    totals: list[AssetTotal]
    transactions: list[TransactionOfSession]
    user_wallet_address: str
    vendor_id: str
