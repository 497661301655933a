"""Bodies of the calls about permissions: what they take, and what they answer.

The serializers of answers are for the schema; `render_*` makes the answers, and a test compares the two.
"""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from billing import dues
from billing.funding import Payment
from billing.live import LivePermission
from billing.refund_view import RefundView
from billing.rules import RefundStatus
from paygo.api.fields import (
    ChoiceField,
    MailAddressField,
    StrictSerializer,
    ViewersAddressField,
    WebAddressField,
    WholeField,
    ZecField,
)
from paygo.api.render import difference_of_hours, hours_number, instant, zec_number
from zcash.models import SpendingPermission
from zcash.rules import MOST_SESSIONS, PermissionStatus, SuspensionReason
from zcash.zip321 import payment_uri

_STATUSES = [each.value for each in PermissionStatus]


class PermissionRequest(StrictSerializer):
    """What a viewer asks for."""

    user_wallet_address = ViewersAddressField(
        help_text="The viewer's Zcash address; it identifies, it proves nothing."
    )
    requested_amount = ZecField(help_text="ZEC to be paid in.")
    rate_per_hour = ZecField(help_text="The most that an hour of streaming may cost, in ZEC.")
    duration_days = WholeField(low=1, high=settings.MAX_PERMISSION_DURATION_DAYS, required=False)
    refund_address = ViewersAddressField(
        required=False, help_text="Where unused money goes back to; the viewer's address without one."
    )
    return_url = WebAddressField(
        required=False, help_text="Where the checkout page sends the viewer once the permission is paid."
    )
    notify_email = MailAddressField(
        required=False,
        help_text="Who is told by mail of little left, the end and the refund; a link in each ends them.",
    )
    max_sessions = WholeField(
        low=1,
        high=min(settings.MAX_SESSIONS_PER_WALLET, MOST_SESSIONS),
        required=False,
        help_text="How many sessions may run on it at once; as many as a wallet may have without one.",
    )


class RefundAddressRequest(StrictSerializer):
    """Where unused money goes back to."""

    refund_address = ViewersAddressField()


class CreatedPermission(serializers.Serializer[Any]):
    """A new permission and how to pay it."""

    permission_id = serializers.UUIDField()
    status = ChoiceField([PermissionStatus.PENDING.value])
    max_streaming_hours = serializers.FloatField()
    max_sessions = serializers.IntegerField(
        allow_null=True, help_text="How many sessions may run at once; null: as many as a wallet may have"
    )
    expires_at = serializers.DateTimeField()
    payment_address = serializers.CharField()
    amount_to_pay = serializers.FloatField(help_text="ZEC")
    payment_uri = serializers.CharField(help_text="ZIP-321; what a QR code shows")
    checkout_url = serializers.URLField(
        help_text="The viewer's page: how to pay, and how far the payment is. Whoever has it can see that."
    )
    pay_before = serializers.DateTimeField()


class PaymentState(serializers.Serializer[Any]):
    """How far the payment is; amounts in ZEC."""

    required = serializers.FloatField()  # type: ignore[assignment]
    received = serializers.FloatField(help_text="Seen, confirmed or not")
    confirmed = serializers.FloatField(help_text="Credited")
    missing = serializers.FloatField(help_text="Not even seen yet")
    confirmations = serializers.IntegerField()
    required_confirmations = serializers.IntegerField(
        help_text="By the operator's policy for the amount received lately"
    )
    quarantined = serializers.BooleanField(help_text="The wallet is being repaired; crediting waits for it")


class RefundState(serializers.Serializer[Any]):
    """What becomes of the money that an ended permission has left; amounts in ZEC."""

    status = ChoiceField([*[each.value for each in RefundStatus], "below_minimum", "waiting"])
    refund_id = serializers.UUIDField(allow_null=True)
    amount = serializers.FloatField(help_text="What arrives, or would arrive")
    fee = serializers.FloatField(help_text="The conventional fee (ZIP-317), fixed when the refund is queued")
    minimum = serializers.FloatField(help_text="The least that is sent; less stays claimable")
    address = serializers.CharField()
    not_before = serializers.DateTimeField(allow_null=True)
    txids = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField()


class VerifiedPermission(serializers.Serializer[Any]):
    """A permission after a look at the chain."""

    id = serializers.UUIDField()
    status = ChoiceField(_STATUSES)
    remaining_amount = serializers.FloatField(help_text="ZEC")
    remaining_hours = serializers.FloatField()
    expires_at = serializers.DateTimeField()
    payment = PaymentState()
    payment_uri = serializers.CharField(allow_null=True, help_text="ZIP-321, of what is still to be paid")


