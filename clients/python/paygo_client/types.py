"""What the API answers. Written by clients/generate.py: do not edit."""

from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict


class AliveSession(TypedDict):
    """A session that runs."""

    granted_until: str
    next_heartbeat_by: str | None
    session_code: str
    session_id: str


class AssetTotal(TypedDict):
    """What a session cost in one asset."""

    amount_units: str
    asset: str
    decimals: int


class AttemptState(TypedDict):
    """One request, and what came back."""

    duration_ms: int
    error: str
    number: int
    request_headers: dict[str, Any]
    response_body: str
    response_status: int | None
    started_at: str
    url: str


class AuthorizationSignatures(TypedDict):
    """What the viewer's wallet has signed."""

    permit_signature: NotRequired[str]
    signature: str


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
    privacy_note: str
    rate_per_hour: str
    spendable: str
    spender: str
    status: Literal["pending", "active", "exhausted", "expired", "revoked", "suspended"]
    suspended_for: str | None
    token: str
    token_symbol: str
    wallet_address: str


class LastKnownBalance(TypedDict):
    """What the chain said last, at most an hour ago."""

    as_of: str
    stale: bool
    transparent_balance: Decimal


class FieldProblem(TypedDict):
    """What is wrong with one field."""

    code: str
    detail: str
    field: str


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


class DeletedEndpoint(TypedDict):
    """An endpoint that is no more."""

    endpoint_id: str


class DeliveryState(TypedDict):
    """One event on its way to one endpoint."""

    attempts: int
    created_at: str
    delivery_id: str
    event_id: str
    finished_at: str | None
    is_redelivery: bool
    next_attempt_at: str | None
    status: Literal["pending", "delivered", "failed"]
    type: str


class DeliveryPage(TypedDict):
    """Some deliveries to an endpoint, newest first."""

    deliveries: list[DeliveryState]
    next_after: str | None


class DeliveryWithLog(TypedDict):
    """A delivery, what is sent, and every attempt at it."""

    attempts: int
    created_at: str
    delivery_id: str
    event_id: str
    finished_at: str | None
    is_redelivery: bool
    log: list[AttemptState]
    next_attempt_at: str | None
    request_body: str
    status: Literal["pending", "delivered", "failed"]
    type: str


class TokenEarningsState(TypedDict):
    """What a vendor has earned in a token, in its smallest unit: `earned` less `fees` is paid or owed."""

    asset: str
    earned_units: str
    fees_units: str
    owed_units: str
    paid_units: str


class EarningsState(TypedDict):
    """What a vendor has earned: `earned` less `fees` is pending, available, under way or paid."""

    available: Decimal
    earned: Decimal
    fee_bps: int
    fees: Decimal
    hold_hours: int
    paid: Decimal
    payout_address: str | None
    payout_minimum: Decimal
    payout_not_before: str | None
    payout_schedule: Literal["manual", "daily", "weekly", "monthly"]
    pending: Decimal
    tokens: list[TokenEarningsState]
    under_way: Decimal
    vendor_id: str


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
        "authorization_suspended",
    ]
    id: str
    session_code: str
    session_id: str
    status: Literal["open", "pending", "unknown", "submitted", "failed", "confirmed"]
    totals: list[AssetTotal]
    transactions: list[TransactionOfSession]


class EndpointState(TypedDict):
    """A webhook endpoint."""

    created_at: str
    description: str
    disabled_reason: Literal["client", "failing", "gone"] | None
    endpoint_id: str
    failing_since: str | None
    previous_secret_until: str | None
    status: Literal["enabled", "disabled"]
    types: list[str]
    url: str


class EndpointList(TypedDict):
    """A client's webhook endpoints."""

    endpoints: list[EndpointState]


class EndpointWithSecret(TypedDict):
    """A webhook endpoint with the secret that it verifies by."""

    created_at: str
    description: str
    disabled_reason: Literal["client", "failing", "gone"] | None
    endpoint_id: str
    failing_since: str | None
    previous_secret_until: str | None
    secret: str
    status: Literal["enabled", "disabled"]
    types: list[str]
    url: str


class EventState(TypedDict):
    """An event; a webhook's body is one, and a stream's data. It never changes."""

    data: dict[str, Any]
    id: str
    position: int
    sequence: int
    subject: str
    timestamp: str
    type: str


class EventPage(TypedDict):
    """Some of a client's events, in order."""

    events: list[EventState]
    has_more: bool
    next_after: int


class Fallback(TypedDict):
    """What a stream goes on with when ZEC is used up, and what that tells the public."""

    asset: str
    privacy_note: str


class Part(TypedDict):
    """One thing that PayGo needs; more members say how it is."""

    detail: NotRequired[str]
    ok: bool


class HealthState(TypedDict):
    """Every part, checked within the last 2 s."""

    billing: Part
    books: Part
    broker: Part
    cache: Part
    clock: Part
    database: Part
    deposits: Part
    events: Part
    failing: list[
        Literal[
            "database",
            "cache",
            "broker",
            "node",
            "wallet",
            "billing",
            "deposits",
            "refunds",
            "events",
            "books",
            "clock",
        ]
    ]
    node: Part
    refunds: Part
    status: Literal["ok", "degraded"]
    wallet: Part


class KeyState(TypedDict):
    """A key, without what makes it one."""

    created_at: str
    expires_at: str | None
    is_caller: bool
    last_used_at: str | None
    name: str
    prefix: str
    revoked_at: str | None
    scopes: list[str]


class KeyList(TypedDict):
    """A client's keys, newest first, at most 200."""

    keys: list[KeyState]


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
            "authorization_suspended",
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
    user_wallet_address: str
    vendor_id: str


