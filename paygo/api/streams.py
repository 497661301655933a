"""Calls that go on: events, a permission's payment, a session's meter, as server-sent events."""

import re
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from rest_framework.request import Request

from billing import live
from core import clock, feed
from core.errors import Invalid
from paygo.api import events, permissions, sessions
from paygo.api.event_bodies import LAST_POSITION
from paygo.api.fields import SessionCodeField, StrictSerializer, WholeTextField, path_uuid, path_value
from paygo.api.hub import give_back, hub
from paygo.api.models import ApiKey
from paygo.api.schema import LAST_EVENT_IN_HEADER, PERMISSION_IN_PATH, SESSION_IN_PATH, documented
from paygo.api.session_bodies import render_session
from paygo.api.streaming import CONTENT_TYPE, Stream, StreamResponse
from paygo.api.views import ApiView, client_id, query
from sessions_app.rules import SessionStatus
from zcash.rules import PERMISSION_TRANSITIONS, PermissionStatus

LAST_EVENT_HEADER = "Last-Event-ID"
_EVERY_SECONDS = 5


class StreamQuery(StrictSerializer):
    """Where a stream of events begins."""

    after = WholeTextField(
        low=0,
        high=LAST_POSITION,
        required=False,
        help_text="After this position; without one, and without `Last-Event-ID`, from now on.",
    )


class StatesQuery(StrictSerializer):
    """How often a state is looked at."""

    every = WholeTextField(
        low=1, high=60, default=_EVERY_SECONDS, help_text="Seconds between two looks; news are told at once."
    )


class EventStream(ApiView):
    """All events of a client, as they happen."""

    scopes = MappingProxyType({"GET": events.READ})

    @documented(
        "Stream events",
        answers={},
        images=[CONTENT_TYPE],
        problems=(400, 503),
        parameters=[StreamQuery, LAST_EVENT_IN_HEADER],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Answer server-sent events: `id` is the position, `event` the kind, `data` the event.

        After a break the client's `Last-Event-ID` goes on where it was. The stream ends after ten minutes.
        """
        asked = query(request, StreamQuery)
        after = _last_event(request)
        if after is None:
            after = asked.get("after")
        client = client_id(request)
        if after is None:
            after = feed.last_position(client_id=client)
        return _stream(request, lambda stream: stream.events(after=after))


class PermissionStream(ApiView):
    """One permission and its payment, as they change."""

    scopes = MappingProxyType({"GET": permissions.READ})

    @documented(
        "Stream a permission",
        answers={},
        images=[CONTENT_TYPE],
        problems=(400, 404, 503),
        parameters=[PERMISSION_IN_PATH, StatesQuery],
    )
    def get(self, request: Request, permission_id: str) -> HttpResponseBase:
        """Answer what `GET /permissions/{id}` does, now and whenever it has changed, as events `state`.

        When the permission has ended for good an event `end` follows, and the stream is over.
        """
        public_id = path_uuid(permission_id, field="permission_id")
        client, every = client_id(request), query(request, StatesQuery)["every"]

        def read() -> tuple[dict[str, Any], bool]:
            state = permissions.state_of(public_id, client=client, now=clock.now())
            return state, not PERMISSION_TRANSITIONS[PermissionStatus(state["status"])]

        read()
        return _stream(request, lambda stream: stream.states(read, every_seconds=every), subject=public_id)


class SessionStream(ApiView):
    """One session's meter, as it runs."""

    scopes = MappingProxyType({"GET": sessions.READ})

    @documented(
        "Stream a session",
        answers={},
        images=[CONTENT_TYPE],
        problems=(400, 404, 503),
        parameters=[SESSION_IN_PATH, StatesQuery],
    )
    def get(self, request: Request, session_code: str) -> HttpResponseBase:
        """Answer what `GET /sessions/{session_code}` does, now and whenever it changes, as events `state`.

        When the session has ended an event `end` follows, and the stream is over.
        """
        code = path_value(SessionCodeField(), session_code, name="session_code")
        client, every = client_id(request), query(request, StatesQuery)["every"]

        def read() -> tuple[dict[str, Any], bool]:
            found = live.of_session(code, client_id=client, now=clock.now())
            return render_session(found), found.record.session.status == SessionStatus.ENDED

        subject = live.of_session(code, client_id=client, now=clock.now()).record.session.public_id
        return _stream(request, lambda stream: stream.states(read, every_seconds=every), subject=subject)


def _stream(
    request: Request, messages: Callable[[Stream], Iterator[bytes]], *, subject: UUID | None = None
) -> HttpResponseBase:
    """Open a stream; HEAD is told that there is one."""
    if request.method == "HEAD":
        return HttpResponse(content_type=CONTENT_TYPE)
    stream = Stream(hub.join(client_id=client_id(request), subject=subject), cast("ApiKey", request.auth))
    give_back()
    return StreamResponse(stream, messages(stream))


def _last_event(request: Request) -> int | None:
    header = request.headers.get(LAST_EVENT_HEADER)
    if header is None:
        return None
    # An empty one too is refused: the server hands over as empty what is not in ASCII.
    if not re.fullmatch(r"[0-9]{1,15}", header):
        raise Invalid("must be the position of an event", field=LAST_EVENT_HEADER)
    return int(header)
