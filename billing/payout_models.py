"""Payouts to vendors."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from billing.rules import UNFINISHED_REFUND, RefundStatus
from core.amounts import MAX_ZAT
from sessions_app.models import Vendor


class Payout(models.Model):
    """What a vendor has earned on its way to him; `amount_zat` has left the vendor's account already.

    It takes all that was booked before `earned_until` and not paid before; `number` counts a vendor's ones.
    The vendor gets `amount_zat` less `fee_zat`, the conventional fee (ZIP-317). Its states are a refund's.
    `approved_by` are the operators who have agreed to a large one.
    """

    public_id = models.UUIDField(unique=True)
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="payouts", db_index=False)
    number = models.IntegerField()
    status = models.TextField(choices=[(s.value, s.value) for s in RefundStatus], default=RefundStatus.QUEUED)
    address = models.TextField()
    amount_zat = models.BigIntegerField()
    fee_zat = models.BigIntegerField()
    memo = models.TextField()
    earned_until = models.DateTimeField()
    approved_by = ArrayField(models.BigIntegerField(), default=list)
    send = models.ForeignKey(
        "billing.WalletSend", on_delete=models.PROTECT, null=True, related_name="payouts"
    )
    attempts = models.IntegerField(default=0)
    # It was in a batch that failed: whoever spoiled it must not spoil it again.
    alone = models.BooleanField(default=False)
    reason = models.TextField(default="")
    created_at = models.DateTimeField()
    not_before = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "billing_payout"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in RefundStatus]), name="billing_payout_status"
            ),
            models.CheckConstraint(
                condition=Q(amount_zat__gt=F("fee_zat"), fee_zat__gt=0, amount_zat__lte=MAX_ZAT),
                name="billing_payout_pays_something",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[RefundStatus.QUEUED, RefundStatus.FAILED, RefundStatus.CANCELLED])
                | Q(send__isnull=False),
                name="billing_payout_is_in_a_send",
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="billing_payout_number"),
            # A vendor's payouts, latest last.
            models.UniqueConstraint(fields=["vendor", "number"], name="billing_payout_number_once"),
            models.UniqueConstraint(
                fields=["vendor"],
                condition=Q(status__in=[s.value for s in (*UNFINISHED_REFUND, RefundStatus.FAILED)]),
                name="billing_payout_one_unfinished",
            ),
        ]
        indexes = [
            # What may be sent, or tried again.
            models.Index(
                fields=["not_before"],
                name="billing_payout_due",
                condition=Q(status__in=[RefundStatus.QUEUED, RefundStatus.FAILED]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.status})"

    @property
    def paid_zat(self) -> int:
        """What arrives at the vendor's address."""
        return self.amount_zat - self.fee_zat
