"""A method for every call of webhooks. Written by clients/generate.py: do not edit."""

from typing import Literal

from paygo_client import types as _types
from paygo_client.http import Transport


class WebhooksCalls(Transport):
    """The calls of webhooks; amounts are in ZEC."""

    def show_webhook_delivery(
        self,
        delivery_id: str,
    ) -> _types.DeliveryWithLog:
        """Answer what was sent at each attempt, and what came back.

        Scope: `webhooks:read`.
        """
        answer: _types.DeliveryWithLog = self._json(
            "GET", f"/api/v1/webhooks/deliveries/{self._part(delivery_id)}"
        )
        return answer

    def redeliver_webhook(
        self,
        delivery_id: str,
        *,
        idempotency_key: str | None = None,
    ) -> _types.DeliveryState:
        """Send the event once more, with the same `webhook-id`; one that still waits is sent at once.

        Scope: `webhooks:write`.
        """
        answer: _types.DeliveryState = self._json(
            "POST",
            f"/api/v1/webhooks/deliveries/{self._part(delivery_id)}/redeliver",
            idempotency_key=idempotency_key,
        )
        return answer

    def list_webhook_endpoints(
        self,
    ) -> _types.EndpointList:
        """Answer the client's endpoints, oldest first.

        Scope: `webhooks:read`.
        """
        answer: _types.EndpointList = self._json("GET", "/api/v1/webhooks/endpoints")
        return answer

    def create_webhook_endpoint(
        self,
        *,
        url: str,
        description: str | None = None,
        types: list[
            Literal[
                "permission.created",
                "permission.activated",
                "permission.queued",
                "permission.exhausted",
                "permission.expired",
                "permission.revoked",
                "permission.suspended",
                "permission.lapsed",
                "permission.extended",
                "permission.refund_address_changed",
                "permission.low_balance",
                "permission.expiring",
                "deposit.seen",
                "deposit.gone",
                "deposit.confirmed",
                "deposit.reversed",
                "session.started",
                "session.paused",
                "session.resumed",
                "session.grant_changed",
                "session.ended",
                "refund.queued",
                "refund.sending",
                "refund.sent",
                "refund.confirmed",
                "refund.failed",
                "refund.cancelled",
                "refund.unknown",
                "authorization.active",
                "authorization.exhausted",
                "authorization.expired",
                "authorization.revoked",
                "authorization.suspended",
                "collection.pending",
                "collection.submitted",
                "collection.unknown",
                "collection.confirmed",
                "collection.failed",
                "payout.queued",
                "payout.sending",
                "payout.sent",
                "payout.confirmed",
                "payout.failed",
                "payout.cancelled",
                "payout.unknown",
                "vendor.payout_address_changed",
                "webhook.disabled",
            ]
        ]
        | None = None,
        idempotency_key: str | None = None,
    ) -> _types.EndpointWithSecret:
        """Be told of every event from now on; the answer has the secret that its signature verifies
        by.

        Scope: `webhooks:write`.
        """
        answer: _types.EndpointWithSecret = self._json(
            "POST",
            "/api/v1/webhooks/endpoints",
            body=self._given({"url": url}, description=description, types=types),
            idempotency_key=idempotency_key,
        )
        return answer

    def show_webhook_endpoint(
        self,
        endpoint_id: str,
    ) -> _types.EndpointState:
        """Answer the endpoint, and since when it fails.

        Scope: `webhooks:read`.
        """
        answer: _types.EndpointState = self._json(
            "GET", f"/api/v1/webhooks/endpoints/{self._part(endpoint_id)}"
        )
        return answer

    def delete_webhook_endpoint(
        self,
        endpoint_id: str,
        *,
        idempotency_key: str | None = None,
    ) -> _types.DeletedEndpoint:
        """Send nothing to it ever again, and forget its secret.

        Scope: `webhooks:write`.
        """
        answer: _types.DeletedEndpoint = self._json(
            "POST",
            f"/api/v1/webhooks/endpoints/{self._part(endpoint_id)}/delete",
            idempotency_key=idempotency_key,
        )
        return answer

    def list_webhook_deliveries(
        self,
        endpoint_id: str,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> _types.DeliveryPage:
        """Answer what was and is to be delivered, newest first, a page at a time.

        Scope: `webhooks:read`.
        """
        answer: _types.DeliveryPage = self._json(
            "GET",
            f"/api/v1/webhooks/endpoints/{self._part(endpoint_id)}/deliveries",
            query={"after": after, "limit": limit},
        )
        return answer

    def disable_webhook_endpoint(
        self,
        endpoint_id: str,
        *,
        idempotency_key: str | None = None,
    ) -> _types.EndpointState:
        """Send nothing to it, until it is enabled again.

        Scope: `webhooks:write`.
        """
        answer: _types.EndpointState = self._json(
            "POST",
            f"/api/v1/webhooks/endpoints/{self._part(endpoint_id)}/disable",
            idempotency_key=idempotency_key,
        )
        return answer

    def enable_webhook_endpoint(
        self,
        endpoint_id: str,
        *,
        idempotency_key: str | None = None,
    ) -> _types.EndpointState:
        """Send events to it again; those of the time between are in `GET /api/v1/events`.

        Scope: `webhooks:write`.
        """
        answer: _types.EndpointState = self._json(
            "POST",
            f"/api/v1/webhooks/endpoints/{self._part(endpoint_id)}/enable",
            idempotency_key=idempotency_key,
        )
        return answer

    def rotate_secret_of_webhook_endpoint(
        self,
        endpoint_id: str,
        *,
        overlap_hours: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.EndpointWithSecret:
        """Sign with a new secret, and with those that are valid by now too until `overlap_hours` are
        over.

        Scope: `webhooks:write`.
        """
        answer: _types.EndpointWithSecret = self._json(
            "POST",
            f"/api/v1/webhooks/endpoints/{self._part(endpoint_id)}/rotate",
            body=self._given({}, overlap_hours=overlap_hours),
            idempotency_key=idempotency_key,
        )
        return answer
