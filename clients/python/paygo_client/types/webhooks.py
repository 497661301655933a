"""What the calls of webhooks answer. Written by clients/generate.py: do not edit."""

from typing import Any, Literal, TypedDict


class AttemptState(TypedDict):
    """One request, and what came back."""

    duration_ms: int
    error: str
    number: int
    request_headers: dict[str, Any]
    response_body: str
    response_status: int | None
    started_at: str
    url: str


class DeliveryWithLog(TypedDict):
    """A delivery, what is sent, and every attempt at it."""

    attempts: int
    created_at: str
    delivery_id: str
    event_id: str
    finished_at: str | None
    is_redelivery: bool
    log: list[AttemptState]
    next_attempt_at: str | None
    request_body: str
    status: Literal["pending", "delivered", "failed"]
    type: str


class DeliveryState(TypedDict):
    """One event on its way to one endpoint."""

    attempts: int
    created_at: str
    delivery_id: str
    event_id: str
    finished_at: str | None
    is_redelivery: bool
    next_attempt_at: str | None
    status: Literal["pending", "delivered", "failed"]
    type: str


class EndpointState(TypedDict):
    """A webhook endpoint."""

    created_at: str
    description: str
    disabled_reason: Literal["client", "failing", "gone"] | None
    endpoint_id: str
    failing_since: str | None
    previous_secret_until: str | None
    status: Literal["enabled", "disabled"]
    types: list[str]
    url: str


class EndpointList(TypedDict):
    """A client's webhook endpoints."""

    endpoints: list[EndpointState]


class EndpointWithSecret(TypedDict):
    """A webhook endpoint with the secret that it verifies by."""

    created_at: str
    description: str
    disabled_reason: Literal["client", "failing", "gone"] | None
    endpoint_id: str
    failing_since: str | None
    previous_secret_until: str | None
    secret: str
    status: Literal["enabled", "disabled"]
    types: list[str]
    url: str


class DeletedEndpoint(TypedDict):
    """An endpoint that is no more."""

    endpoint_id: str


class DeliveryPage(TypedDict):
    """Some deliveries to an endpoint, newest first."""

    deliveries: list[DeliveryState]
    next_after: str | None
