"""What Django must not be given: the outermost WSGI wrapper (PEP 3333).

Django reads some headers before any of its handlers can answer, so that a hostile one becomes a bare 500;
and it takes a body without Content-Length for an empty one.
"""

import re
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from django.conf import settings

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_NAME = r"[A-Za-z0-9!#$%&'+.^_`|~-]+"
# RFC 9110 without RFC 2231's `name*=charset''value`, which nobody sends with a body.
_MEDIA_TYPE = re.compile(rf'{_NAME}/{_NAME}(?:[ \t]*;[ \t]*{_NAME}=(?:{_NAME}|"[^"\\]*+"))*[ \t]*;?')
_CHARSET = re.compile(r"charset=\"?+(?!utf-?8\b)", re.IGNORECASE)
_MAX_MEDIA_TYPE = 200
_UNKNOWN = "application/octet-stream"


def guarded(application: Application) -> Application:
    """Return the application behind a check of the content type and with chunked bodies measured."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        content_type = environ.get("CONTENT_TYPE", "")
        if content_type and not _is_usable(content_type):
            environ["CONTENT_TYPE"] = _UNKNOWN
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            _measure_body(environ)
        return application(environ, start_response)

    return answer


def _is_usable(content_type: str) -> bool:
    """Whether it is a media type, and in UTF-8 if in any charset: Django decodes the query by it."""
    if len(content_type) > _MAX_MEDIA_TYPE or _CHARSET.search(content_type):
        return False
    return _MEDIA_TYPE.fullmatch(content_type) is not None


def _measure_body(environ: dict[str, Any]) -> None:
    """Read a chunked body up to one byte over the limit, which the parser then refuses."""
    body = _read_all(environ["wsgi.input"], at_most=settings.API_MAX_BODY_BYTES + 1)
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def _read_all(stream: Any, *, at_most: int) -> bytes:
    body = b""
    while len(body) < at_most and (part := stream.read(at_most - len(body))):
        body += part
    return body
