"""Bodies of the calls about webhooks: what they take, and what they answer."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from core.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from core.webhooks import sender
from core.webhooks.rules import DeliveryStatus, DisabledReason
from paygo.api.event_kinds import KINDS
from paygo.api.fields import (
    ChoiceField,
    ChoicesField,
    DescriptionField,
    StrictSerializer,
    TextField,
    UuidTextField,
    WholeField,
    WholeTextField,
)
from paygo.api.render import instant, instant_or_none

_MAX_OVERLAP_HOURS, _OVERLAP_HOURS = 168, 24
_SECRET = "Signs (Standard Webhooks); shown here only."  # noqa: S105  # no secret
_REASONS = [each.value for each in DisabledReason]


class EndpointRequest(StrictSerializer):
    """Where to be told of what."""

    url = TextField(most=sender.MAX_URL, help_text="https; its address must be a public one.")
    types = ChoicesField(KINDS, required=False, help_text="Kinds of events; all of them without any.")
    description = DescriptionField(required=False)


class RotationRequest(StrictSerializer):
    """How a secret is changed."""

    overlap_hours = WholeField(
        low=0,
        high=_MAX_OVERLAP_HOURS,
        required=False,
        help_text=f"How long the old secrets sign too; {_OVERLAP_HOURS} without one. 0: none of them does.",
    )


class DeliveriesQuery(StrictSerializer):
    """Which deliveries, newest first."""

    limit = WholeTextField(low=1, high=100, default=50, help_text="Deliveries on a page.")
    after = UuidTextField(required=False, help_text="Those older than this one.")


class EndpointState(serializers.Serializer[Any]):
    """A webhook endpoint."""

    endpoint_id = serializers.UUIDField()
    url = serializers.CharField()
    types = serializers.ListField(child=serializers.CharField(), help_text="Empty: every kind")
    description = serializers.CharField()
    status = ChoiceField(["enabled", "disabled"])
    disabled_reason = ChoiceField(_REASONS, allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True, help_text="It took nothing since then")
    previous_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when secrets of before the last rotation sign too"
    )
    created_at = serializers.DateTimeField()


class EndpointWithSecret(EndpointState):
    """A webhook endpoint with the secret that it verifies by."""

    secret = serializers.CharField(help_text=_SECRET)


class EndpointList(serializers.Serializer[Any]):
    """A client's webhook endpoints."""

    endpoints = EndpointState(many=True)


class DeletedEndpoint(serializers.Serializer[Any]):
    """An endpoint that is no more."""

    endpoint_id = serializers.UUIDField()


class DeliveryState(serializers.Serializer[Any]):
    """One event on its way to one endpoint."""

    delivery_id = serializers.UUIDField()
    event_id = serializers.UUIDField()
    type = serializers.CharField()
    status = ChoiceField([each.value for each in DeliveryStatus])
    is_redelivery = serializers.BooleanField()
    attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class DeliveryPage(serializers.Serializer[Any]):
    """Some deliveries to an endpoint, newest first."""

    deliveries = DeliveryState(many=True)
    next_after = serializers.UUIDField(allow_null=True, help_text="`after` of the next page; null: the last")


class AttemptState(serializers.Serializer[Any]):
    """One request, and what came back."""

    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()
    url = serializers.CharField()
    request_headers = serializers.DictField()
    response_status = serializers.IntegerField(allow_null=True, help_text="null: no answer")
    response_body = serializers.CharField(help_text="Its first 4 KiB")
    error = serializers.CharField(help_text="Why there was no answer")


class DeliveryWithLog(DeliveryState):
    """A delivery, what is sent, and every attempt at it."""

    request_body = serializers.CharField()
    log = AttemptState(many=True)


def render_endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return an endpoint without its secret."""
    return {
        "endpoint_id": str(endpoint.public_id),
        "url": endpoint.url,
        "types": endpoint.kinds,
        "description": endpoint.description,
        "status": "enabled" if endpoint.is_enabled else "disabled",
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": instant_or_none(endpoint.failing_since),
        "previous_secret_until": instant_or_none(endpoint.previous_until),
        "created_at": instant(endpoint.created_at),
    }


def render_with_secret(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return an endpoint with its secret."""
    return {**render_endpoint(endpoint), "secret": endpoint.secret}


def render_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    """Return a delivery."""
    return {
        "delivery_id": str(delivery.public_id),
        "event_id": str(delivery.event.uid),
        "type": delivery.event.kind,
        "status": delivery.status,
        "is_redelivery": delivery.is_redelivery,
        "attempts": delivery.attempts,
        "created_at": instant(delivery.created_at),
        "next_attempt_at": instant_or_none(delivery.next_attempt_at),
        "finished_at": instant_or_none(delivery.finished_at),
    }


def render_deliveries(found: Sequence[WebhookDelivery], *, limit: int) -> dict[str, Any]:
    """Return a page of deliveries; one more than the limit was looked for."""
    shown = found[:limit]
    return {
        "deliveries": [render_delivery(each) for each in shown],
        "next_after": str(shown[-1].public_id) if len(found) > limit else None,
    }


def render_with_log(delivery: WebhookDelivery, attempts: Sequence[WebhookAttempt]) -> dict[str, Any]:
    """Return a delivery, what is sent, and every attempt at it."""
    return {
        **render_delivery(delivery),
        "request_body": sender.body_of(delivery),
        "log": [_attempt(each) for each in attempts],
    }


def _attempt(attempt: WebhookAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": instant(attempt.started_at),
        "duration_ms": attempt.duration_ms,
        "url": attempt.url,
        "request_headers": attempt.request_headers,
        "response_status": attempt.response_status,
        "response_body": attempt.response_body,
        "error": attempt.error,
    }
