"""Calls about streaming sessions."""

from types import MappingProxyType

from rest_framework.request import Request
from rest_framework.response import Response

from billing import engine, live, records
from billing.models import Transaction
from billing.records import SessionRecord
from billing.rules import TransactionStatus
from core import clock
from paygo.api.fields import SessionCodeField, path_value
from paygo.api.schema import SESSION_IN_PATH, documented
from paygo.api.session_bodies import (
    EndedSession,
    EndRequest,
    SessionRequest,
    SessionState,
    StartedSession,
    render_ended,
    render_session,
    render_started,
)
from paygo.api.views import ApiView, body, client_id, receipt
from sessions_app import queries

READ, WRITE = "sessions:read", "sessions:write"


class Sessions(ApiView):
    """All sessions of a client."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Start a session",
        request=SessionRequest,
        answers={201: StartedSession, 200: StartedSession},
        problems=(400, 402, 404, 409, 422, 503),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Start the meter; 200 with the open session where the same start was made before."""
        values = body(request, SessionRequest)
        started = engine.start(
            engine.StartRequest(
                wallet_address=values["user_wallet_address"],
                vendor_slug=values["vendor_id"],
                client_ref=values.get("client_ref", ""),
                heartbeat_seconds=values.get("heartbeat_seconds"),
            ),
            client_id=client_id(request),
            now=clock.now(),
            receipt=receipt(request, values),
        )
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
        return Response(render_session(_live_record(code, client_id=client_id(request))))


def _live_record(code: str, *, client_id: int) -> SessionRecord:
    """Return a session's record after everything that time alone brought to its permission."""
    now = clock.now()
    session = queries.of_client(client_id=client_id, code=code)
    running = Transaction.objects.filter(session=session, status=TransactionStatus.OPEN)
    for permission_id in running.values_list("permission_id", flat=True):
        live.read(permission_id, now=now)
    return records.of_session(queries.of_client(client_id=client_id, code=code), now=now)
