"""Bodies of the calls about vendors: what they take, and what they answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rest_framework import serializers

from billing.token_prices import TokenPriceRecord
from paygo.api.ethereum_fields import EthereumAddressField, UnitsTextField
from paygo.api.fields import (
    StrictSerializer,
    VendorIdField,
    VendorNameField,
    WholeField,
    WholeTextField,
    ZecField,
)
from paygo.api.render import instant, zec_or_none
from sessions_app.vendors import PriceRecord, VendorRecord

_LIMIT, _MOST = 50, 100
_RATE = "ZEC an hour of streaming costs; null: what the viewer's permission allows."
_UNITS = (
    "What an hour costs in the token's smallest unit, a text; null: what the viewer's authorization says. "
    "A viewer who has signed for less cannot stream here with that."
)
_NEXT = "`after` of the next page; null: this is the last one"


class VendorRequest(StrictSerializer):
    """A new vendor."""

    vendor_id = VendorIdField(help_text="What `POST /api/v1/sessions` names; unique for the client.")
    name = VendorNameField()
    rate_per_hour = ZecField(required=False, allow_null=True, help_text=_RATE)
    heartbeat_seconds = WholeField(
        low=5,
        high=3600,
        required=False,
        allow_null=True,
        help_text="End its sessions after so many seconds of silence.",
    )


class PriceRequest(StrictSerializer):
    """What a vendor costs from now on."""

    rate_per_hour = ZecField(allow_null=True, help_text=_RATE)


class TokenPriceRequest(StrictSerializer):
    """What a vendor costs in one token from now on."""

    chain_id = WholeField(low=1, high=2**53)
    token = EthereumAddressField(help_text="The token's contract, one that the operator accepts")
    rate_per_hour = UnitsTextField(allow_null=True, help_text=_UNITS)


class VendorsQuery(StrictSerializer):
    """Which of a client's vendors, in order of their ids."""

    limit = WholeTextField(low=1, high=_MOST, default=_LIMIT, help_text="Vendors on a page.")
    after = VendorIdField(required=False, help_text="Those after this one.")


class PricesQuery(StrictSerializer):
    """Which versions of a vendor's price, latest first."""

    limit = WholeTextField(low=1, high=_MOST, default=_LIMIT, help_text="Versions on a page.")
    after = WholeTextField(low=1, high=999_999_999, required=False, help_text="Those before this version.")


class VendorState(serializers.Serializer[Any]):
    """A vendor."""

    vendor_id = serializers.CharField()
    name = serializers.CharField()
    rate_per_hour = serializers.FloatField(allow_null=True, help_text=_RATE)
    price_version = serializers.IntegerField(allow_null=True, help_text="The current one's")
    heartbeat_seconds = serializers.IntegerField(allow_null=True)
    is_active = serializers.BooleanField(help_text="Whether it takes new sessions")
    created_at = serializers.DateTimeField()
    token_price_version = serializers.IntegerField(
        allow_null=True, help_text="The latest of its prices in tokens; null: it has none"
    )


class PriceVersion(serializers.Serializer[Any]):
    """One version of a vendor's price; it never changes."""

    vendor_id = serializers.CharField()
    version = serializers.IntegerField()
    rate_per_hour = serializers.FloatField(allow_null=True, help_text=_RATE)
    created_at = serializers.DateTimeField(help_text="Sessions that start from then on cost this")


class TokenPriceVersion(serializers.Serializer[Any]):
    """One version of a vendor's prices in tokens: it sets that of one token, and never changes."""

    vendor_id = serializers.CharField()
    version = serializers.IntegerField(help_text="Counted over all its tokens")
    chain_id = serializers.IntegerField()
    token = serializers.CharField()
    rate_per_hour = serializers.CharField(allow_null=True, help_text=_UNITS)
    created_at = serializers.DateTimeField(help_text="Sessions that start from then on cost this")


class VendorPage(serializers.Serializer[Any]):
    """Some of a client's vendors."""

    vendors = VendorState(many=True)
    next_after = serializers.CharField(allow_null=True, help_text=_NEXT)


class PricePage(serializers.Serializer[Any]):
    """Some versions of a vendor's price."""

    prices = PriceVersion(many=True)
    next_after = serializers.IntegerField(allow_null=True, help_text=_NEXT)


class TokenPricePage(serializers.Serializer[Any]):
    """Some versions of a vendor's prices in tokens."""

    prices = TokenPriceVersion(many=True)
    next_after = serializers.IntegerField(allow_null=True, help_text=_NEXT)


def render_vendor(vendor: VendorRecord) -> dict[str, Any]:
    """Return a vendor."""
    return {
        "vendor_id": vendor.vendor_id,
        "name": vendor.name,
        "rate_per_hour": zec_or_none(vendor.price_zat_per_hour),
        "price_version": vendor.price_version,
        "heartbeat_seconds": vendor.heartbeat_seconds,
        "is_active": vendor.is_active,
        "created_at": _instant(vendor.created_at),
        "token_price_version": vendor.token_price_version,
    }


def render_price(price: PriceRecord) -> dict[str, Any]:
    """Return a version of a price."""
    return {
        "vendor_id": price.vendor_id,
        "version": price.version,
        "rate_per_hour": zec_or_none(price.price_zat_per_hour),
        "created_at": _instant(price.created_at),
    }


def render_token_price(price: TokenPriceRecord) -> dict[str, Any]:
    """Return a version of a vendor's prices in tokens."""
    return {
        "vendor_id": price.vendor_id,
        "version": price.version,
        "chain_id": price.chain_id,
        "token": price.token,
        "rate_per_hour": price.price_units_per_hour,
        "created_at": _instant(price.created_at),
    }


def render_vendors(found: Sequence[VendorRecord], *, limit: int) -> dict[str, Any]:
    """Return a page of vendors out of one more than it has room for."""
    shown = found[:limit]
    more = len(found) > limit
    return {
        "vendors": [render_vendor(each) for each in shown],
        "next_after": shown[-1].vendor_id if more else None,
    }


def render_prices(found: Sequence[PriceRecord], *, limit: int) -> dict[str, Any]:
    """Return a page of versions out of one more than it has room for."""
    shown = found[:limit]
    more = len(found) > limit
    return {
        "prices": [render_price(each) for each in shown],
        "next_after": shown[-1].version if more else None,
    }


def render_token_prices(found: Sequence[TokenPriceRecord], *, limit: int) -> dict[str, Any]:
    """Return a page of versions out of one more than it has room for."""
    shown = found[:limit]
    more = len(found) > limit
    return {
        "prices": [render_token_price(each) for each in shown],
        "next_after": shown[-1].version if more else None,
    }


def _instant(text: str) -> str:
    return instant(datetime.fromisoformat(text))
