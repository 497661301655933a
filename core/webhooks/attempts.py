"""Attempts: the log of every request that was sent and of what came back, for as long as it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from core.forgetting import forget
from core.models import WebhookAttempt, WebhookDelivery


@dataclass(frozen=True)
class Answer:
    """What came of one request; `status` is None where nothing came, and `error` says why."""

    headers: dict[str, str]
    duration_ms: int
    status: int | None
    body: str = ""
    error: str = ""


def write(delivery: WebhookDelivery, answer: Answer, *, url: str, now: datetime) -> None:
    """Log the latest attempt of a delivery; a step."""
    WebhookAttempt.objects.create(
        delivery=delivery,
        number=delivery.attempts,
        started_at=now,
        duration_ms=answer.duration_ms,
        url=url,
        request_headers=answer.headers,
        response_status=answer.status,
        response_body=answer.body,
        error=answer.error,
    )


def of(delivery: WebhookDelivery) -> Sequence[WebhookAttempt]:
    """Return the attempts of a delivery that are kept, in order."""
    return list(WebhookAttempt.objects.filter(delivery=delivery).order_by("number"))


def forget_old(*, now: datetime) -> int:
    """Delete attempts that are older than they are kept; return how many. Their deliveries stay."""
    return forget("core_webhookattempt", "started_at", before=now - _kept())


def count_old(*, now: datetime) -> int:
    """Return how many attempts are older than they are kept."""
    return WebhookAttempt.objects.filter(started_at__lt=now - _kept()).count()


def _kept() -> timedelta:
    return timedelta(days=settings.WEBHOOK_LOG_RETENTION_DAYS)
