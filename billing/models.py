"""Tables of the engine: transactions (the API's object), refunds and what pays them, interval runs."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from billing.models_ethereum import Authorization
from billing.payment_models import OutgoingPayment
from billing.rules import (
    IN_FLIGHT_SEND,
    UNFINISHED_REFUND,
    RefundCause,
    RefundStatus,
    SendStatus,
    TransactionStatus,
)
from core.amounts import MAX_ZAT
from core.units import MAX_RATE_UNITS, UnitsField
from sessions_app.models import StreamingSession
from zcash.models import SpendingPermission

# The asset of what a spending permission pays.
ZEC = "ZEC"


class Transaction(models.Model):
    """One stretch of a session on one funding source: open while it runs, then final.

    Its amount while open is `billing.rules.amount` of its own columns; nothing is written until it ends.
    `max_amount_zat` is what earlier transactions left of its session's spending cap, null without one.

    It is paid by a permission, in zatoshis, or by an authorisation, in its token's smallest unit. The second
    kind keeps at its end how far the authorisation's running total had come: `due_units` collected pay it.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    session = models.ForeignKey(StreamingSession, on_delete=models.PROTECT, related_name="transactions")
    permission = models.ForeignKey(
        SpendingPermission, on_delete=models.PROTECT, null=True, related_name="transactions"
    )
    authorization = models.ForeignKey(
        Authorization, on_delete=models.PROTECT, null=True, related_name="transactions", db_index=False
    )
    asset = models.TextField(default=ZEC, db_default=ZEC)
    rate_zat_per_hour = models.BigIntegerField(null=True)
    rate_units_per_hour = UnitsField(null=True)
    started_at = models.DateTimeField()
    billable_until = models.DateTimeField()
    max_amount_zat = models.BigIntegerField(null=True)
    status = models.TextField(
        choices=[(s.value, s.value) for s in TransactionStatus], default=TransactionStatus.OPEN
    )
    ended_at = models.DateTimeField(null=True)
    amount_zat = models.BigIntegerField(null=True)
    amount_units = UnitsField(null=True)
    due_units = UnitsField(null=True)

    class Meta:
        db_table = "billing_transaction"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in TransactionStatus]),
                name="billing_transaction_status",
            ),
            models.CheckConstraint(
                condition=Q(
                    status=TransactionStatus.OPEN,
                    ended_at__isnull=True,
                    amount_zat__isnull=True,
                    amount_units__isnull=True,
                    due_units__isnull=True,
                )
                | Q(
                    Q(permission__isnull=False, amount_zat__gte=0, due_units__isnull=True)
                    | Q(authorization__isnull=False, amount_units__gte=0, due_units__gte=F("amount_units")),
                    ~Q(status=TransactionStatus.OPEN),
                    ended_at__gte=F("started_at"),
                    ended_at__lte=F("billable_until"),
                ),
                name="billing_transaction_final_is_complete",
            ),
            models.CheckConstraint(
                condition=Q(
                    permission__isnull=False,
                    authorization__isnull=True,
                    asset=ZEC,
                    rate_zat_per_hour__isnull=False,
                    rate_units_per_hour__isnull=True,
                    amount_units__isnull=True,
                    status__in=[TransactionStatus.OPEN, TransactionStatus.CONFIRMED],
                )
                | Q(
                    ~Q(asset=ZEC),
                    permission__isnull=True,
                    authorization__isnull=False,
                    rate_zat_per_hour__isnull=True,
                    rate_units_per_hour__gt=0,
                    rate_units_per_hour__lte=MAX_RATE_UNITS,
                    amount_zat__isnull=True,
                ),
                name="billing_transaction_one_payer",
            ),
            models.CheckConstraint(
                condition=Q(rate_zat_per_hour__gt=0, rate_zat_per_hour__lte=MAX_ZAT),
                name="billing_transaction_rate",
            ),
            models.CheckConstraint(
                condition=Q(max_amount_zat__isnull=True)
                | Q(max_amount_zat__gte=0, max_amount_zat__lte=MAX_ZAT),
                name="billing_transaction_spending_cap",
            ),
            models.CheckConstraint(
                condition=Q(max_amount_zat__isnull=True)
                | Q(amount_zat__isnull=True)
                | Q(amount_zat__lte=F("max_amount_zat")),
                name="billing_transaction_within_cap",
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
            # An authorisation's: the open ones, and those that wait to be collected.
            models.Index(
                fields=["authorization", "status"],
                name="billing_transaction_owed",
                condition=Q(authorization__isnull=False) & ~Q(status=TransactionStatus.CONFIRMED),
            ),
            # The statistics: what has ended since an hour.
            models.Index(
                fields=["ended_at"],
                name="billing_transaction_ended",
                condition=~Q(status=TransactionStatus.OPEN),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.status})"

    @property
    def payer(self) -> SpendingPermission | Authorization:
        """What pays for it."""
        found = self.permission or self.authorization
        assert found is not None, "billing_transaction_one_payer"
        return found

    @property
    def rate(self) -> int:
        """Its price an hour, in the smallest unit of its asset."""
        found = self.rate_zat_per_hour or self.rate_units_per_hour
        assert found is not None, "billing_transaction_one_payer"
        return found

    @property
    def amount(self) -> int | None:
        """What a final one came to, in the smallest unit of its asset."""
        return self.amount_zat if self.authorization_id is None else self.amount_units

    @property
    def left_zat(self) -> int | None:
        """What a final one leaves of its session's spending cap, None without one."""
        return None if self.max_amount_zat is None else self.max_amount_zat - (self.amount_zat or 0)


