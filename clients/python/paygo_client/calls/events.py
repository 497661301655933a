"""A method for every call of events. Written by clients/generate.py: do not edit."""

from collections.abc import Iterator
from typing import Literal

from paygo_client import types as _types
from paygo_client.http import Transport
from paygo_client.sse import Event


class EventsCalls(Transport):
    """The calls of events; amounts are in ZEC."""

    def list_events(
        self,
        *,
        after: int | None = None,
        limit: int | None = None,
        subject: str | None = None,
        type_: Literal[
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
        | None = None,
    ) -> _types.EventPage:
        """Answer what happened after a position; ask again from `next_after` on, and nothing is
        missed.

        Scope: `events:read`.
        """
        answer: _types.EventPage = self._json(
            "GET", "/api/v1/events", query={"after": after, "limit": limit, "subject": subject, "type": type_}
        )
        return answer

    def stream_events(
        self,
        *,
        after: int | None = None,
    ) -> Iterator[Event]:
        """Answer server-sent events: `id` is the position, `event` the kind, `data` the event.

        After a break the client's `Last-Event-ID` goes on where it was. The stream ends after ten
        minutes.

        Scope: `events:read`.
        """
        return self._stream("GET", "/api/v1/events/stream", query={"after": after})
