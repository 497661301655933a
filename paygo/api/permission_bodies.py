"""Bodies of the calls about permissions: what they take, and what they answer.

The serializers of answers are for the schema; `render_*` makes the answers, and a test compares the two.
"""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from billing.funding import Payment
from billing.live import LivePermission
from paygo.api.fields import AddressField, ChoiceField, StrictSerializer, WholeField, ZecField
from paygo.api.render import difference_of_hours, hours_number, instant, zec_number
from zcash.models import SpendingPermission
from zcash.rules import PermissionStatus
from zcash.zip321 import payment_uri

_STATUSES = [each.value for each in PermissionStatus]


class PermissionRequest(StrictSerializer):
    """What a viewer asks for."""

    user_wallet_address = AddressField(
        help_text="The viewer's Zcash address; it identifies, it proves nothing."
    )
    requested_amount = ZecField(help_text="ZEC to be paid in.")
    rate_per_hour = ZecField(help_text="The most that an hour of streaming may cost, in ZEC.")
    duration_days = WholeField(low=1, high=settings.MAX_PERMISSION_DURATION_DAYS, required=False)


class CreatedPermission(serializers.Serializer[Any]):
    """A new permission and how to pay it."""

    permission_id = serializers.UUIDField()
    status = ChoiceField([PermissionStatus.PENDING.value])
    max_streaming_hours = serializers.FloatField()
    expires_at = serializers.DateTimeField()
    payment_address = serializers.CharField()
    amount_to_pay = serializers.FloatField(help_text="ZEC")
    payment_uri = serializers.CharField(help_text="ZIP-321; what a QR code shows")
    pay_before = serializers.DateTimeField()


class PaymentState(serializers.Serializer[Any]):
    """How far the payment is; amounts in ZEC."""

    required = serializers.FloatField()  # type: ignore[assignment]
    received = serializers.FloatField(help_text="Seen, confirmed or not")
    confirmed = serializers.FloatField(help_text="Credited")
    missing = serializers.FloatField(help_text="Not even seen yet")
    confirmations = serializers.IntegerField()
    required_confirmations = serializers.IntegerField()


class VerifiedPermission(serializers.Serializer[Any]):
    """A permission after a look at the chain."""

    id = serializers.UUIDField()
    status = ChoiceField(_STATUSES)
    remaining_amount = serializers.FloatField(help_text="ZEC")
    remaining_hours = serializers.FloatField()
    expires_at = serializers.DateTimeField()
    payment = PaymentState()


class PermissionState(serializers.Serializer[Any]):
    """A permission as it is at this moment."""

    permission_id = serializers.UUIDField()
    status = ChoiceField(_STATUSES)
    remaining_amount = serializers.FloatField(help_text="ZEC")
    remaining_hours = serializers.FloatField()
    used_hours = serializers.FloatField()
    expires_at = serializers.DateTimeField()
    rate_per_hour = serializers.FloatField(help_text="ZEC")
    open_sessions = serializers.IntegerField()


class WalletPermission(serializers.Serializer[Any]):
    """The active permission of a wallet."""

    id = serializers.UUIDField()
    user_wallet_address = serializers.CharField()
    approved_amount = serializers.FloatField(help_text="ZEC")
    remaining_amount = serializers.FloatField(help_text="ZEC")
    status = ChoiceField(_STATUSES)
    max_streaming_hours = serializers.FloatField()
    used_streaming_hours = serializers.FloatField()
    expires_at = serializers.DateTimeField()
    rate_per_hour = serializers.FloatField(help_text="ZEC")


def render_created(permission: SpendingPermission) -> dict[str, Any]:
    """Return the answer to the creation: only what never changes, so that a repetition gets the same."""
    return {
        "permission_id": str(permission.public_id),
        "status": PermissionStatus.PENDING.value,
        "max_streaming_hours": _hours(permission, permission.requested_zat),
        "expires_at": instant(permission.expires_at),
        "payment_address": permission.payment_address,
        "amount_to_pay": zec_number(permission.requested_zat),
        "payment_uri": payment_uri(permission.payment_address, amount_zat=permission.requested_zat),
        "pay_before": instant(permission.pay_before),
    }


def render_verified(permission: SpendingPermission, payment: Payment) -> dict[str, Any]:
    """Return a permission that was just settled, and how far its payment is."""
    return {
        "id": str(permission.public_id),
        "status": permission.status,
        "remaining_amount": zec_number(permission.remaining_zat),
        "remaining_hours": _hours(permission, permission.remaining_zat),
        "expires_at": instant(permission.expires_at),
        "payment": {
            "required": zec_number(payment.required_zat),
            "received": zec_number(payment.received_zat),
            "confirmed": zec_number(payment.confirmed_zat),
            "missing": zec_number(payment.missing_zat),
            "confirmations": payment.confirmations,
            "required_confirmations": payment.required_confirmations,
        },
    }


def render_state(live: LivePermission) -> dict[str, Any]:
    """Return a permission as it is at this moment."""
    permission = live.permission
    return {
        "permission_id": str(permission.public_id),
        "status": permission.status,
        "remaining_amount": zec_number(live.remaining_zat),
        "remaining_hours": _hours(permission, live.remaining_zat),
        "used_hours": _used_hours(live),
        "expires_at": instant(permission.expires_at),
        "rate_per_hour": zec_number(permission.rate_zat_per_hour),
        "open_sessions": live.open_sessions,
    }


def render_of_wallet(live: LivePermission) -> dict[str, Any]:
    """Return a wallet's active permission as it is at this moment."""
    permission = live.permission
    return {
        "id": str(permission.public_id),
        "user_wallet_address": permission.wallet_address,
        "approved_amount": zec_number(permission.approved_zat),
        "remaining_amount": zec_number(live.remaining_zat),
        "status": permission.status,
        "max_streaming_hours": _hours(permission, permission.approved_zat),
        "used_streaming_hours": _used_hours(live),
        "expires_at": instant(permission.expires_at),
        "rate_per_hour": zec_number(permission.rate_zat_per_hour),
    }


def _hours(permission: SpendingPermission, amount_zat: int) -> float:
    return hours_number(amount_zat, rate_zat_per_hour=permission.rate_zat_per_hour)


def _used_hours(live: LivePermission) -> float:
    """Return the approved hours less those that remain; what is not paid yet is not used."""
    if live.permission.status == PermissionStatus.PENDING:
        return 0.0
    return difference_of_hours(
        live.permission.approved_zat,
        live.remaining_zat,
        rate_zat_per_hour=live.permission.rate_zat_per_hour,
    )