class PermissionState(serializers.Serializer[Any]):
    """A permission as it is at this moment."""

    permission_id = serializers.UUIDField()
    status = ChoiceField(_STATUSES)
    remaining_amount = serializers.FloatField(help_text="ZEC")
    remaining_hours = serializers.FloatField()
    used_hours = serializers.FloatField()
    expires_at = serializers.DateTimeField()
    rate_per_hour = serializers.FloatField(help_text="ZEC")
    max_sessions = serializers.IntegerField(
        allow_null=True, help_text="How many sessions may run at once; null: as many as a wallet may have"
    )
    open_sessions = serializers.IntegerField()
    suspended_for = ChoiceField(
        [each.value for each in SuspensionReason], allow_null=True, help_text="Why it is on hold"
    )
    refund_address = serializers.CharField()
    refunded_amount = serializers.FloatField(help_text="ZEC that have left for refunds, fees included")
    payment = PaymentState()
    payment_uri = serializers.CharField(
        allow_null=True, help_text="ZIP-321, of what is still to be paid; null where nothing is"
    )
    refund = RefundState(allow_null=True)


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
    max_sessions = serializers.IntegerField(
        allow_null=True, help_text="How many sessions may run at once; null: as many as a wallet may have"
    )


def render_created(permission: SpendingPermission, *, checkout_url: str) -> dict[str, Any]:
    """Return the answer to the creation, nothing that another day changes: a repetition gets the same."""
    return {
        "permission_id": str(permission.public_id),
        "status": PermissionStatus.PENDING.value,
        "max_streaming_hours": _hours(permission, permission.requested_zat),
        "max_sessions": permission.max_sessions,
        "expires_at": instant(permission.expires_at),
        "payment_address": permission.payment_address,
        "amount_to_pay": zec_number(permission.requested_zat),
        "payment_uri": payment_uri(permission.payment_address, amount_zat=permission.requested_zat),
        "checkout_url": checkout_url,
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
        "payment": _payment(payment),
        "payment_uri": _due_uri(permission, payment),
    }


def render_state(live: LivePermission, payment: Payment, refund: RefundView | None) -> dict[str, Any]:
    """Return a permission as it is at this moment, how far its payment is, and what is refunded."""
    permission = live.permission
    return {
        "permission_id": str(permission.public_id),
        "status": permission.status,
        "remaining_amount": zec_number(live.remaining_zat),
        "remaining_hours": _hours(permission, live.remaining_zat),
        "used_hours": _used_hours(live),
        "expires_at": instant(permission.expires_at),
        "rate_per_hour": zec_number(permission.rate_zat_per_hour),
        "max_sessions": permission.max_sessions,
        "open_sessions": live.open_sessions,
        "suspended_for": permission.suspended_for,
        "refund_address": permission.refunds_to,
        "refunded_amount": zec_number(permission.refunded_zat),
        "payment": _payment(payment),
        "payment_uri": _due_uri(permission, payment),
        "refund": _refund(refund) if refund else None,
    }


def _due_uri(permission: SpendingPermission, payment: Payment) -> str | None:
    due = dues.of_permission(permission, missing_zat=payment.missing_zat)
    return due.uri if due else None


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "required": zec_number(payment.required_zat),
        "received": zec_number(payment.received_zat),
        "confirmed": zec_number(payment.confirmed_zat),
        "missing": zec_number(payment.missing_zat),
        "confirmations": payment.confirmations,
        "required_confirmations": payment.required_confirmations,
        "quarantined": payment.quarantined,
    }


def _refund(refund: RefundView) -> dict[str, Any]:
    return {
        "status": refund.status,
        "refund_id": str(refund.refund_id) if refund.refund_id else None,
        "amount": zec_number(refund.paid_zat),
        "fee": zec_number(refund.fee_zat),
        "minimum": zec_number(refund.minimum_zat),
        "address": refund.address,
        "not_before": instant(refund.not_before) if refund.not_before else None,
        "txids": list(refund.txids),
        "reason": refund.reason,
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
        "max_sessions": permission.max_sessions,
    }


def _hours(permission: SpendingPermission, amount_zat: int) -> float:
    return hours_number(amount_zat, rate_zat_per_hour=permission.rate_zat_per_hour)


def _used_hours(live: LivePermission) -> float:
    """Return the approved hours less those that remain or were refunded; what is not paid yet is not used."""
    permission = live.permission
    if permission.status == PermissionStatus.PENDING:
        return 0.0
    return difference_of_hours(
        permission.approved_zat - permission.refunded_zat + permission.shortfall_zat,
        live.remaining_zat,
        rate_zat_per_hour=live.permission.rate_zat_per_hour,
    )
