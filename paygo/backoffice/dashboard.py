"""The dashboard: the business at a glance."""

from typing import Any

from django.http import HttpRequest

from paygo.backoffice import queues


def callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return what the first page shows."""
    return {**context, "queue_counts": queues.counts(request)}
