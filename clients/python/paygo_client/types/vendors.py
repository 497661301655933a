"""What the calls of vendors answer. Written by clients/generate.py: do not edit."""

from decimal import Decimal
from typing import Literal, TypedDict

from paygo_client.types.common import (
    TokenEarningsState,
)


class VendorState(TypedDict):
    """A vendor."""

    created_at: str
    heartbeat_seconds: int | None
    is_active: bool
    name: str
    price_version: int | None
    rate_per_hour: Decimal | None
    token_price_version: int | None
    vendor_id: str


class VendorPage(TypedDict):
    """Some of a client's vendors."""

    next_after: str | None
    vendors: list[VendorState]


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


class PayoutTermsState(TypedDict):
    """How a vendor is paid."""

    fee_bps: int
    hold_hours: int
    payout_address: str | None
    payout_minimum: Decimal
    payout_not_before: str | None
    payout_schedule: Literal["manual", "daily", "weekly", "monthly"]
    vendor_id: str


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


class TokenPriceVersion(TypedDict):
    """One version of a vendor's prices in tokens: it sets that of one token, and never changes."""

    chain_id: int
    created_at: str
    rate_per_hour: str | None
    token: str
    vendor_id: str
    version: int


class TokenPricePage(TypedDict):
    """Some versions of a vendor's prices in tokens."""

    next_after: int | None
    prices: list[TokenPriceVersion]
