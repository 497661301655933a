"""A method for every call of the API. Written by clients/generate.py: do not edit."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from paygo_client import types as _types
from paygo_client.http import Transport
from paygo_client.sse import Event


class Calls(Transport):
    """Every call of the API; amounts are in ZEC."""

    def create_ethereum_authorization(
        self,
        *,
        chain_id: int,
        limit: str,
        privacy_consent: bool,
        rate_per_hour: str,
        token: str,
        wallet_address: str,
        duration_days: int | None = None,
        linked_wallet_address: str | None = None,
        idempotency_key: str | None = None,
    ) -> _types.CreatedAuthorization:
        """Answer what the wallet has to sign, and the allowance that the spender needs.

        Scope: `permissions:write`.
        """
        answer: _types.CreatedAuthorization = self._json(
            "POST",
            "/api/v1/ethereum/authorizations",
            body=self._given(
                {
                    "chain_id": chain_id,
                    "limit": limit,
                    "privacy_consent": privacy_consent,
                    "rate_per_hour": rate_per_hour,
                    "token": token,
                    "wallet_address": wallet_address,
                },
                duration_days=duration_days,
                linked_wallet_address=linked_wallet_address,
            ),
            idempotency_key=idempotency_key,
        )
        return answer

    def show_ethereum_authorization(
        self,
        authorization_id: str,
    ) -> _types.AuthorizationState:
        """Answer what may still be charged, and which bound makes it no more.

        Scope: `permissions:read`.
        """
        answer: _types.AuthorizationState = self._json(
            "GET", f"/api/v1/ethereum/authorizations/{self._part(authorization_id)}"
        )
        return answer

    def revoke_ethereum_authorization(
        self,
        authorization_id: str,
    ) -> _types.AuthorizationState:
        """End it and its sessions for good; what it owes is still collected.

        Scope: `permissions:write`.
        """
        answer: _types.AuthorizationState = self._json(
            "POST", f"/api/v1/ethereum/authorizations/{self._part(authorization_id)}/revoke"
        )
        return answer

    def verify_ethereum_authorization(
        self,
        authorization_id: str,
        *,
        signature: str,
        permit_signature: str | None = None,
    ) -> _types.AuthorizationState:
        """Activate it; 202 while the chain shows no allowance or balance yet. A repetition looks
        again.

        Scope: `permissions:write`.
        """
        answer: _types.AuthorizationState = self._json(
            "POST",
            f"/api/v1/ethereum/authorizations/{self._part(authorization_id)}/verify",
            body=self._given({"signature": signature}, permit_signature=permit_signature),
        )
        return answer

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

    def show_service_health(
        self,
        *,
        strict: Literal["0", "1"] | None = None,
    ) -> _types.HealthState:
        """Answer each part; 503 when the database is unusable, with `?strict=1` for any failing part."""
        answer: _types.HealthState = self._json("GET", "/api/v1/health", query={"strict": strict})
        return answer

    def list_api_keys(
        self,
    ) -> _types.KeyList:
        """Answer which keys there are, what they may do, and when each was used last.

        Scope: `keys:read`.
        """
        answer: _types.KeyList = self._json("GET", "/api/v1/keys")
        return answer

    def rotate_api_key(
        self,
        *,
        overlap_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.RotatedKey:
        """Make a key with the same scopes and life; the one that calls expires after the overlap.

        Where the answer was lost call again: with the same Idempotency-Key it is the same, without one
        what the first call has made is revoked if nobody has used it.

        Scope: `keys:write`.
        """
        answer: _types.RotatedKey = self._json(
            "POST",
            "/api/v1/keys/rotate",
            body=self._given({}, overlap_seconds=overlap_seconds),
            idempotency_key=idempotency_key,
        )
        return answer

    def mine_blocks(
        self,
        *,
        count: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.SimulatedTip:
        """Mine blocks at once, with what waits to be mined in the first.

        Scope: `sandbox`.
        """
        answer: _types.SimulatedTip = self._json(
            "POST",
            "/api/v1/sandbox/blocks",
            body=self._given({}, count=count),
            idempotency_key=idempotency_key,
        )
        return answer

    def advance_clock(
        self,
        *,
        advance_seconds: int,
        idempotency_key: str | None = None,
    ) -> _types.SandboxTime:
        """Move the time of the whole service forward; what is due by then happens before the answer.

        Scope: `sandbox`.
        """
        answer: _types.SandboxTime = self._json(
            "POST",
            "/api/v1/sandbox/clock",
            body={"advance_seconds": advance_seconds},
            idempotency_key=idempotency_key,
        )
        return answer

    def start_node_fault(
        self,
        *,
        kind: Literal[
            "slow",
            "hang",
            "half",
            "not_json",
            "huge",
            "redirect",
            "wrong_chain",
            "syncing",
            "reset_before",
            "reset_after",
            "server_error",
            "warming_up",
        ],
        after: int | None = None,
        method: str | None = None,
        seconds: int | None = None,
        times: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.NoFault:
        """Let the node be slow, silent, wrong or away, to see what happens then.

        Scope: `sandbox`.
        """
        answer: _types.NoFault = self._json(
            "POST",
            "/api/v1/sandbox/faults",
            body=self._given({"kind": kind}, after=after, method=method, seconds=seconds, times=times),
            idempotency_key=idempotency_key,
        )
        return answer

    def end_node_fault(
        self,
    ) -> _types.NoFault:
        """Let the node behave again.

        Scope: `sandbox`.
        """
        answer: _types.NoFault = self._json("POST", "/api/v1/sandbox/faults/end")
        return answer

    def simulate_payment(
        self,
        *,
        permission_id: str,
        amount: Decimal | float | None = None,
        blocks: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.SimulatedPayment:
        """Pay what a permission asks for, or any amount, as a viewer's wallet would.

        Scope: `sandbox`.
        """
        answer: _types.SimulatedPayment = self._json(
            "POST",
            "/api/v1/sandbox/payments",
            body=self._given({"permission_id": permission_id}, amount=amount, blocks=blocks),
            idempotency_key=idempotency_key,
        )
        return answer

    def reorganise_chain(
        self,
        *,
        depth: int,
        without_txid: str | None = None,
        idempotency_key: str | None = None,
    ) -> _types.SimulatedTip:
        """Put other blocks in the place of the last ones; their payments wait to be mined again.

        Scope: `sandbox`.
        """
        answer: _types.SimulatedTip = self._json(
            "POST",
            "/api/v1/sandbox/reorgs",
            body=self._given({"depth": depth}, without_txid=without_txid),
            idempotency_key=idempotency_key,
        )
        return answer

    def list_sessions(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        status: Literal["active", "paused", "ended"] | None = None,
        user_wallet_address: str | None = None,
    ) -> _types.SessionPageState:
        """Answer the client's sessions, newest first, a page at a time, each as it is at this moment.

        A page of one status can be short: time alone has ended some of its sessions meanwhile.

        Scope: `sessions:read`.
        """
        answer: _types.SessionPageState = self._json(
            "GET",
            "/api/v1/sessions",
            query={
                "after": after,
                "limit": limit,
                "status": status,
                "user_wallet_address": user_wallet_address,
            },
        )
        return answer

    def start_session(
        self,
        *,
        user_wallet_address: str,
        vendor_id: str,
        client_ref: str | None = None,
        heartbeat_seconds: int | None = None,
        max_amount: Decimal | float | None = None,
        idempotency_key: str | None = None,
    ) -> _types.StartedSession:
        """Start the meter; 200 with the open session where the same start was made before.

        409 `session_paused` where that session is paused. A 402 says in `accepts` how to pay.

        Scope: `sessions:write`.
        """
        answer: _types.StartedSession = self._json(
            "POST",
            "/api/v1/sessions",
            body=self._given(
                {"user_wallet_address": user_wallet_address, "vendor_id": vendor_id},
                client_ref=client_ref,
                heartbeat_seconds=heartbeat_seconds,
                max_amount=max_amount,
            ),
            idempotency_key=idempotency_key,
        )
        return answer

    def end_session(
        self,
        *,
        session_code: str,
    ) -> _types.EndedSession:
        """Stop the meter and answer the receipt; an ended session answers the same again.

        Scope: `sessions:write`.
        """
        answer: _types.EndedSession = self._json(
            "POST", "/api/v1/sessions/end", body={"session_code": session_code}
        )
        return answer

    def send_heartbeat(
        self,
        *,
        session_code: str,
    ) -> _types.AliveSession:
        """Renew the session's lease; 409 `session_ended` once it has ended, `session_paused` in a
        pause.

        Scope: `sessions:write`.
        """
        answer: _types.AliveSession = self._json(
            "POST", "/api/v1/sessions/heartbeat", body={"session_code": session_code}
        )
        return answer

    def pause_session(
        self,
        *,
        session_code: str,
    ) -> _types.PausedSession:
        """Stop the meter; a paused session answers the same again, an ended one 409 `session_ended`.

        Scope: `sessions:write`.
        """
        answer: _types.PausedSession = self._json(
            "POST", "/api/v1/sessions/pause", body={"session_code": session_code}
        )
        return answer

    def resume_session(
        self,
        *,
        session_code: str,
    ) -> _types.ResumedSession:
        """Start the meter again, as a start does and at the same price; a running session is only
        shown.

        Scope: `sessions:write`.
        """
        answer: _types.ResumedSession = self._json(
            "POST", "/api/v1/sessions/resume", body={"session_code": session_code}
        )
        return answer

    def show_session(
        self,
        session_code: str,
    ) -> _types.SessionState:
        """Answer what the meter says at this very moment.

        Scope: `sessions:read`.
        """
        answer: _types.SessionState = self._json("GET", f"/api/v1/sessions/{self._part(session_code)}")
        return answer

    def stream_session(
        self,
        session_code: str,
        *,
        every: int | None = None,
    ) -> Iterator[Event]:
        """Answer what `GET /sessions/{session_code}` does, now and whenever it changes, as events
        `state`.

        When the session has ended an event `end` follows, and the stream is over.

        Scope: `sessions:read`.
        """
        return self._stream(
            "GET", f"/api/v1/sessions/{self._part(session_code)}/stream", query={"every": every}
        )

    def list_vendors(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> _types.VendorPage:
        """Answer the client's vendors in order of their ids, a page at a time.

        Scope: `vendors:read`.
        """
        answer: _types.VendorPage = self._json(
            "GET", "/api/v1/vendors", query={"after": after, "limit": limit}
        )
        return answer

    def create_vendor(
        self,
        *,
        name: str,
        vendor_id: str,
        heartbeat_seconds: int | None = None,
        rate_per_hour: Decimal | float | None = None,
        idempotency_key: str | None = None,
    ) -> _types.VendorState:
        """Make somebody whose streams are paid for; 409 `vendor_exists` where the id is taken.

        Scope: `vendors:write`.
        """
        answer: _types.VendorState = self._json(
            "POST",
            "/api/v1/vendors",
            body=self._given(
                {"name": name, "vendor_id": vendor_id},
                heartbeat_seconds=heartbeat_seconds,
                rate_per_hour=rate_per_hour,
            ),
            idempotency_key=idempotency_key,
        )
        return answer

    def show_vendor(
        self,
        vendor_id: str,
    ) -> _types.VendorState:
        """Answer the vendor with its current price.

        Scope: `vendors:read`.
        """
        answer: _types.VendorState = self._json("GET", f"/api/v1/vendors/{self._part(vendor_id)}")
        return answer

    def activate_vendor(
        self,
        vendor_id: str,
    ) -> _types.VendorState:
        """Let the vendor take sessions; an active one answers the same.

        Scope: `vendors:write`.
        """
        answer: _types.VendorState = self._json("POST", f"/api/v1/vendors/{self._part(vendor_id)}/activate")
        return answer

    def deactivate_vendor(
        self,
        vendor_id: str,
    ) -> _types.VendorState:
        """Let the vendor take no new sessions, 404 `vendor_not_found`; those that are open go on.

        Scope: `vendors:write`.
        """
        answer: _types.VendorState = self._json("POST", f"/api/v1/vendors/{self._part(vendor_id)}/deactivate")
        return answer

    def show_earnings_of_vendor(
        self,
        vendor_id: str,
    ) -> _types.EarningsState:
        """Answer what streams have earned, what of it can be paid out, and what was.

        Scope: `vendors:read`.
        """
        answer: _types.EarningsState = self._json("GET", f"/api/v1/vendors/{self._part(vendor_id)}/earnings")
        return answer

    def set_payout_terms_of_vendor(
        self,
        vendor_id: str,
        *,
        payout_address: str | None,
        payout_schedule: Literal["manual", "daily", "weekly", "monthly"],
        payout_minimum: Decimal | float | None = None,
    ) -> _types.PayoutTermsState:
        """Say where earnings go to; an address that is new is not paid before a delay is over.

        Scope: `payouts:write`.
        """
        answer: _types.PayoutTermsState = self._json(
            "POST",
            f"/api/v1/vendors/{self._part(vendor_id)}/payout_terms",
            body=self._given(
                {"payout_address": payout_address, "payout_schedule": payout_schedule},
                payout_minimum=payout_minimum,
            ),
        )
        return answer

    def list_payouts_of_vendor(
        self,
        vendor_id: str,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> _types.PayoutPage:
        """Answer the payouts, latest first, a page at a time.

        Scope: `vendors:read`.
        """
        answer: _types.PayoutPage = self._json(
            "GET", f"/api/v1/vendors/{self._part(vendor_id)}/payouts", query={"after": after, "limit": limit}
        )
        return answer

    def ask_for_payout_to_vendor(
        self,
        vendor_id: str,
        *,
        idempotency_key: str | None = None,
    ) -> _types.PayoutState:
        """Pay out all that is available, whatever schedule and minimum say.

        Scope: `payouts:write`.
        """
        answer: _types.PayoutState = self._json(
            "POST", f"/api/v1/vendors/{self._part(vendor_id)}/payouts", idempotency_key=idempotency_key
        )
        return answer

    def list_prices_of_vendor(
        self,
        vendor_id: str,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> _types.PricePage:
        """Answer the versions, latest first, a page at a time.

        Scope: `vendors:read`.
        """
        answer: _types.PricePage = self._json(
            "GET", f"/api/v1/vendors/{self._part(vendor_id)}/prices", query={"after": after, "limit": limit}
        )
        return answer

    def set_price_of_vendor(
        self,
        vendor_id: str,
        *,
        rate_per_hour: Decimal | float | None,
        idempotency_key: str | None = None,
    ) -> _types.PriceVersion:
        """Add the next version, for sessions that start from now on; those that are open keep theirs.

        Scope: `vendors:write`.
        """
        answer: _types.PriceVersion = self._json(
            "POST",
            f"/api/v1/vendors/{self._part(vendor_id)}/prices",
            body={"rate_per_hour": rate_per_hour},
            idempotency_key=idempotency_key,
        )
        return answer

    def show_statement_of_vendor(
        self,
        vendor_id: str,
        *,
        after: int | None = None,
        format_: Literal["json", "csv", "html"] | None = None,
        limit: int | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> _types.StatementState:
        """Answer every movement of the vendor's money: what streams earned, fees, payouts.

        Scope: `vendors:read`.
        """
        answer: _types.StatementState = self._json(
            "GET",
            f"/api/v1/vendors/{self._part(vendor_id)}/statement",
            query={"after": after, "format": format_, "limit": limit, "since": since, "until": until},
        )
        return answer

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
    ) -> _types.EndpointState:
        """Send nothing to it, until it is enabled again.

        Scope: `webhooks:write`.
        """
        answer: _types.EndpointState = self._json(
            "POST", f"/api/v1/webhooks/endpoints/{self._part(endpoint_id)}/disable"
        )
        return answer

    def enable_webhook_endpoint(
        self,
        endpoint_id: str,
    ) -> _types.EndpointState:
        """Send events to it again; those of the time between are in `GET /api/v1/events`.

        Scope: `webhooks:write`.
        """
        answer: _types.EndpointState = self._json(
            "POST", f"/api/v1/webhooks/endpoints/{self._part(endpoint_id)}/enable"
        )
        return answer

    def rotate_secret_of_webhook_endpoint(
        self,
        endpoint_id: str,
        *,
        overlap_hours: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.EndpointWithSecret:
        """Sign with a new secret, and with the old one too until it ends.

        Scope: `webhooks:write`.
        """
        answer: _types.EndpointWithSecret = self._json(
            "POST",
            f"/api/v1/webhooks/endpoints/{self._part(endpoint_id)}/rotate",
            body=self._given({}, overlap_hours=overlap_hours),
            idempotency_key=idempotency_key,
        )
        return answer

    def show_wallet_balance_and_capacity(
        self,
        address: str,
        *,
        rate_per_hour: Decimal | float | None = None,
    ) -> _types.WalletBalance:
        """Answer what is visible, and for how long it would last.

        Scope: `permissions:read`.
        """
        answer: _types.WalletBalance = self._json(
            "GET", f"/api/v1/zcash/balance/{self._part(address)}", query={"rate_per_hour": rate_per_hour}
        )
        return answer

    def create_spending_permission(
        self,
        *,
        rate_per_hour: Decimal | float,
        requested_amount: Decimal | float,
        user_wallet_address: str,
        duration_days: int | None = None,
        max_sessions: int | None = None,
        notify_email: str | None = None,
        refund_address: str | None = None,
        return_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> _types.CreatedPermission:
        """Give the viewer an address of their own to pay to.

        Scope: `permissions:write`.
        """
        answer: _types.CreatedPermission = self._json(
            "POST",
            "/api/v1/zcash/permissions",
            body=self._given(
                {
                    "rate_per_hour": rate_per_hour,
                    "requested_amount": requested_amount,
                    "user_wallet_address": user_wallet_address,
                },
                duration_days=duration_days,
                max_sessions=max_sessions,
                notify_email=notify_email,
                refund_address=refund_address,
                return_url=return_url,
            ),
            idempotency_key=idempotency_key,
        )
        return answer

    def show_active_permission_of_wallet(
        self,
        address: str,
    ) -> _types.WalletPermission:
        """Answer what is left at this very moment.

        Scope: `permissions:read`.
        """
        answer: _types.WalletPermission = self._json(
            "GET", f"/api/v1/zcash/permissions/wallet/{self._part(address)}"
        )
        return answer

    def show_permission(
        self,
        permission_id: str,
    ) -> _types.PermissionState:
        """Answer what is left at this very moment.

        Scope: `permissions:read`.
        """
        answer: _types.PermissionState = self._json(
            "GET", f"/api/v1/zcash/permissions/{self._part(permission_id)}"
        )
        return answer

    def make_payer_link(
        self,
        permission_id: str,
        *,
        lasts_minutes: int | None = None,
        valid_minutes: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.MadePayerLink:
        """Answer a link to the page where the viewer stops sessions, pays more, and takes the rest
        back.

        It is for the viewer alone: give it only to who has logged in with you. It ends with the key that
        made it. A repetition makes another, unless it has the same Idempotency-Key.

        Scope: `permissions:write`.
        """
        answer: _types.MadePayerLink = self._json(
            "POST",
            f"/api/v1/zcash/permissions/{self._part(permission_id)}/payer_links",
            body=self._given({}, lasts_minutes=lasts_minutes, valid_minutes=valid_minutes),
            idempotency_key=idempotency_key,
        )
        return answer

    def revoke_payer_links_of_permission(
        self,
        permission_id: str,
        *,
        idempotency_key: str | None = None,
    ) -> _types.RevokedPayerLinks:
        """End every link of the permission and close the pages that they have opened, at once.

        Scope: `permissions:write`.
        """
        answer: _types.RevokedPayerLinks = self._json(
            "POST",
            f"/api/v1/zcash/permissions/{self._part(permission_id)}/payer_links/revoke",
            idempotency_key=idempotency_key,
        )
        return answer

    def show_payment_of_permission_qr_code(
        self,
        permission_id: str,
        *,
        format_: Literal["png", "svg"] | None = None,
    ) -> bytes:
        """Answer the payment URI for what is missing, as an image.

        Scope: `permissions:read`.
        """
        return self._bytes(
            "GET", f"/api/v1/zcash/permissions/{self._part(permission_id)}/qr", query={"format": format_}
        )

    def change_refund_address_of_permission(
        self,
        permission_id: str,
        *,
        refund_address: str,
    ) -> _types.PermissionState:
        """Take another address until the refund is sent; where money was seen, that waits for a day.

        Scope: `refunds:write`.
        """
        answer: _types.PermissionState = self._json(
            "POST",
            f"/api/v1/zcash/permissions/{self._part(permission_id)}/refund_address",
            body={"refund_address": refund_address},
        )
        return answer

    def revoke_permission(
        self,
        permission_id: str,
    ) -> _types.PermissionState:
        """End the permission and its sessions for good; a repetition answers the same.

        Scope: `permissions:write`.
        """
        answer: _types.PermissionState = self._json(
            "POST", f"/api/v1/zcash/permissions/{self._part(permission_id)}/revoke"
        )
        return answer

    def show_statement_of_permission(
        self,
        permission_id: str,
        *,
        after: int | None = None,
        format_: Literal["json", "csv", "html"] | None = None,
        limit: int | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> _types.StatementState:
        """Answer every movement of the permission's money, and what runs now.

        Scope: `permissions:read`.
        """
        answer: _types.StatementState = self._json(
            "GET",
            f"/api/v1/zcash/permissions/{self._part(permission_id)}/statement",
            query={"after": after, "format": format_, "limit": limit, "since": since, "until": until},
        )
        return answer

    def stream_permission(
        self,
        permission_id: str,
        *,
        every: int | None = None,
    ) -> Iterator[Event]:
        """Answer what `GET /permissions/{id}` does, now and whenever it has changed, as events
        `state`.

        When the permission has ended for good an event `end` follows, and the stream is over.

        Scope: `permissions:read`.
        """
        return self._stream(
            "GET", f"/api/v1/zcash/permissions/{self._part(permission_id)}/stream", query={"every": every}
        )

    def verify_payment_of_permission(
        self,
        permission_id: str,
    ) -> _types.VerifiedPermission:
        """Credit what is confirmed; 202 while the permission waits for money or confirmations.

        Scope: `permissions:write`.
        """
        answer: _types.VerifiedPermission = self._json(
            "POST", f"/api/v1/zcash/permissions/{self._part(permission_id)}/verify"
        )
        return answer
