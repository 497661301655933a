"""Payouts to vendors."""

from django.db import models
from django.db.models import Q

from billing.payment_models import OutgoingPayment
from billing.rules import UNFINISHED_REFUND, RefundStatus
from sessions_app.models import Vendor


class Payout(OutgoingPayment):
    """What a vendor has earned on its way to him; `amount_zat` has left the vendor's account already.

    It takes all that was booked before `earned_until` and not paid before; `number` counts a vendor's ones.
    Its states are a refund's.
    """

    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="payouts", db_index=False)
    number = models.IntegerField()
    earned_until = models.DateTimeField()
    send = models.ForeignKey(
        "billing.WalletSend", on_delete=models.PROTECT, null=True, related_name="payouts"
    )

    class Meta:
        db_table = "billing_payout"
        constraints = [
            *OutgoingPayment.Meta.constraints,
            models.CheckConstraint(condition=Q(number__gte=1), name="billing_payout_number"),
            # A vendor's payouts, latest last.
            models.UniqueConstraint(fields=["vendor", "number"], name="billing_payout_number_once"),
            models.UniqueConstraint(
                fields=["vendor"],
                condition=Q(status__in=[s.value for s in (*UNFINISHED_REFUND, RefundStatus.FAILED)]),
                name="billing_payout_one_unfinished",
            ),
        ]
        indexes = OutgoingPayment.Meta.indexes
