"""Tables of vendors and of who streams what, since when."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from core.amounts import MAX_ZAT
from core.units import MAX_RATE_UNITS, UnitsField
from sessions_app.rules import OPEN, EndReason, PayoutSchedule, SessionStatus

_SLUG = RegexValidator(
    r"\A[A-Za-z0-9_-]{1,64}\Z", message="must have 1 to 64 letters, digits, hyphens or underscores"
)
_PRICE = Q(price_zat_per_hour__isnull=True) | Q(price_zat_per_hour__gt=0, price_zat_per_hour__lte=MAX_ZAT)


class Vendor(models.Model):
    """Somebody whose streams are paid for; `slug` is the API's `vendor_id`, unique per client.

    `price_zat_per_hour` repeats its latest `VendorPrice`, which `price_version` names, null: it has no list.
    `token_price_version` names its latest `VendorTokenPrice`, null: it has none.
    `fee_bps` is the platform's share of what it earns, in hundredths of a percent. What it earns is paid to
    `payout_address`, null: nowhere yet; after a change of the address not before `payout_not_before`.
    """

    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    slug = models.CharField(max_length=64, validators=[_SLUG])
    name = models.CharField(max_length=200)
    price_zat_per_hour = models.BigIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_ZAT)]
    )
    price_version = models.IntegerField(null=True, editable=False)
    token_price_version = models.IntegerField(null=True, editable=False)
    heartbeat_seconds = models.IntegerField(
        null=True, blank=True, validators=[MinValueValidator(5), MaxValueValidator(3600)]
    )
    is_active = models.BooleanField(default=True)
    fee_bps = models.IntegerField(
        default=0, db_default=0, validators=[MinValueValidator(0), MaxValueValidator(10_000)]
    )
    payout_address = models.TextField(null=True, blank=True)
    payout_not_before = models.DateTimeField(null=True, blank=True)
    payout_schedule = models.TextField(
        choices=[(s.value, s.value) for s in PayoutSchedule],
        default=PayoutSchedule.WEEKLY,
        db_default=PayoutSchedule.WEEKLY.value,
    )
    # The least that is paid out by itself, null: what the settings say.
    payout_minimum_zat = models.BigIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_ZAT)]
    )
    created_at = models.DateTimeField()

    class Meta:
        db_table = "sessions_vendor"
        constraints = [
            models.CheckConstraint(
                condition=Q(fee_bps__gte=0, fee_bps__lte=10_000), name="sessions_vendor_fee"
            ),
            models.CheckConstraint(
                condition=Q(payout_schedule__in=[s.value for s in PayoutSchedule]),
                name="sessions_vendor_payout_schedule",
            ),
            models.CheckConstraint(
                condition=Q(payout_minimum_zat__isnull=True)
                | Q(payout_minimum_zat__gt=0, payout_minimum_zat__lte=MAX_ZAT),
                name="sessions_vendor_payout_minimum",
            ),
            models.UniqueConstraint(fields=["client", "slug"], name="sessions_vendor_slug_per_client"),
            models.CheckConstraint(condition=_PRICE, name="sessions_vendor_price"),
            models.CheckConstraint(
                condition=Q(heartbeat_seconds__isnull=True)
                | Q(heartbeat_seconds__gte=5, heartbeat_seconds__lte=3600),
                name="sessions_vendor_heartbeat",
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class VendorPrice(models.Model):
    """One version of a vendor's price, null: what the viewer's permission allows; append-only.

    Versions count from 1 without a gap. A session names the one it started with.
    """

    # The key of versions is the vendor's index, too.
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="prices", db_index=False)
    version = models.IntegerField()
    price_zat_per_hour = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    actor = models.TextField()

    class Meta:
        db_table = "sessions_vendorprice"
        constraints = [
            models.UniqueConstraint(fields=["vendor", "version"], name="sessions_vendorprice_version_once"),
            models.CheckConstraint(condition=Q(version__gte=1), name="sessions_vendorprice_version"),
            models.CheckConstraint(condition=_PRICE, name="sessions_vendorprice_price"),
        ]

    def __str__(self) -> str:
        return f"{self.vendor_id} v{self.version}"


class VendorTokenPrice(models.Model):
    """One version of a vendor's prices in tokens: it sets that of one token; append-only.

    Null: an hour costs what the viewer has signed.
    Versions count from 1 without a gap, over all tokens, so that the one that a session names says what it
    costs in each: the latest of that token that is no later.
    """

    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.IntegerField()
    chain_id = models.BigIntegerField()
    token_address = models.TextField()
    price_units_per_hour = UnitsField(null=True)
    created_at = models.DateTimeField()
    actor = models.TextField()

    class Meta:
        db_table = "sessions_vendortokenprice"
        constraints = [
            models.UniqueConstraint(
                fields=["vendor", "version"], name="sessions_vendortokenprice_version_once"
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="sessions_vendortokenprice_version"),
            models.CheckConstraint(
                condition=Q(price_units_per_hour__isnull=True)
                | Q(price_units_per_hour__gt=0, price_units_per_hour__lte=MAX_RATE_UNITS),
                name="sessions_vendortokenprice_price",
            ),
        ]
        indexes = [
            models.Index(
                fields=["vendor", "chain_id", "token_address", "version"],
                name="sessions_vendortokenprice_of",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.vendor_id} token v{self.version}"


class StreamingSession(models.Model):
    """One viewing: a wallet at a vendor, at a price and a platform's share frozen for the session's life.

    It may be billed until the smaller of `capped_at` (its longest life) and `lease_until` (its heartbeat
    lease, null without heartbeats), and for at most `max_amount_zat` in all, where it has such a cap.

    A paused one ends by itself at `resume_by`. `paused_ms` is how long its earlier pauses were, together; one
    that ended in a pause keeps that pause's two instants.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    code = models.TextField(unique=True)
    client = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    wallet_address = models.TextField()
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="sessions")
    client_ref = models.TextField(default="", blank=True)
    # Null: it began on a token, at a vendor without a price in ZEC.
    rate_zat_per_hour = models.BigIntegerField(null=True)
    # Which of the vendor's prices it started with, null: before there were any.
    price_version = models.IntegerField(null=True)
    # Which of its prices in tokens was the latest then, null: it had none.
    token_price_version = models.IntegerField(null=True)
    # The platform's share when it started, null: it began before shares were frozen.
    fee_bps = models.IntegerField(null=True)
    status = models.TextField(
        choices=[(s.value, s.value) for s in SessionStatus], default=SessionStatus.ACTIVE
    )
    started_at = models.DateTimeField()
    capped_at = models.DateTimeField()
    heartbeat_seconds = models.IntegerField(null=True)
    lease_until = models.DateTimeField(null=True)
    max_amount_zat = models.BigIntegerField(null=True)
    paused_at = models.DateTimeField(null=True)
    resume_by = models.DateTimeField(null=True)
    paused_ms = models.BigIntegerField(default=0, db_default=0)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.TextField(null=True, choices=[(r.value, r.value) for r in EndReason])

    class Meta:
        db_table = "sessions_session"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in SessionStatus]), name="sessions_session_status"
            ),
            models.CheckConstraint(
                condition=Q(rate_zat_per_hour__gt=0, rate_zat_per_hour__lte=MAX_ZAT),
                name="sessions_session_rate",
            ),
            models.CheckConstraint(
                condition=Q(price_version__isnull=True) | Q(price_version__gte=1),
                name="sessions_session_price_version",
            ),
            models.CheckConstraint(
                condition=Q(fee_bps__isnull=True) | Q(fee_bps__gte=0, fee_bps__lte=10_000),
                name="sessions_session_fee",
            ),
            models.CheckConstraint(
                condition=Q(status=SessionStatus.ENDED, ended_at__isnull=False, end_reason__isnull=False)
                | Q(~Q(status=SessionStatus.ENDED), ended_at__isnull=True, end_reason__isnull=True),
                name="sessions_session_ended_is_explained",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")),
                name="sessions_session_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(capped_at__gt=F("started_at")), name="sessions_session_cap_after_start"
            ),
            models.CheckConstraint(
                condition=Q(max_amount_zat__isnull=True)
                | Q(max_amount_zat__gt=0, max_amount_zat__lte=MAX_ZAT),
                name="sessions_session_spending_cap",
            ),
            models.CheckConstraint(
                condition=Q(status=SessionStatus.ACTIVE, paused_at__isnull=True, resume_by__isnull=True)
                | Q(status=SessionStatus.PAUSED, paused_at__isnull=False, resume_by__isnull=False)
                | Q(status=SessionStatus.ENDED, paused_at__isnull=True, resume_by__isnull=True)
                | Q(
                    status=SessionStatus.ENDED,
                    paused_at__isnull=False,
                    resume_by__isnull=False,
                    ended_at__gte=F("paused_at"),
                    ended_at__lte=F("resume_by"),
                ),
                name="sessions_session_pause_is_dated",
            ),
            models.CheckConstraint(
                condition=Q(paused_at__isnull=True) | Q(paused_at__gte=F("started_at")),
                name="sessions_session_pauses_after_start",
            ),
            models.CheckConstraint(
                condition=Q(resume_by__isnull=True) | Q(resume_by__gte=F("paused_at")),
                name="sessions_session_resumes_after_pause",
            ),
            models.CheckConstraint(condition=Q(paused_ms__gte=0), name="sessions_session_paused_ms"),
            # A retried start finds the session that the first one opened; it starts no second meter.
            models.UniqueConstraint(
                fields=["client", "wallet_address", "vendor", "client_ref"],
                condition=Q(status__in=[s.value for s in OPEN]),
                name="sessions_session_one_open_per_ref",
            ),
        ]
        indexes = [
            # A client's sessions, and a wallet's, latest last.
            models.Index(fields=["client", "id"], name="sessions_session_client"),
            models.Index(fields=["client", "wallet_address", "id"], name="sessions_session_wallet"),
            # The sweep: pauses that are over.
            models.Index(
                fields=["resume_by"],
                name="sessions_session_resume_by",
                condition=Q(status=SessionStatus.PAUSED),
            ),
            # What an operator looks at: it runs, and nobody says that it is alive.
            models.Index(
                fields=["started_at"],
                name="sessions_session_silent",
                condition=Q(status=SessionStatus.ACTIVE, heartbeat_seconds__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def billable_until(self) -> datetime:
        """The instant at which a running session ends by itself, whatever it costs."""
        return self.capped_at if self.lease_until is None else min(self.capped_at, self.lease_until)

    def pause_is_over(self, *, now: datetime) -> bool:
        """Whether it is paused and cannot be resumed any more: it ended at `resume_by`."""
        paused = self.status == SessionStatus.PAUSED
        return paused and self.resume_by is not None and self.resume_by <= now

    @property
    def bound_reason(self) -> EndReason:
        """Why the session ends at `billable_until`."""
        leased = self.lease_until is not None and self.lease_until < self.capped_at
        return EndReason.HEARTBEAT_LOST if leased else EndReason.MAX_DURATION
