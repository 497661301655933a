"""A method for every call of sessions. Written by clients/generate.py: do not edit."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from paygo_client import types as _types
from paygo_client.http import Transport
from paygo_client.sse import Event


class SessionsCalls(Transport):
    """The calls of sessions; amounts are in ZEC."""

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
        idempotency_key: str | None = None,
    ) -> _types.PausedSession:
        """Stop the meter; a paused session answers the same again, an ended one 409 `session_ended`.

        Scope: `sessions:write`.
        """
        answer: _types.PausedSession = self._json(
            "POST",
            "/api/v1/sessions/pause",
            body={"session_code": session_code},
            idempotency_key=idempotency_key,
        )
        return answer

    def resume_session(
        self,
        *,
        session_code: str,
        idempotency_key: str | None = None,
    ) -> _types.ResumedSession:
        """Start the meter again, as a start does and at the same price; a running session is only
        shown.

        Scope: `sessions:write`.
        """
        answer: _types.ResumedSession = self._json(
            "POST",
            "/api/v1/sessions/resume",
            body={"session_code": session_code},
            idempotency_key=idempotency_key,
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