class WalletSend(models.Model):
    """One outgoing transaction of the wallet: the journal that is written before the wallet is asked.

    `payments` is what was asked for ({address, amount_zat, memo in hex or null}). `intent_height` was the tip
    then; `busy_height` is the last one at which the wallet was still working on some send. One that was given
    up as expired has `mineable_below`: at a lower tip a reorg could still let it be mined.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    account = models.TextField()
    status = models.TextField(choices=[(s.value, s.value) for s in SendStatus], default=SendStatus.SENDING)
    policy = models.TextField()
    payments = models.JSONField()
    intent_height = models.IntegerField()
    busy_height = models.IntegerField()
    mineable_below = models.IntegerField(null=True)
    operation_id = models.TextField(null=True)
    txids = ArrayField(models.TextField(), default=list)
    reason = models.TextField(default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "billing_walletsend"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in SendStatus]), name="billing_walletsend_status"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[SendStatus.SENT, SendStatus.CONFIRMED]) | ~Q(txids=[]),
                name="billing_walletsend_sent_has_txids",
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(status__in=[s.value for s in IN_FLIGHT_SEND]),
                name="billing_walletsend_one_in_flight",
            ),
        ]
        indexes = [
            # What is followed until it is final.
            models.Index(
                fields=["id"],
                name="billing_walletsend_followed",
                condition=Q(status__in=[SendStatus.SENDING, SendStatus.UNKNOWN, SendStatus.SENT]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.status})"


class Refund(OutgoingPayment):
    """Money of an ended permission on its way back; `amount_zat` has left the permission already."""

    permission = models.ForeignKey(SpendingPermission, on_delete=models.PROTECT, related_name="refunds")
    cause = models.TextField(choices=[(c.value, c.value) for c in RefundCause])
    send = models.ForeignKey(WalletSend, on_delete=models.PROTECT, null=True, related_name="refunds")

    class Meta:
        db_table = "billing_refund"
        constraints = [
            *OutgoingPayment.Meta.constraints,
            models.UniqueConstraint(
                fields=["permission"],
                condition=Q(status__in=[s.value for s in UNFINISHED_REFUND]),
                name="billing_refund_one_unfinished",
            ),
        ]
        indexes = [
            *OutgoingPayment.Meta.indexes,
            # What one address gets within a day.
            models.Index(fields=["address", "created_at"], name="billing_refund_recipient"),
            # What an operator looks at.
            models.Index(
                fields=["id"],
                name="billing_refund_stuck",
                condition=Q(status__in=[RefundStatus.FAILED, RefundStatus.UNKNOWN]),
            ),
        ]


class ForeignSend(models.Model):
    """A transaction that the wallet's account paid with and that no `WalletSend` knows.

    Without an explanation by a person it stops all sending: it may be what a lost database has paid.
    """

    txid = models.TextField(unique=True)
    payments = models.JSONField()
    # The tip when it was seen: it was mined at most so high, or waits.
    seen_height = models.IntegerField()
    first_seen_at = models.DateTimeField()
    explanation = models.TextField(default="")
    explained_at = models.DateTimeField(null=True)
    # What of it nobody here had asked for: it is booked as the operator's.
    withdrawn_zat = models.BigIntegerField(default=0)

    class Meta:
        db_table = "billing_foreignsend"

    def __str__(self) -> str:
        return self.txid


class SendGuard(models.Model):
    """The one row that says how far outgoing transactions were checked, and what stops sending."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    checked_height = models.IntegerField()
    halted = models.TextField(default="")

    class Meta:
        db_table = "billing_sendguard"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="billing_sendguard_single_row")]

    def __str__(self) -> str:
        return self.halted or f"checked to block {self.checked_height}"


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


# Their tables belong to this app; the operators' know the ones above.
from billing.ledger_models import Reconciliation, Transfer  # noqa: E402, F401
from billing.notice_models import Mail, MailCursor, Notice  # noqa: E402, F401
from billing.operator_models import Approval, OperatorAction  # noqa: E402, F401
from billing.payout_models import Payout  # noqa: E402, F401
from billing.statistic_models import DailyFigure, HourlyFigure, StatisticsMark, VendorDay  # noqa: E402, F401
