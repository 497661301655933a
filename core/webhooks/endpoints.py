"""Endpoints: what a client can do with them."""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from core import db, feed, idempotency, jsonrows
from core.idempotency import Receipt
from core.models import User, WebhookDelivery, WebhookEndpoint
from core.webhooks import deliveries
from core.webhooks.errors import (
    DeliveryNotFound,
    EndpointDisabled,
    EndpointNotFound,
    TooManyEndpoints,
    TooManySecrets,
)
from core.webhooks.rules import DeliveryStatus, DisabledReason
from core.webhooks.sender import check_url

# What a receipt must not keep: a deleted endpoint's secrets are forgotten. The new one follows from the seed.
_SECRETS = ("secret", "previous_secrets")
# Each adds a signature to every request.
_MAX_PREVIOUS_SECRETS = 4


def create(
    url: str,
    *,
    client_id: int,
    kinds: Sequence[str] = (),
    description: str = "",
    now: datetime,
    receipt: Receipt | None = None,
) -> WebhookEndpoint:
    """Make an endpoint that gets the client's events from now on, of some kinds if any are named.

    Raises:
        UrlRefused: nothing would be sent there.
        TooManyEndpoints: the client has as many as it may have.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    check_url(url)
    with db.operation():
        if receipt and (result := idempotency.claim(receipt, now=now)):
            return _as_answered(result)
        # Two calls at once would each see room for one more.
        User.objects.select_for_update(no_key=True).get(pk=client_id)
        if of_client(client_id).count() >= settings.MAX_WEBHOOK_ENDPOINTS:
            raise TooManyEndpoints(f"a client has at most {settings.MAX_WEBHOOK_ENDPOINTS}")
        seed = idempotency.new_seed()
        endpoint = WebhookEndpoint.objects.create(
            client_id=client_id,
            url=url,
            kinds=list(kinds),
            description=description,
            secret=_secret_of(seed),
            created_at=now,
        )
        if receipt:
            idempotency.store(receipt, _kept(endpoint, seed), now=now)
    return endpoint


def rotate(
    public_id: UUID, *, client_id: int, overlap: timedelta, now: datetime, receipt: Receipt | None = None
) -> WebhookEndpoint:
    """Sign with a new secret, and for as long as `overlap` with every one that is valid by now.

    Whoever rotates twice, because the first answer was lost, say, has receivers that know only the oldest.
    Without an overlap nothing but the new secret signs.

    Raises:
        EndpointNotFound; TooManySecrets: as many as may be are valid already.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    with db.operation():
        if receipt and (result := idempotency.claim(receipt, now=now)):
            return _as_answered(result)
        endpoint, seed = lock(public_id, client_id=client_id), idempotency.new_seed()
        _replace_secret(endpoint, _secret_of(seed), overlap=overlap, now=now)
        if receipt:
            idempotency.store(receipt, _kept(endpoint, seed), now=now)
    return endpoint


def enable(
    public_id: UUID, *, client_id: int | None = None, now: datetime, receipt: Receipt | None = None
) -> WebhookEndpoint:
    """Let an endpoint get events again, from now on; what it missed is there to be replayed or read.

    Raises:
        EndpointNotFound; KeyInFlight, KeyReused: see core.idempotency.
    """
    return _switch(public_id, switch_on, client_id=client_id, now=now, receipt=receipt)


def switch_on(endpoint: WebhookEndpoint) -> None:
    """Let a locked endpoint get events again, as if it had never failed; a step."""
    db.require_transaction()
    endpoint.disabled_at = endpoint.disabled_reason = None
    endpoint.failing_since, endpoint.failures, endpoint.resume_at = None, 0, None
    endpoint.save()


def disable(
    public_id: UUID, *, client_id: int, now: datetime, receipt: Receipt | None = None
) -> WebhookEndpoint:
    """Send nothing more to an endpoint until it is enabled again; a disabled one stays as it is.

    Raises:
        EndpointNotFound; KeyInFlight, KeyReused: see core.idempotency.
    """
    switch_off = partial(_switch_off, now=now)
    return _switch(public_id, switch_off, client_id=client_id, now=now, receipt=receipt)