class MadePayerLink(TypedDict):
    """A link for one viewer; it opens once."""

    ends_at: str
    may_change_refund_address: bool
    open_before: str
    payer_url: str


class NoFault(TypedDict):
    """The fault that is on; null: none."""

    kind: (
        Literal[
            "slow",
            "hang",
            "half",
            "not_json",
            "huge",
            "redirect",
            "wrong_chain",
            "syncing",
            "reset_before",
            "reset_after",
            "server_error",
            "warming_up",
        ]
        | None
    )


class PaidResource(TypedDict):
    """What the payment is for."""

    description: str
    mimeType: str
    url: str


class PausedSession(TypedDict):
    """A session whose meter stands still."""

    amount: Decimal
    duration_seconds: Decimal
    paused_at: str
    resume_by: str
    session_code: str
    session_id: str
    status: Literal["paused"]


class PaymentOption(TypedDict):
    """One way to pay, in x402's fields."""

    amount: str
    asset: str
    extra: dict[str, Any]
    maxTimeoutSeconds: int
    network: str
    payTo: str
    scheme: str


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


class PaymentState(TypedDict):
    """How far the payment is; amounts in ZEC."""

    confirmations: int
    confirmed: Decimal
    missing: Decimal
    quarantined: bool
    received: Decimal
    required: Decimal
    required_confirmations: int


class PayoutState(TypedDict):
    """A payout; its statement is the vendor's from `earned_from` until `earned_until`."""

    address: str
    amount: Decimal
    created_at: str
    earned_from: str | None
    earned_until: str
    fee: Decimal
    not_before: str
    number: int
    payout_id: str
    reason: str
    status: Literal["queued", "sending", "unknown", "sent", "confirmed", "failed", "cancelled"]
    txids: list[str]
    vendor_id: str


class PayoutPage(TypedDict):
    """Some of a vendor's payouts."""

    next_after: int | None
    payouts: list[PayoutState]


class PayoutTermsState(TypedDict):
    """How a vendor is paid."""

    fee_bps: int
    hold_hours: int
    payout_address: str | None
    payout_minimum: Decimal
    payout_not_before: str | None
    payout_schedule: Literal["manual", "daily", "weekly", "monthly"]
    vendor_id: str


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


class PriceVersion(TypedDict):
    """One version of a vendor's price; it never changes."""

    created_at: str
    rate_per_hour: Decimal | None
    vendor_id: str
    version: int


class PricePage(TypedDict):
    """Some versions of a vendor's price."""

    next_after: int | None
    prices: list[PriceVersion]


class ProblemDocument(TypedDict):
    """RFC 9457; `code` is stable, a 402 has members of its own that say what is missing."""

    code: str
    detail: str
    errors: NotRequired[list[FieldProblem]]
    instance: str
    request_id: str
    status: int
    title: str
    type: str


class ResumedSession(TypedDict):
    """A session that runs again."""

    depletes_at: str | None
    granted_until: str
    next_heartbeat_by: str | None
    rate_per_hour: Decimal
    session_code: str
    session_id: str
    status: Literal["active"]


class RevokedPayerLinks(TypedDict):
    """How many links and open pages have been closed."""

    revoked: int


class RotatedKey(TypedDict):
    """A new key in the place of the one that called."""

    expires_at: str | None
    key: str
    old_key_expires_at: str
    prefix: str
    scopes: list[str]


class SandboxTime(TypedDict):
    """What time it is in the sandbox from now on."""

    now: str


class SessionPageState(TypedDict):
    """Some of a client's sessions."""

    next_after: str | None
    sessions: list[ListedSessionState]


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
            "authorization_suspended",
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
    totals: list[AssetTotal]
    transactions: list[TransactionOfSession]
    user_wallet_address: str
    vendor_id: str


class SimulatedPayment(TypedDict):
    """A payment; `verify`, or the watcher within DEPOSIT_SCAN_SECONDS, finds it."""

    amount: Decimal
    payment_address: str
    txid: str


class SimulatedTip(TypedDict):
    """The last block of the chain."""

    tip_hash: str


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


class StretchState(TypedDict):
    """A stretch of a session on one permission."""

    duration_seconds: Decimal
    ended_at: str | None
    rate_per_hour: Decimal
    session_code: str
    started_at: str
    transaction_id: str


class StatementLine(TypedDict):
    """One movement of money."""

    amount: Decimal
    at: str
    balance: Decimal
    booked_at: str | None
    cause: dict[str, Any]
    kind: str
    stretch: StretchState | None


class StatementState(TypedDict):
    """A page of a statement; `opening` and the lines' amounts add up to `closing`."""

    account: str
    closing: Decimal
    lines: list[StatementLine]
    name: str
    next_after: int | None
    opening: Decimal
    since: str | None
    tokens: list[TokenEarningsState]
    until: str | None


class VendorState(TypedDict):
    """A vendor."""

    created_at: str
    heartbeat_seconds: int | None
    is_active: bool
    name: str
    price_version: int | None
    rate_per_hour: Decimal | None
    vendor_id: str


class VendorPage(TypedDict):
    """Some of a client's vendors."""

    next_after: str | None
    vendors: list[VendorState]


class VerifiedPermission(TypedDict):
    """A permission after a look at the chain."""

    expires_at: str
    id: str
    payment: PaymentState
    payment_uri: str | None
    remaining_amount: Decimal
    remaining_hours: Decimal
    status: Literal["pending", "queued", "active", "exhausted", "suspended", "expired", "revoked", "lapsed"]


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
