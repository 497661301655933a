"""Calls about streaming sessions."""

from types import MappingProxyType

from rest_framework.request import Request
from rest_framework.response import Response

from billing import engine, live, session_list
from billing.ethereum import readings
from core import clock
from core.errors import PaymentRequired
from paygo.api import invitation
from paygo.api.fields import SessionCodeField, path_value
from paygo.api.invitation import PaymentProblem
from paygo.api.schema import SESSION_IN_PATH, ProblemDocument, documented
from paygo.api.session_bodies import (
    AliveSession,
    EndedSession,
    EndRequest,
    HeartbeatRequest,
    SessionPageState,
    SessionRequest,
    SessionsQuery,
    SessionState,
    StartedSession,
    render_alive,
    render_ended,
    render_session,
    render_sessions,
    render_started,
)
from paygo.api.views import ApiView, body, client_id, query, receipt
from sessions_app.rules import SessionStatus

READ, WRITE = "sessions:read", "sessions:write"


class Sessions(ApiView):
    """All sessions of a client."""

    scopes = MappingProxyType({"GET": READ, "POST": WRITE})

    @documented(
        "List sessions", answers={200: SessionPageState}, problems=(400, 503), parameters=[SessionsQuery]
    )
    def get(self, request: Request) -> Response:
        """Answer the client's sessions, newest first, a page at a time, each as it is at this moment.

        A page of one status can be short: time alone has ended some of its sessions meanwhile.
        """
        asked = query(request, SessionsQuery)
        status = asked.get("status")
        found = session_list.page(
            client_id=client_id(request),
            wallet_address=asked.get("user_wallet_address"),
            status=SessionStatus(status) if status else None,
            after=asked.get("after"),
            limit=asked["limit"],
            now=clock.now(),
        )
        return Response(render_sessions(found))

    @documented(
        "Start a session",
        request=SessionRequest,
        answers={201: StartedSession, 200: StartedSession},
        problems={**dict.fromkeys((400, 404, 409, 422, 503), ProblemDocument), 402: PaymentProblem},
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Start the meter; 200 with the open session where the same start was made before.

        409 `session_paused` where that session is paused. A 402 says in `accepts` how to pay.
        """
        values = body(request, SessionRequest)
        asked = engine.StartRequest(
            wallet_address=values["user_wallet_address"],
            vendor_slug=values["vendor_id"],
            client_ref=values.get("client_ref", ""),
            heartbeat_seconds=values.get("heartbeat_seconds"),
            max_amount_zat=values.get("max_amount"),
        )
        client, now, key = client_id(request), clock.now(), receipt(request, values)
        readings.refresh_for_start(client_id=client, wallet_address=asked.wallet_address, now=now)
        try:
            started = engine.start(asked, client_id=client, now=now, receipt=key)
        except PaymentRequired as refusal:
            self.headers |= invitation.invite(refusal, values, client_id=client, now=now)
            raise
        location = f"{request.path}/{started.session_code}"
        status = 201 if started.created else 200
        return Response(render_started(started), status=status, headers={"Location": location})


class SessionEnd(ApiView):
    """The end of a session."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "End a session",
        request=EndRequest,
        answers={200: EndedSession},
        problems=(400, 404, 503),
    )
    def post(self, request: Request) -> Response:
        """Stop the meter and answer the receipt; an ended session answers the same again."""
        values = body(request, EndRequest)
        record = engine.end(values["session_code"], client_id=client_id(request), now=clock.now())
        return Response(render_ended(record))


class Session(ApiView):
    """One session."""

    scopes = MappingProxyType({"GET": READ})

    @documented(
        "Show a session",
        answers={200: SessionState},
        problems=(400, 404, 503),
        parameters=[SESSION_IN_PATH],
    )
    def get(self, request: Request, session_code: str) -> Response:
        """Answer what the meter says at this very moment."""
        code = path_value(SessionCodeField(), session_code, name="session_code")
        found = live.of_session(code, client_id=client_id(request), now=clock.now())
        return Response(render_session(found))


class Heartbeat(ApiView):
    """A sign of life of a session."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Send a heartbeat",
        request=HeartbeatRequest,
        answers={200: AliveSession},
        problems=(400, 404, 409, 503),
    )
    def post(self, request: Request) -> Response:
        """Renew the session's lease; 409 `session_ended` once it has ended, `session_paused` in a pause."""
        values = body(request, HeartbeatRequest)
        alive = engine.heartbeat(values["session_code"], client_id=client_id(request), now=clock.now())
        return Response(render_alive(alive))
