"""What refunds and payouts have in common: money on its way out of the wallet."""

from django.db import models
from django.db.models import F, Q

from billing.rules import RefundStatus
from core.amounts import MAX_ZAT


class OutgoingPayment(models.Model):
    """`amount_zat` has left its account in the books already; `send`, of each kind, is what carries it.

    What arrives is `amount_zat` less `fee_zat`, the conventional fee (ZIP-317), fixed when it was queued.
    """

    public_id = models.UUIDField(unique=True)
    status = models.TextField(choices=[(s.value, s.value) for s in RefundStatus], default=RefundStatus.QUEUED)
    address = models.TextField()
    amount_zat = models.BigIntegerField()
    fee_zat = models.BigIntegerField()
    memo = models.TextField()
    attempts = models.IntegerField(default=0)
    # It was in a batch that failed: whoever spoiled it must not spoil it again.
    alone = models.BooleanField(default=False)
    reason = models.TextField(default="")
    created_at = models.DateTimeField()
    not_before = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in RefundStatus]), name="%(app_label)s_%(class)s_status"
            ),
            models.CheckConstraint(
                condition=Q(amount_zat__gt=F("fee_zat"), fee_zat__gt=0, amount_zat__lte=MAX_ZAT),
                name="%(app_label)s_%(class)s_pays_something",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[RefundStatus.QUEUED, RefundStatus.FAILED, RefundStatus.CANCELLED])
                | Q(send__isnull=False),
                name="%(app_label)s_%(class)s_is_in_a_send",
            ),
        ]
        indexes = [
            # What may be sent, or tried again.
            models.Index(
                fields=["not_before"],
                name="%(app_label)s_%(class)s_due",
                condition=Q(status__in=[RefundStatus.QUEUED, RefundStatus.FAILED]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.status})"

    @property
    def paid_zat(self) -> int:
        """What arrives at its address."""
        return self.amount_zat - self.fee_zat
