"""What Django must not be given: the outermost WSGI wrapper (PEP 3333).

Django reads some headers before any of its handlers can answer, so that a hostile one becomes a bare 500.
A body is read here, before a call has its turn: who sends one slowly keeps nobody else waiting.
"""

import io
import json
import re
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import get_path_info
from django.db import close_old_connections

from core.errors import Busy
from paygo.api.middleware import HEADER, id_of
from paygo.client_address import customer_in
from paygo.places import Places

# No more calls at once than connections: the server has threads for streams too, which would let calls wait
# for a connection until they are refused. A stream's answer is read outside of this.
calls: AbstractContextManager[Any] = nullcontext()


def limit_calls(number: int) -> None:
    """Let so many calls of this process be under way at once; more wait for their turn."""
    global calls
    calls = threading.BoundedSemaphore(number)


# A stream looks at the database outside of its call: so many at once, so that calls find connections.
looks: AbstractContextManager[Any] = nullcontext()


def limit_looks(number: int) -> None:
    """Let so many streams of this process look at once; more wait for their turn."""
    global looks
    looks = threading.BoundedSemaphore(number)


# The server takes no thread back from who sends a body for ever, so that bodies have a part of the threads:
# who sends none is always served. Times are the proxy's to bound (docs/operators/production.md).
bodies = Places(64, each=16)
most_bytes = 1024 * 1024
_BODY_WAIT_SECONDS = 1.0


def limit_bodies(number: int, *, longest: int) -> None:
    """Let so many bodies be on their way to this process at once, and read none with more bytes."""
    global bodies, most_bytes
    # No address alone keeps others from sending.
    bodies, most_bytes = Places(number, each=max(1, number // 4)), longest


Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_NAME = r"[A-Za-z0-9!#$%&'+.^_`|~-]+"
# RFC 9110 without RFC 2231's `name*=charset''value`, which nobody sends with a body.
_MEDIA_TYPE = re.compile(rf'{_NAME}/{_NAME}(?:[ \t]*;[ \t]*{_NAME}=(?:{_NAME}|"[^"\\]*+"))*[ \t]*;?')
_CHARSET = re.compile(r"charset=\"?+(?!utf-?8\b)", re.IGNORECASE)
_MAX_MEDIA_TYPE = 200
_UNKNOWN = "application/octet-stream"


def guarded(application: Application) -> Application:
    """Return the application behind a check of the content type, with all of its body, and no NUL."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        content_type = environ.get("CONTENT_TYPE", "")
        if content_type and not _is_usable(content_type):
            environ["CONTENT_TYPE"] = _UNKNOWN
        if "%00" in environ.get("QUERY_STRING", ""):
            # PostgreSQL has no such text; the admin's filters would ask it for one.
            environ["QUERY_STRING"] = environ["QUERY_STRING"].replace("%00", "%EF%BF%BD")
        if not _take_body(environ):
            return _refuse(environ, start_response)
        with calls:
            try:
                return application(environ, start_response)
            finally:
                # To whoever has the next turn: this answer may be read slowly.
                close_old_connections()

    return answer


def _take_body(environ: dict[str, Any]) -> bool:
    """Put what there is of the body in the place of its stream; False: too many others are on their way.

    One that is too long stays unread: its length says so to whoever wants it.
    """
    text = environ.get("CONTENT_LENGTH") or "0"
    length = int(text) if text.isdecimal() else 0
    if length > most_bytes:
        environ["wsgi.input"] = io.BytesIO()
    elif length:
        sender = customer_in(environ)
        if not bodies.take(sender, wait_seconds=_BODY_WAIT_SECONDS):
            return False
        try:
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        finally:
            bodies.leave(sender)
    return True


def _refuse(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer the problem as `paygo.api.problems` would, which needs Django."""
    request_id = id_of(environ)
    problem = {
        "type": f"{settings.PAYGO_URL}/problems/{Busy.code}",
        "title": Busy.title,
        "status": 503,
        "detail": "too many bodies are on their way; nothing was read of yours",
        "instance": get_path_info(environ),
        "code": Busy.code,
        "request_id": request_id,
    }
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Retry-After", "5"),
        ("Connection", "close"),
        (HEADER, request_id),
    ]
    start_response("503 Service Unavailable", headers)
    return [json.dumps(problem).encode()]


def _is_usable(content_type: str) -> bool:
    """Whether it is a media type, and in UTF-8 if in any charset: Django decodes the query by it."""
    if len(content_type) > _MAX_MEDIA_TYPE or _CHARSET.search(content_type):
        return False
    return _MEDIA_TYPE.fullmatch(content_type) is not None
