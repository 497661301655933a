"""Tables of the engine: transactions (the API's object) and what interval ran when."""

import uuid

from django.db import models
from django.db.models import F, Q

from billing.rules import TransactionStatus
from core.amounts import MAX_ZAT
from sessions_app.models import StreamingSession
from zcash.models import SpendingPermission


class Transaction(models.Model):
    """One stretch of a session on one funding source: open while it runs, then final.

    Its amount while open is `billing.rules.amount` of its own columns; nothing is written until it ends.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    session = models.ForeignKey(StreamingSession, on_delete=models.PROTECT, related_name="transactions")
    permission = models.ForeignKey(SpendingPermission, on_delete=models.PROTECT, related_name="transactions")
    rate_zat_per_hour = models.BigIntegerField()
    started_at = models.DateTimeField()
    billable_until = models.DateTimeField()
    status = models.TextField(
        choices=[(s.value, s.value) for s in TransactionStatus], default=TransactionStatus.OPEN
    )
    ended_at = models.DateTimeField(null=True)
    amount_zat = models.BigIntegerField(null=True)

    class Meta:
        db_table = "billing_transaction"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in TransactionStatus]),
                name="billing_transaction_status",
            ),
            models.CheckConstraint(
                condition=Q(status=TransactionStatus.OPEN, ended_at__isnull=True, amount_zat__isnull=True)
                | Q(
                    ~Q(status=TransactionStatus.OPEN),
                    ended_at__gte=F("started_at"),
                    ended_at__lte=F("billable_until"),
                    amount_zat__gte=0,
                ),
                name="billing_transaction_final_is_complete",
            ),
            models.CheckConstraint(
                condition=Q(rate_zat_per_hour__gt=0, rate_zat_per_hour__lte=MAX_ZAT),
                name="billing_transaction_rate",
            ),
            # Within 100 days the running total of the dearest rate fits BIGINT (billing.sql.amount).
            models.CheckConstraint(
                condition=Q(
                    billable_until__gt=F("started_at"),
                    billable_until__lte=F("started_at") + models.Value("100 days", models.DurationField()),
                ),
                name="billing_transaction_bounded",
            ),
            models.UniqueConstraint(
                fields=["session"],
                condition=Q(status=TransactionStatus.OPEN),
                name="billing_transaction_one_open_per_session",
            ),
        ]
        indexes = [
            # Settling: the open transactions of a permission.
            models.Index(
                fields=["permission"],
                name="billing_transaction_open",
                condition=Q(status=TransactionStatus.OPEN),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.status})"


class IntervalRun(models.Model):
    """One run of the interval: the database knows whether billing is late, whoever ran it."""

    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)
    engine = models.TextField()
    permissions = models.BigIntegerField(default=0)
    events = models.BigIntegerField(default=0)
    put_aside = models.JSONField(default=list)

    class Meta:
        db_table = "billing_intervalrun"

    def __str__(self) -> str:
        return f"{self.engine} {self.started_at:%Y-%m-%d %H:%M:%S}"