def delete(public_id: UUID, *, client_id: int, now: datetime, receipt: Receipt | None = None) -> None:
    """Send nothing more to an endpoint, and forget its secrets; its log stays for the operator.

    Raises:
        EndpointNotFound; KeyInFlight, KeyReused: see core.idempotency.
    """
    with db.operation():
        if receipt and idempotency.claim(receipt, now=now):
            return
        endpoint = lock(public_id, client_id=client_id)
        _switch_off(endpoint, now=now)
        endpoint.deleted_at, endpoint.secret = now, ""
        endpoint.previous_secrets, endpoint.previous_until = [], None
        endpoint.save(update_fields=["deleted_at", "secret", "previous_secrets", "previous_until"])
        if receipt:
            idempotency.store(receipt, {"endpoint_id": str(public_id)}, now=now)


def redeliver(
    delivery_id: UUID, *, client_id: int | None = None, now: datetime, receipt: Receipt | None = None
) -> WebhookDelivery:
    """Send the event of a delivery once more, and return the delivery that does; one that waits is due now.

    Raises:
        DeliveryNotFound, EndpointDisabled; KeyInFlight, KeyReused: see core.idempotency.
    """
    with db.operation():
        if receipt and (result := idempotency.claim(receipt, now=now)):
            return jsonrows.as_kept(WebhookDelivery, result)
        again = send_again(delivery_id, client_id=client_id, now=now)
        if receipt:
            idempotency.store(receipt, jsonrows.kept(again), now=now)
    return again


def send_again(delivery_id: UUID, *, client_id: int | None = None, now: datetime) -> WebhookDelivery:
    """Do what `redeliver` does; a step."""
    db.require_transaction()
    found = find_delivery(delivery_id, client_id=client_id)
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=found.endpoint_id)
    if not endpoint.is_enabled:
        raise EndpointDisabled("enable the endpoint first")
    waiting = WebhookDelivery.objects.filter(
        endpoint=endpoint, event_id=found.event_id, status=DeliveryStatus.PENDING
    ).first()
    again = waiting or WebhookDelivery(
        endpoint=endpoint, event_id=found.event_id, is_redelivery=True, created_at=now
    )
    again.next_attempt_at = now
    again.save()
    # Whoever asks has repaired it.
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(resume_at=None)
    return again


def of_client(client_id: int) -> QuerySet[WebhookEndpoint]:
    """Return a client's endpoints."""
    return WebhookEndpoint.objects.filter(client_id=client_id, deleted_at=None)


def find(public_id: UUID, *, client_id: int | None = None) -> WebhookEndpoint:
    """Return an endpoint, of this client if one is named.

    Raises:
        EndpointNotFound: it does not exist, was deleted, or is another client's.
    """
    return _one(WebhookEndpoint.objects.all(), public_id, client_id=client_id)


def find_delivery(public_id: UUID, *, client_id: int | None = None) -> WebhookDelivery:
    """Return a delivery with its event and endpoint, of this client if one is named.

    Raises:
        DeliveryNotFound: it does not exist, or is another client's.
    """
    found = WebhookDelivery.objects.filter(public_id=public_id, endpoint__deleted_at=None)
    if client_id is not None:
        found = found.filter(endpoint__client_id=client_id)
    delivery = found.select_related("event", "endpoint").first()
    if delivery is None:
        raise DeliveryNotFound(f"no delivery {public_id}")
    return delivery


def log_of(endpoint: WebhookEndpoint, *, before: UUID | None, limit: int) -> Sequence[WebhookDelivery]:
    """Return deliveries to an endpoint, newest first, those that are older than one.

    Raises:
        DeliveryNotFound: `before` is none of this endpoint's.
    """
    found = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event")
    if before is not None:
        found = found.filter(pk__lt=find_delivery(before, client_id=endpoint.client_id).pk)
    return list(found.order_by("-pk")[:limit])


