"""Tables of webhooks: endpoints, what is delivered to them, and every attempt at it."""

import uuid
from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from core.webhooks.rules import DeliveryStatus, DisabledReason


class WebhookEndpoint(models.Model):
    """Where a client wants to be told of events.

    `secret` signs; after a rotation `previous_secrets` sign too until `previous_until`, newest first.
    `failing_since` is when it first failed after it last took something. Its `lane_until` is the lease of the
    one process that sends to it now; it is left alone until `resume_at`.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    url = models.TextField()
    description = models.TextField(default="", db_default="")
    # Empty: every kind.
    kinds = ArrayField(models.TextField(), default=list, db_default=[])
    secret = models.TextField()
    previous_secrets = ArrayField(models.TextField(), default=list, db_default=[])
    previous_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.TextField(null=True, choices=[(r.value, r.value) for r in DisabledReason])
    deleted_at = models.DateTimeField(null=True)

    failing_since = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0, db_default=0)
    resume_at = models.DateTimeField(null=True)
    lane_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "core_webhookendpoint"
        constraints = [
            models.CheckConstraint(
                condition=Q(disabled_at__isnull=True, disabled_reason__isnull=True)
                | Q(disabled_at__isnull=False, disabled_reason__in=[r.value for r in DisabledReason]),
                name="core_webhookendpoint_disabled_for",
            ),
            models.CheckConstraint(
                condition=Q(previous_secrets=[], previous_until__isnull=True)
                | (~Q(previous_secrets=[]) & Q(previous_until__isnull=False)),
                name="core_webhookendpoint_previous_until",
            ),
            models.CheckConstraint(
                condition=Q(failing_since__isnull=True, failures=0)
                | Q(failing_since__isnull=False, failures__gt=0),
                name="core_webhookendpoint_failing_since",
            ),
        ]
        indexes = [
            # The publisher's: who is to be told of a client's events.
            models.Index(
                fields=["client"],
                name="core_webhookendpoint_enabled",
                condition=Q(disabled_at__isnull=True, deleted_at__isnull=True),
            ),
            # The operators': what takes nothing.
            models.Index(
                fields=["failing_since"],
                name="core_webhookendpoint_failing",
                condition=Q(failing_since__isnull=False, deleted_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.url

    def signing_secrets(self, *, now: datetime) -> list[str]:
        """Return the secrets that are valid, the newest first: requests carry a signature by each."""
        overlaps = self.previous_until is not None and now < self.previous_until
        return [self.secret, *(self.previous_secrets if overlaps else [])]

    @property
    def is_enabled(self) -> bool:
        """Whether events are delivered to it."""
        return self.disabled_at is None and self.deleted_at is None


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint; what is sent is the event, which never changes."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries")
    event = models.ForeignKey("core.Event", on_delete=models.PROTECT, related_name="+")
    is_redelivery = models.BooleanField(default=False, db_default=False)
    status = models.TextField(
        choices=[(s.value, s.value) for s in DeliveryStatus],
        default=DeliveryStatus.PENDING,
        db_default=DeliveryStatus.PENDING,
    )
    attempts = models.IntegerField(default=0, db_default=0)
    created_at = models.DateTimeField()
    # None: nothing more is tried.
    next_attempt_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "core_webhookdelivery"
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.CheckConstraint(
                condition=Q(status=DeliveryStatus.PENDING, next_attempt_at__isnull=False, finished_at=None)
                | Q(
                    status__in=[s.value for s in DeliveryStatus if s is not DeliveryStatus.PENDING],
                    next_attempt_at__isnull=True,
                    finished_at__isnull=False,
                ),
                name="core_webhookdelivery_pending_or_over",
            ),
            # However often somebody asks for it again.
            models.UniqueConstraint(
                fields=["endpoint", "event"],
                condition=Q(status=DeliveryStatus.PENDING),
                name="core_webhookdelivery_one_pending",
            ),
        ]
        indexes = [
            # What an endpoint is owed next.
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                name="core_webhookdelivery_due",
                condition=Q(status=DeliveryStatus.PENDING),
            ),
            # The log of an endpoint, newest first; which events it has been sent.
            models.Index(fields=["endpoint", "id"], name="core_webhookdelivery_log"),
            models.Index(fields=["event", "endpoint"], name="core_webhookdelivery_event"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.status})"


class WebhookAttempt(models.Model):
    """One request that was sent, and what came back; the body was that of the delivery's event."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.PROTECT, related_name="log")
    number = models.IntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.IntegerField()
    url = models.TextField()
    request_headers = models.JSONField()
    # None: no answer, and `error` says why.
    response_status = models.IntegerField(null=True)
    response_body = models.TextField(default="", db_default="")
    error = models.TextField(default="", db_default="")

    class Meta:
        db_table = "core_webhookattempt"
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="core_webhookattempt_once"),
            models.CheckConstraint(
                condition=Q(response_status__isnull=False) | ~Q(error=""),
                name="core_webhookattempt_answer_or_error",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} #{self.number}"
