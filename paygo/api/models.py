"""API keys: who may call, with which scopes; only a digest of the key is kept."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class ApiKey(models.Model):
    """A client's key. The prefix tells keys apart in lists; the digest is what a call is looked up by."""

    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.TextField(), default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    # What it was made for: rotation shortens `expires_at` and gives the new key as long a life.
    lifetime = models.DurationField(null=True, blank=True)
    replaces = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="successors"
    )

    # Of a key and all that rotation has made of it: they share one budget of calls. No number, which could be
    # another key's after the database was restored.
    family = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        db_table = "api_key"
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"
