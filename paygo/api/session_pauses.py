"""Calls that pause a session and let it go on, with their bodies."""

from types import MappingProxyType
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import pauses
from billing.pauses import Paused, Resumed
from core import clock
from paygo.api.fields import ChoiceField, SessionCodeField, StrictSerializer
from paygo.api.render import instant, instant_or_none, seconds, zec_number, zec_or_none
from paygo.api.schema import documented
from paygo.api.views import ApiView, body, client_id, receipt
from sessions_app.rules import SessionStatus

WRITE = "sessions:write"


class PauseRequest(StrictSerializer):
    """Which session to pause."""

    session_code = SessionCodeField()


class ResumeRequest(StrictSerializer):
    """Which session goes on."""

    session_code = SessionCodeField()


class PausedSession(serializers.Serializer[Any]):
    """A session whose meter stands still."""

    session_code = serializers.CharField()
    session_id = serializers.UUIDField()
    status = ChoiceField([SessionStatus.PAUSED.value])
    paused_at = serializers.DateTimeField()
    resume_by = serializers.DateTimeField(help_text="It ends then, `pause_expired`, unless it is resumed")
    amount = serializers.FloatField(help_text="ZEC so far")
    duration_seconds = serializers.FloatField(help_text="Billable time so far")


class ResumedSession(serializers.Serializer[Any]):
    """A session that runs again."""

    session_code = serializers.CharField()
    session_id = serializers.UUIDField()
    status = ChoiceField([SessionStatus.ACTIVE.value])
    rate_per_hour = serializers.FloatField(help_text="ZEC, as it was when the session started")
    depletes_at = serializers.DateTimeField(
        allow_null=True, help_text="When the active permission is used up; null: something else comes first"
    )
    granted_until = serializers.DateTimeField(help_text="The vendor may stream until then")
    next_heartbeat_by = serializers.DateTimeField(
        allow_null=True, help_text="The session ends then without another heartbeat; null: it needs none"
    )


class Pause(ApiView):
    """A pause of a session."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Pause a session",
        request=PauseRequest,
        answers={200: PausedSession},
        problems=(400, 404, 409, 422, 503),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Stop the meter; a paused session answers the same again, an ended one 409 `session_ended`."""
        values = body(request, PauseRequest)
        paused = pauses.pause(
            values["session_code"],
            client_id=client_id(request),
            now=clock.now(),
            receipt=receipt(request, values),
        )
        return Response(render_paused(paused))


class Resumption(ApiView):
    """The end of a pause."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Resume a session",
        request=ResumeRequest,
        answers={200: ResumedSession},
        problems=(400, 402, 404, 409, 422, 503),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Start the meter again, as a start does and at the same price; a running session is only shown."""
        values = body(request, ResumeRequest)
        resumed = pauses.resume(
            values["session_code"],
            client_id=client_id(request),
            now=clock.now(),
            receipt=receipt(request, values),
        )
        return Response(render_resumed(resumed))


def render_paused(paused: Paused) -> dict[str, Any]:
    """Return a session that is paused."""
    session = paused.session
    return {
        "session_code": session.code,
        "session_id": str(session.public_id),
        "status": session.status,
        "paused_at": instant_or_none(session.paused_at),
        "resume_by": instant_or_none(session.resume_by),
        "amount": zec_number(paused.amount_zat),
        "duration_seconds": seconds(paused.duration_ms),
    }


def render_resumed(resumed: Resumed) -> dict[str, Any]:
    """Return a session that runs again."""
    session = resumed.session
    return {
        "session_code": session.code,
        "session_id": str(session.public_id),
        "status": session.status,
        "rate_per_hour": zec_or_none(session.rate_zat_per_hour),
        "depletes_at": instant_or_none(resumed.depletes_at),
        "granted_until": instant(resumed.granted_until),
        "next_heartbeat_by": instant_or_none(session.lease_until),
    }
