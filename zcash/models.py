"""Tables of the Zcash side: spending permissions, their deposits, their audit log, the watched chain."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.amounts import MAX_ZAT
from zcash.rules import (
    EXPIRING,
    MOST_SESSIONS,
    WATCHED,
    DepositStatus,
    PermissionStatus,
    SuspensionReason,
)

_ACTIVE = Q(status=PermissionStatus.ACTIVE)
# SHA-256 in hexadecimal digits.
_DIGEST = "^[0-9a-f]{64}$"


class SpendingPermissionQuerySet(models.QuerySet["SpendingPermission"]):
    def of_wallet(self, *, client_id: int, wallet_address: str) -> SpendingPermissionQuerySet:
        """The permissions of one viewer: a wallet at one client."""
        return self.filter(client_id=client_id, wallet_address=wallet_address)

    def active(self) -> SpendingPermissionQuerySet:
        return self.filter(status=PermissionStatus.ACTIVE)

    def queued_in_order(self) -> SpendingPermissionQuerySet:
        """What waits behind the active one, in order of payment."""
        return self.filter(status=PermissionStatus.QUEUED).order_by("queued_at", "id")

    def expiring_by(self, moment: datetime) -> SpendingPermissionQuerySet:
        return self.filter(status__in=EXPIRING, expires_at__lte=moment)

    def unpaid_by(self, moment: datetime) -> SpendingPermissionQuerySet:
        """What waits for its payment although its window, or its own life, has passed."""
        return self.filter(status=PermissionStatus.PENDING, pay_before__lte=moment)


class SpendingPermission(models.Model):
    """A limit that a viewer authorised by paying it in: amount, rate per hour, days.

    `remaining_zat` is what was left at `settled_at`; what open transactions used since then is computed.
    Neither column is in an index, so that an interval's updates stay heap-only (HOT). The meter's columns
    repeat what open transactions say, so that an interval reads no other table; `billing.metering` writes
    them.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    wallet_address = models.TextField()
    status = models.TextField(
        choices=[(s.value, s.value) for s in PermissionStatus], default=PermissionStatus.PENDING
    )
    requested_zat = models.BigIntegerField()
    rate_zat_per_hour = models.BigIntegerField()
    duration_days = models.IntegerField()
    # How many sessions may be started on it at once, null: as many as a wallet may have.
    max_sessions = models.IntegerField(null=True)

    credited_zat = models.BigIntegerField(default=0)
    reversed_zat = models.BigIntegerField(default=0)
    refunded_zat = models.BigIntegerField(default=0, db_default=0)
    # What a reversal took that was not there any more: the platform's loss, repaid first by later credits.
    shortfall_zat = models.BigIntegerField(default=0, db_default=0)
    remaining_zat = models.BigIntegerField(default=0)
    settled_at = models.DateTimeField(null=True)
    # What remained before the last settlement: `RETURNING` tells the audit row only what a row has become.
    previous_zat = models.BigIntegerField(default=0, db_default=0)
    open_transactions = models.IntegerField(default=0)
    # The one open transaction's meter, null where there is none or several.
    meter_rate_zat_per_hour = models.BigIntegerField(null=True)
    meter_started_at = models.DateTimeField(null=True)
    # Nothing happens by itself to what is metered before then: no bound, depletion or last day.
    next_event_at = models.DateTimeField(null=True)

    payment_address = models.TextField(unique=True)
    diversifier_index = models.BigIntegerField(unique=True)
    # The chain's height when the address was made: nothing was paid to it before.
    birthday_height = models.IntegerField(default=0, db_default=0)
    # None: the wallet address itself.
    refund_address = models.TextField(null=True)
    # Who is told of little left and of the end, by mail; none, or no more.
    notify_email = models.TextField(null=True)
    # A change of the address after money was seen holds refunds back until then.
    refund_not_before = models.DateTimeField(null=True)
    # It has ended with money left, and nobody has looked yet whether that can be refunded.
    refund_due = models.BooleanField(default=False, db_default=False)
    # It was looked at and left, because what it has left is too little to refund.
    below_minimum = models.BooleanField(default=False, db_default=False)
    suspended_for = models.TextField(null=True, choices=[(s.value, s.value) for s in SuspensionReason])

    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    pay_before = models.DateTimeField()
    # The first look at the address after `pay_before`: what it shows was seen within the window.
    window_closed_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField(null=True)
    activated_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects = SpendingPermissionQuerySet.as_manager()

    class Meta:
        db_table = "zcash_permission"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in PermissionStatus]), name="zcash_permission_status"
            ),
            models.CheckConstraint(
                condition=Q(requested_zat__gt=0, requested_zat__lte=MAX_ZAT),
                name="zcash_permission_requested",
            ),
            models.CheckConstraint(
                condition=Q(rate_zat_per_hour__gt=0, rate_zat_per_hour__lte=MAX_ZAT),
                name="zcash_permission_rate",
            ),
            models.CheckConstraint(condition=Q(duration_days__gt=0), name="zcash_permission_duration"),
            models.CheckConstraint(
                condition=Q(max_sessions__isnull=True)
                | Q(max_sessions__gte=1, max_sessions__lte=MOST_SESSIONS),
                name="zcash_permission_max_sessions",
            ),
            models.CheckConstraint(
                condition=Q(
                    remaining_zat__gte=0,
                    credited_zat__gte=0,
                    reversed_zat__gte=0,
                    refunded_zat__gte=0,
                    shortfall_zat__gte=0,
                ),
                name="zcash_permission_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(
                    remaining_zat__lte=F("credited_zat")
                    - F("reversed_zat")
                    - F("refunded_zat")
                    + F("shortfall_zat")
                ),
                name="zcash_permission_remaining_was_credited",
            ),
            models.CheckConstraint(
                condition=Q(open_transactions=0) | Q(open_transactions__gt=0, status=PermissionStatus.ACTIVE),
                name="zcash_permission_meter_needs_active",
            ),
            models.CheckConstraint(
                condition=Q(open_transactions=0, next_event_at__isnull=True)
                | Q(open_transactions__gt=0, next_event_at__isnull=False),
                name="zcash_permission_metered_has_next_event",
            ),
            models.CheckConstraint(
                condition=Q(meter_rate_zat_per_hour__isnull=True, meter_started_at__isnull=True)
                | Q(
                    open_transactions=1,
                    meter_rate_zat_per_hour__gt=0,
                    meter_started_at__isnull=False,
                ),
                name="zcash_permission_meter_is_of_one",
            ),
            models.CheckConstraint(
                condition=~_ACTIVE | Q(settled_at__isnull=False, activated_at__isnull=False),
                name="zcash_permission_active_is_settled",
            ),
            models.CheckConstraint(
                condition=~Q(status=PermissionStatus.QUEUED) | Q(queued_at__isnull=False),
                name="zcash_permission_queued_since",
            ),
            models.CheckConstraint(
                condition=Q(suspended_for__isnull=True)
                | Q(status=PermissionStatus.SUSPENDED, suspended_for__in=[s.value for s in SuspensionReason]),
                name="zcash_permission_suspended_for",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at"), pay_before__gt=F("created_at")),
                name="zcash_permission_ends_later",
            ),
            models.UniqueConstraint(
                fields=["client", "wallet_address"], condition=_ACTIVE, name="zcash_permission_one_active"
            ),
        ]
        indexes = [
            # The interval's due rows; the count changes at start and end only.
            models.Index(
                fields=["id"], name="zcash_permission_metered", condition=Q(open_transactions__gt=0)
            ),
            # A viewer's permissions, latest last; the queue behind the active one.
            models.Index(fields=["client", "wallet_address", "id"], name="zcash_permission_wallet"),
            # The expiry sweep.
            models.Index(
                fields=["expires_at"],
                name="zcash_permission_expiring",
                condition=Q(status__in=[s.value for s in EXPIRING]),
            ),
            # The lapse sweep.
            models.Index(
                fields=["pay_before"],
                name="zcash_permission_unpaid",
                condition=Q(status=PermissionStatus.PENDING),
            ),
            # The refund sweep. (An index that names `remaining_zat` would end the heap-only updates.)
            models.Index(
                fields=["id"],
                name="zcash_permission_refundable",
                condition=Q(refund_due=True),
            ),
            # What waits for an operator: too little left to refund, and on hold.
            models.Index(
                fields=["id"],
                name="zcash_permission_below_minimum",
                condition=Q(below_minimum=True),
            ),
            models.Index(
                fields=["id"],
                name="zcash_permission_suspended",
                condition=Q(status=PermissionStatus.SUSPENDED),
            ),
            # The watcher's list of addresses.
            models.Index(
                fields=["id"],
                name="zcash_permission_watched",
                condition=Q(status__in=[s.value for s in WATCHED]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.status})"

    @property
    def approved_zat(self) -> int:
        """What was requested while unpaid, then what was credited less what was reversed, in zatoshis."""
        if self.status == PermissionStatus.PENDING:
            return self.requested_zat
        return self.credited_zat - self.reversed_zat

    @property
    def unpaid_zat(self) -> int:
        """What was requested and is not credited, or was and was taken back, in zatoshis."""
        return max(0, self.requested_zat - self.credited_zat + self.reversed_zat)

    @property
    def is_paid(self) -> bool:
        """Whether all that was requested is credited."""
        return self.unpaid_zat == 0

    @property
    def refunds_to(self) -> str:
        """Where unused money goes back to."""
        return self.refund_address or self.wallet_address


class Deposit(models.Model):
    """One received output at a permission's address; `confirmed` means credited.

    `quarantined`: the wallet said of itself that its view was being repaired; not credited until it says
    otherwise. `lost_at`: when the chain was seen to have lost a credited one; the reversal follows.
    """

    permission = models.ForeignKey(SpendingPermission, on_delete=models.PROTECT, related_name="deposits")
    txid = models.TextField()
    pool = models.TextField()
    output_index = models.IntegerField()
    amount_zat = models.BigIntegerField()
    status = models.TextField(choices=[(s.value, s.value) for s in DepositStatus], default=DepositStatus.SEEN)
    height = models.IntegerField(null=True)
    block_hash = models.TextField(null=True)
    confirmations = models.IntegerField(default=0)
    first_seen_at = models.DateTimeField()
    quarantined = models.BooleanField(default=False, db_default=False)
    credited_at = models.DateTimeField(null=True)
    lost_at = models.DateTimeField(null=True)
    reversed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "zcash_deposit"
        constraints = [
            models.UniqueConstraint(fields=["txid", "pool", "output_index"], name="zcash_deposit_once"),
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in DepositStatus]), name="zcash_deposit_status"
            ),
            models.CheckConstraint(
                condition=Q(amount_zat__gt=0, amount_zat__lte=MAX_ZAT), name="zcash_deposit_amount"
            ),
            models.CheckConstraint(
                condition=~Q(status=DepositStatus.CONFIRMED)
                | Q(credited_at__isnull=False, height__isnull=False, block_hash__isnull=False),
                name="zcash_deposit_confirmed_is_mined",
            ),
        ]
        indexes = [
            # What may be credited next.
            models.Index(
                fields=["confirmations"],
                name="zcash_deposit_seen",
                condition=Q(status=DepositStatus.SEEN),
            ),
            # What a reorg may have reached.
            models.Index(
                fields=["height"],
                name="zcash_deposit_credited",
                condition=Q(status=DepositStatus.CONFIRMED),
            ),
            # What waits to be reversed.
            models.Index(
                fields=["id"],
                name="zcash_deposit_lost",
                condition=Q(status=DepositStatus.CONFIRMED, lost_at__isnull=False),
            ),
            # What an operator looks at: taken back, and not paid again.
            models.Index(
                fields=["id"],
                name="zcash_deposit_reversed",
                condition=Q(status=DepositStatus.REVERSED),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.txid}:{self.pool}:{self.output_index}"

    @property
    def output(self) -> dict[str, str | int]:
        """Which output of which transaction it is, as the audit log names it."""
        return {"txid": self.txid, "pool": self.pool, "output_index": self.output_index}


class PermissionAudit(models.Model):
    """One line of the append-only audit log; partitioned by kind and time. Its view: `permission_audit_log`.

    `permission_id` is no foreign key in the database: it would cost a third of the interval's speed, and
    permissions are never deleted. `effective_at` is the instant that counts, `created_at` when it was booked.
    `id` gives the order; settlements have no index on it, nor any b-tree: look for them by time.
    """

    permission = models.ForeignKey(
        SpendingPermission, on_delete=models.DO_NOTHING, db_constraint=False, related_name="audit"
    )
    created_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    amount_before_zat = models.BigIntegerField()
    amount_after_zat = models.BigIntegerField()
    action = models.TextField()
    actor = models.TextField()
    details = models.JSONField(null=True)

    class Meta:
        db_table = "zcash_permission_audit"
        verbose_name = "audit entry"
        verbose_name_plural = "permission audit log"

    def __str__(self) -> str:
        return f"{self.action} {self.permission_id}"


class AuditSeal(models.Model):
    """The digest of one closed partition of the audit log and of the seal before it; append-only.

    `last_id` is the highest number that was in the partition: a row with a higher one came later.
    """

    partition = models.TextField()
    covers_from = models.DateTimeField()
    covers_to = models.DateTimeField()
    rows = models.BigIntegerField()
    last_id = models.BigIntegerField()
    digest = models.TextField()
    previous_digest = models.TextField()
    sealed_at = models.DateTimeField()

    class Meta:
        db_table = "zcash_audit_seal"
        constraints = [
            models.UniqueConstraint(fields=["partition"], name="zcash_audit_seal_once"),
            # Two seals cannot follow the same one, whoever makes them.
            models.UniqueConstraint(fields=["previous_digest"], name="zcash_audit_seal_one_chain"),
            models.CheckConstraint(
                condition=Q(covers_to__gt=F("covers_from"), last_id__gte=0, rows__gte=0),
                name="zcash_audit_seal_covers",
            ),
            models.CheckConstraint(
                condition=Q(digest__regex=_DIGEST, previous_digest__regex=_DIGEST),
                name="zcash_audit_seal_digests",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.partition} {self.digest}"


class WatchedChain(models.Model):
    """The chain this service lives on, pinned at first start, and how far the watcher has looked.

    `asked_at` is when the node last answered, `scanned_at` when every due address was last looked at.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    network = models.TextField()
    genesis_hash = models.TextField()
    # Where the chain stood at first start: what the wallet did before is not this service's business.
    pinned_height = models.IntegerField(default=0, db_default=0)
    tip_height = models.IntegerField(null=True)
    tip_hash = models.TextField(null=True)
    asked_at = models.DateTimeField(null=True)
    scanned_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "zcash_watched_chain"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="zcash_watched_chain_single_row")]

    def __str__(self) -> str:
        return f"{self.network} {self.tip_height}"


# Its table belongs to this app.
from zcash.unmatched_models import UnmatchedDeposit  # noqa: E402, F401
