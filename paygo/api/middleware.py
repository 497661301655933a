"""The request id: one name for a call in its answer, its problem document and every line of the log."""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bound_contextvars, get_contextvars

HEADER = "X-Request-Id"
# Nothing else is repeated in headers and logs, whoever made it up.
_ACCEPTED = re.compile(r"[A-Za-z0-9_-]{8,64}")


class RequestIdMiddleware:
    """Takes over the caller's request id where it is harmless, or makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the id in the header, and log it with everything that happens meanwhile."""
        request_id = id_of(request.META)
        with bound_contextvars(request_id=request_id):
            response = self._get_response(request)
        response.headers[HEADER] = request_id
        return response


def id_of(environ: Mapping[str, Any]) -> str:
    """Return the id that the caller has given, or a new one."""
    given = str(environ.get("HTTP_X_REQUEST_ID", ""))
    return given if _ACCEPTED.fullmatch(given) else uuid.uuid4().hex


def current_request_id() -> str:
    """Return the id of the request that this thread works for."""
    return str(get_contextvars().get("request_id", ""))
