"""Bodies of the calls about what vendors have earned and are paid."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.conf import settings
from rest_framework import serializers

from billing.earnings import Earnings, TokenEarnings
from billing.payout_records import PayoutRecord
from billing.payouts import minimum_zat
from billing.rules import RefundStatus
from paygo.api.fields import ChoiceField, StrictSerializer, ViewersAddressField, WholeTextField, ZecField
from paygo.api.render import instant, instant_or_none, zec_number
from sessions_app.models import Vendor
from sessions_app.rules import PayoutSchedule

_LIMIT, _MOST = 50, 100
_SCHEDULES = [each.value for each in PayoutSchedule]


class PayoutTermsRequest(StrictSerializer):
    """Where a vendor's earnings go to, when, and from which amount on."""

    payout_address = ViewersAddressField(allow_null=True, help_text="null: nothing is paid out.")
    payout_schedule = ChoiceField(_SCHEDULES)
    payout_minimum = ZecField(
        required=False,
        allow_null=True,
        help_text="ZEC, fee included, of a payout by schedule; null: the default",
    )


class PayoutsQuery(StrictSerializer):
    """Which of a vendor's payouts, latest first."""

    limit = WholeTextField(low=1, high=_MOST, default=_LIMIT, help_text="Payouts on a page.")
    after = WholeTextField(low=1, high=999_999_999, required=False, help_text="Those before this number.")


class PayoutTermsState(serializers.Serializer[Any]):
    """How a vendor is paid."""

    vendor_id = serializers.CharField()
    payout_address = serializers.CharField(allow_null=True)
    payout_schedule = ChoiceField(_SCHEDULES)
    payout_minimum = serializers.FloatField(help_text="ZEC")
    payout_not_before = serializers.DateTimeField(
        allow_null=True, help_text="A new address is not paid before then"
    )
    fee_bps = serializers.IntegerField(help_text="The platform's share, in hundredths of a percent")
    hold_hours = serializers.IntegerField(help_text="For so long earnings are pending")


class TokenEarningsState(serializers.Serializer[Any]):
    """What a vendor has earned in a token, in its smallest unit: `earned` less `fees` is the rest."""

    asset = serializers.CharField(help_text="The token's symbol")
    earned_units = serializers.CharField()
    fees_units = serializers.CharField()
    pending_units = serializers.CharField(help_text="Not collected from the viewers' wallets yet")
    paid_units = serializers.CharField(help_text="By hand, as the operator has written it down")
    owed_units = serializers.CharField(help_text="The operator pays it by hand: payouts are in ZEC")


class EarningsState(PayoutTermsState):
    """What a vendor has earned: `earned` less `fees` is pending, available, under way or paid."""

    earned = serializers.FloatField(help_text="ZEC of all streams that have ended")
    fees = serializers.FloatField(help_text="ZEC that the platform keeps of it")
    pending = serializers.FloatField()
    available = serializers.FloatField(help_text="The next payout, fee included")
    under_way = serializers.FloatField()
    paid = serializers.FloatField(help_text="Network fees included")
    tokens = TokenEarningsState(many=True, help_text="What was earned beside ZEC, each token by itself")


class PayoutState(serializers.Serializer[Any]):
    """A payout; its statement is the vendor's from `earned_from` until `earned_until`."""

    payout_id = serializers.UUIDField()
    vendor_id = serializers.CharField()
    number = serializers.IntegerField()
    status = ChoiceField([each.value for each in RefundStatus])
    address = serializers.CharField()
    amount = serializers.FloatField(help_text="ZEC that arrive")
    fee = serializers.FloatField(help_text="ZEC of the network's fee")
    earned_from = serializers.DateTimeField(allow_null=True)
    earned_until = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    not_before = serializers.DateTimeField()
    txids = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField(help_text="Why it failed or waits")


class PayoutPage(serializers.Serializer[Any]):
    """Some of a vendor's payouts."""

    payouts = PayoutState(many=True)
    next_after = serializers.IntegerField(allow_null=True, help_text="`after` of the next page")


def render_terms(vendor: Vendor) -> dict[str, Any]:
    """Return how a vendor is paid."""
    return {
        "vendor_id": vendor.slug,
        "payout_address": vendor.payout_address,
        "payout_schedule": vendor.payout_schedule,
        "payout_minimum": zec_number(minimum_zat(vendor)),
        "payout_not_before": instant_or_none(vendor.payout_not_before),
        "fee_bps": vendor.fee_bps,
        "hold_hours": settings.PAYOUT_HOLD_HOURS,
    }


def render_earnings(vendor: Vendor, earned: Earnings, tokens: Sequence[TokenEarnings]) -> dict[str, Any]:
    """Return what a vendor has earned, and how it is paid."""
    return {
        **render_terms(vendor),
        "earned": zec_number(earned.earned_zat),
        "fees": zec_number(earned.fees_zat),
        "pending": zec_number(earned.pending_zat),
        "available": zec_number(earned.available_zat),
        "under_way": zec_number(earned.under_way_zat),
        "paid": zec_number(earned.paid_zat),
        "tokens": render_tokens(tokens),
    }


def render_tokens(tokens: Sequence[TokenEarnings]) -> list[dict[str, str]]:
    """Return what a vendor has earned in tokens; numbers of smallest units are no JSON numbers."""
    return [{name: str(value) for name, value in asdict(each).items()} for each in tokens]


def render_payout(payout: PayoutRecord) -> dict[str, Any]:
    """Return a payout."""
    return {
        "payout_id": payout.payout_id,
        "vendor_id": payout.vendor_id,
        "number": payout.number,
        "status": payout.status,
        "address": payout.address,
        "amount": zec_number(payout.amount_zat - payout.fee_zat),
        "fee": zec_number(payout.fee_zat),
        "earned_from": _instant(payout.earned_from) if payout.earned_from else None,
        "earned_until": _instant(payout.earned_until),
        "created_at": _instant(payout.created_at),
        "not_before": _instant(payout.not_before),
        "txids": list(payout.txids),
        "reason": payout.reason,
    }


def render_payouts(found: Sequence[PayoutRecord], *, limit: int) -> dict[str, Any]:
    """Return a page of payouts out of one more than it has."""
    shown = found[:limit]
    return {
        "payouts": [render_payout(each) for each in shown],
        "next_after": shown[-1].number if len(found) > len(shown) else None,
    }


def _instant(text: str) -> str:
    return instant(datetime.fromisoformat(text))