def replay_from(endpoint: WebhookEndpoint, *, after: int, now: datetime, even_taken: bool = False) -> int:
    """Let an enabled endpoint have every event after a position that it has not taken; return how many.

    Raises:
        EndpointDisabled: it would get none of them.
    """
    _require_enabled(endpoint)
    until = feed.last_position(client_id=endpoint.client_id)
    return deliveries.replay(endpoint, after=after, until=until, now=now, even_taken=even_taken)


def count_replay(
    endpoint: WebhookEndpoint, *, after: int, even_taken: bool = False, even_disabled: bool = False
) -> int:
    """Return how many events `replay_from` would let an endpoint have.

    Raises:
        EndpointDisabled: it would get none of them.
    """
    if not even_disabled:
        _require_enabled(endpoint)
    until = feed.last_position(client_id=endpoint.client_id)
    return deliveries.count_replay(endpoint, after=after, until=until, even_taken=even_taken)


def _require_enabled(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_enabled:
        raise EndpointDisabled("enable the endpoint first")


def _one(found: QuerySet[WebhookEndpoint], public_id: UUID, *, client_id: int | None) -> WebhookEndpoint:
    if client_id is not None:
        found = found.filter(client_id=client_id)
    endpoint = found.filter(public_id=public_id, deleted_at=None).first()
    if endpoint is None:
        raise EndpointNotFound(f"no webhook endpoint {public_id}")
    return endpoint


def lock(public_id: UUID, *, client_id: int | None = None) -> WebhookEndpoint:
    """Lock an endpoint that was not deleted, of this client if one is named; a step.

    Raises:
        EndpointNotFound.
    """
    return _one(WebhookEndpoint.objects.select_for_update(no_key=True), public_id, client_id=client_id)


def _replace_secret(endpoint: WebhookEndpoint, secret: str, *, overlap: timedelta, now: datetime) -> None:
    previous = endpoint.signing_secrets(now=now) if overlap else []
    if len(previous) > _MAX_PREVIOUS_SECRETS:
        raise TooManySecrets(f"until {endpoint.previous_until:%Y-%m-%d %H:%M} UTC, or rotate without overlap")
    endpoint.previous_secrets, endpoint.previous_until = previous, now + overlap if previous else None
    endpoint.secret = secret
    endpoint.save(update_fields=["secret", "previous_secrets", "previous_until"])


def _switch(
    public_id: UUID,
    how: Callable[[WebhookEndpoint], None],
    *,
    client_id: int | None,
    now: datetime,
    receipt: Receipt | None,
) -> WebhookEndpoint:
    with db.operation():
        if receipt and (result := idempotency.claim(receipt, now=now)):
            return jsonrows.as_kept(WebhookEndpoint, result)
        endpoint = lock(public_id, client_id=client_id)
        how(endpoint)
        if receipt:
            idempotency.store(receipt, jsonrows.kept(endpoint, without=_SECRETS), now=now)
    return endpoint


def _switch_off(endpoint: WebhookEndpoint, *, now: datetime) -> None:
    if endpoint.is_enabled:
        deliveries.disable(endpoint, reason=DisabledReason.CLIENT, now=now)


def _kept(endpoint: WebhookEndpoint, seed: str) -> dict[str, Any]:
    return {"seed": seed, "endpoint": jsonrows.kept(endpoint, without=_SECRETS)}


def _as_answered(result: Mapping[str, Any]) -> WebhookEndpoint:
    """Return the endpoint as the first call with this Idempotency-Key told of it, whatever became of it."""
    endpoint = jsonrows.as_kept(WebhookEndpoint, result["endpoint"])
    endpoint.secret = _secret_of(result["seed"])
    return endpoint


def _secret_of(seed: str) -> str:
    """Return a secret in the form of Standard Webhooks, of 256 random bits."""
    secret = idempotency.secret_of(seed, purpose="webhook-endpoint")
    return "whsec_" + base64.b64encode(secret).decode()
