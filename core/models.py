"""Tables of the kernel: users, the sandbox clock, receipts of idempotent calls and the event outbox."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from core.webhook_models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "ClockOffset",
    "Event",
    "ReceiptRow",
    "User",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]


class User(AbstractUser):
    """An operator of the back office, or a client: the owner of API keys, permissions and sessions.

    `rights_changed_at` is when the account was made, or its password, its flags or its roles changed last.
    The database writes it, whoever changes them by whatever way, and never moves it back.
    """

    rights_changed_at = models.DateTimeField(editable=False, db_default=Now())


class ClockOffset(models.Model):
    """The sandbox's forward-only offset to the database's clock; one row, 0 in production."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    offset_ms = models.BigIntegerField(default=0)

    class Meta:
        db_table = "core_clock"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="core_clock_single_row"),
            models.CheckConstraint(condition=Q(offset_ms__gte=0), name="core_clock_forward"),
        ]

    def __str__(self) -> str:
        return f"+{self.offset_ms} ms"


class ReceiptRow(models.Model):
    """What an idempotency key was used for, and the answer that a repetition gets."""

    client = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    endpoint = models.TextField()
    key = models.TextField()
    body_digest = models.BinaryField(max_length=32)
    # Ids that outside systems see (an address index) derive from it, so that a repetition after a crash
    # asks for the same thing.
    seed = models.UUIDField(default=uuid.uuid4)
    created_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    result = models.JSONField(null=True)

    class Meta:
        db_table = "core_receipt"
        constraints = [
            models.UniqueConstraint(fields=["client", "endpoint", "key"], name="core_receipt_once"),
            models.CheckConstraint(
                condition=Q(result__isnull=False) | Q(lease_until__isnull=False),
                name="core_receipt_answered_or_leased",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.key}"


class Event(models.Model):
    """One line of the outbox: a change of state, written in the transaction of the change.

    What it says is frozen at commit (trigger `core_event_frozen`). The publisher gives after commit, once,
    `position`, the order in which readers see events, and `sequence`, which counts those of one subject
    without a gap; until then they are null.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True)
    client = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    kind = models.TextField()
    subject = models.UUIDField()
    payload = models.JSONField()
    created_at = models.DateTimeField()
    position = models.BigIntegerField(null=True, unique=True)
    sequence = models.BigIntegerField(null=True)

    class Meta:
        db_table = "core_event"
        constraints = [
            models.CheckConstraint(
                condition=Q(position__isnull=True, sequence__isnull=True)
                | Q(position__gt=0, sequence__gt=0, sequence__isnull=False),
                name="core_event_published_whole",
            ),
            # It is also how the publisher finds a subject's last number.
            models.UniqueConstraint(
                fields=["subject", "sequence"],
                condition=Q(sequence__isnull=False),
                name="core_event_sequence_once",
            ),
        ]
        indexes = [
            # The publisher's query: what has no position yet, in order of insertion.
            models.Index(fields=["id"], name="core_event_unpublished", condition=Q(position__isnull=True)),
            # A reader's query: a client's events after a position.
            models.Index(
                fields=["client", "position"],
                name="core_event_feed",
                condition=Q(position__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uid}"
