"""Tables of vendors and of who streams what, since when."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from core.amounts import MAX_ZAT
from sessions_app.rules import OPEN, EndReason, SessionStatus

_SLUG = RegexValidator(
    r"\A[A-Za-z0-9_-]{1,64}\Z", message="must have 1 to 64 letters, digits, hyphens or underscores"
)


class Vendor(models.Model):
    """Somebody whose streams are paid for; `slug` is the API's `vendor_id`, unique per client."""

    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    slug = models.CharField(max_length=64, validators=[_SLUG])
    name = models.CharField(max_length=200)
    price_zat_per_hour = models.BigIntegerField(null=True, blank=True)
    heartbeat_seconds = models.IntegerField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "sessions_vendor"
        constraints = [
            models.UniqueConstraint(fields=["client", "slug"], name="sessions_vendor_slug_per_client"),
            models.CheckConstraint(
                condition=Q(price_zat_per_hour__isnull=True)
                | Q(price_zat_per_hour__gt=0, price_zat_per_hour__lte=MAX_ZAT),
                name="sessions_vendor_price",
            ),
            models.CheckConstraint(
                condition=Q(heartbeat_seconds__isnull=True)
                | Q(heartbeat_seconds__gte=5, heartbeat_seconds__lte=3600),
                name="sessions_vendor_heartbeat",
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class StreamingSession(models.Model):
    """One viewing: a wallet at a vendor, at a price frozen for the session's life.

    It may be billed until the smaller of `capped_at` (its longest life) and `lease_until` (its heartbeat
    lease, null without heartbeats).
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    code = models.TextField(unique=True)
    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    wallet_address = models.TextField()
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="sessions")
    client_ref = models.TextField(default="", blank=True)
    rate_zat_per_hour = models.BigIntegerField()
    status = models.TextField(
        choices=[(s.value, s.value) for s in SessionStatus], default=SessionStatus.ACTIVE
    )
    started_at = models.DateTimeField()
    capped_at = models.DateTimeField()
    heartbeat_seconds = models.IntegerField(null=True)
    lease_until = models.DateTimeField(null=True)
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
            # A retried start finds the session that the first one opened; it starts no second meter.
            models.UniqueConstraint(
                fields=["client", "wallet_address", "vendor", "client_ref"],
                condition=Q(status__in=[s.value for s in OPEN]),
                name="sessions_session_one_open_per_ref",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def billable_until(self) -> datetime:
        """The instant at which the session ends by itself."""
        return self.capped_at if self.lease_until is None else min(self.capped_at, self.lease_until)

    @property
    def bound_reason(self) -> EndReason:
        """Why the session ends at `billable_until`."""
        leased = self.lease_until is not None and self.lease_until < self.capped_at
        return EndReason.HEARTBEAT_LOST if leased else EndReason.MAX_DURATION
