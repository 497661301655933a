"""Every failure as a problem document (RFC 9457): one table from kinds of failure to statuses.

The domain's classes know no HTTP; DRF's know no `code` that is worth documenting. What is in neither table
is a fault of the program: it goes on to Django, which logs it once with its trace and calls `server_error`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.request import Request

from core import errors
from core.idempotency import KeyInFlight
from paygo.api.errors import BodyTooLarge, InsufficientScope, LengthRequired, RateLimited
from paygo.api.middleware import current_request_id
from paygo.api.render import plain

log = structlog.get_logger(__name__)

_Response = TypeVar("_Response", bound=HttpResponse)

CONTENT_TYPE = "application/problem+json"
_DATABASE_RETRY_AFTER_SECONDS = 5

DOMAIN_STATUS: Mapping[type[errors.DomainError], HTTPStatus] = {
    errors.Invalid: HTTPStatus.BAD_REQUEST,
    errors.PaymentRequired: HTTPStatus.PAYMENT_REQUIRED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Gone: HTTPStatus.GONE,
    errors.Unprocessable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
# The first class that fits counts.
HTTP_CODES: Sequence[tuple[type[exceptions.APIException], str, str]] = (
    (exceptions.ParseError, "malformed_body", "The body cannot be read"),
    (exceptions.NotAuthenticated, "authentication_required", "An API key is required"),
    (exceptions.AuthenticationFailed, "invalid_api_key", "The API key is not accepted"),
    (InsufficientScope, "insufficient_scope", "The API key lacks a scope"),
    (exceptions.MethodNotAllowed, "method_not_allowed", "The path has no such method"),
    (RateLimited, "rate_limited", "Too many calls"),
    (LengthRequired, "length_required", "The body has no length"),
    (BodyTooLarge, "body_too_large", "The body is too large"),
    (exceptions.UnsupportedMediaType, "unsupported_media_type", "The body is not in JSON"),
)
# Failures that are raised by no class of their own: code and title.
OTHER_CODES: Mapping[str, str] = {
    "malformed_request": "The request cannot be understood",
    "database_unavailable": "The database cannot be asked at the moment",
    "internal_error": "PayGo made a mistake",
}


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field, in a stable code and in a sentence."""

    field: str
    code: str
    detail: str


@dataclass(frozen=True)
class Problem:
    """One failure, ready to be told; `more` has members beyond those of RFC 9457."""

    status: int
    code: str
    title: str
    detail: str
    field_errors: Sequence[FieldError] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, *, instance: str) -> dict[str, Any]:
        """Return the problem document for the request at a path."""
        document = {
            **{name: plain(value) for name, value in self.more.items()},
            "type": f"{settings.PAYGO_URL}/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
            "request_id": current_request_id(),
        }
        if self.field_errors:
            document["errors"] = [vars(each) for each in self.field_errors]
        return document


def handle(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Answer an exception of a view with its problem document; None leaves it to Django (DRF's hook)."""
    problem = problem_of(error)
    if problem is None:
        return None
    log.info("refused", code=problem.code, status=problem.status, reason=str(error)[:500])
    # Not DRF's own response: that would be rendered as the view's answers are, and one view answers a page.
    return anticipated(_answer(context["request"], problem))


def anticipated(response: _Response) -> _Response:
    """Return the response marked as logged: Django calls every 5xx an error of the program."""
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response


def problem_of(error: Exception) -> Problem | None:
    """Return the problem that an exception stands for, None for a fault of the program."""
    if isinstance(error, errors.DomainError):
        return _of_domain(error)
    if isinstance(error, exceptions.ValidationError):
        return invalid(_field_errors(error.detail))
    if isinstance(error, exceptions.APIException):
        return _of_http(error)
    if isinstance(error, Http404):
        return _not_found()
    if isinstance(error, OperationalError | InterfaceError):
        return _database_unavailable()
    return None


def status_of(kind: type[errors.DomainError]) -> HTTPStatus | None:
    """Return the status of a class of domain failures: that of the nearest base in the table."""
    return next((DOMAIN_STATUS[base] for base in kind.__mro__ if base in DOMAIN_STATUS), None)


def invalid(field_errors: Sequence[FieldError]) -> Problem:
    """Return the problem of a request with fields that cannot be accepted, all of them at once."""
    return Problem(
        status=HTTPStatus.BAD_REQUEST,
        code=errors.Invalid.code,
        title=errors.Invalid.title,
        detail="; ".join(f"{each.field}: {each.detail}" for each in field_errors[:3]),
        field_errors=field_errors,
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer what Django itself refuses: a wrong host, too many fields (Django's handler400)."""
    if not is_api(request):
        return defaults.bad_request(request, exception)
    return _answer(request, _other(HTTPStatus.BAD_REQUEST, "malformed_request"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a path that nothing is at (Django's handler404)."""
    if not is_api(request):
        return defaults.page_not_found(request, exception)
    return _answer(request, _not_found())


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer a fault of the program without telling its trace (Django's handler500)."""
    if not is_api(request):
        return defaults.server_error(request)
    return _answer(request, _other(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error"))


def is_api(request: HttpRequest) -> bool:
    """Whether a request is of a program, which reads problem documents, and not of a person."""
    return request.path == "/api" or request.path.startswith(("/api/", "/problems/"))


def _of_domain(error: errors.DomainError) -> Problem | None:
    if isinstance(error, errors.Invalid):
        return invalid([FieldError(error.field, error.code, error.detail)])
    status = status_of(type(error))
    if status is None:
        return None
    headers = {}
    if isinstance(error, (errors.Unavailable, KeyInFlight)):
        headers["Retry-After"] = str(error.retry_after_seconds)
    return Problem(status, error.code, error.title, error.detail, more=error.context, headers=headers)


def _of_http(error: exceptions.APIException) -> Problem | None:
    for kind, code, title in HTTP_CODES:
        if isinstance(error, kind):
            challenge = getattr(error, "auth_header", None)
            headers = {"WWW-Authenticate": challenge} if challenge else getattr(error, "headers", {})
            return Problem(error.status_code, code, title, str(error.detail), headers=headers)
    return None


def _not_found() -> Problem:
    return Problem(
        HTTPStatus.NOT_FOUND, errors.NotFound.code, errors.NotFound.title, "there is nothing at this path"
    )


def _database_unavailable() -> Problem:
    problem = _other(HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable")
    return Problem(
        **{**vars(problem), "headers": {"Retry-After": str(_DATABASE_RETRY_AFTER_SECONDS)}},
    )


def _other(status: HTTPStatus, code: str) -> Problem:
    return Problem(status, code, OTHER_CODES[code], OTHER_CODES[code])


def _field_errors(detail: Any) -> list[FieldError]:
    """Return DRF's errors by field as a list; those of nested ones under the name of the outer field."""
    if not isinstance(detail, dict):
        detail = {"": detail}
    return [
        FieldError(str(name), each.code or "invalid", str(each))
        for name, found in detail.items()
        for each in _flat(found)
    ]


def _flat(found: Any) -> list[exceptions.ErrorDetail]:
    if isinstance(found, exceptions.ErrorDetail):
        return [found]
    return [each for part in (found.values() if isinstance(found, dict) else found) for each in _flat(part)]


def _answer(request: HttpRequest | Request, problem: Problem) -> HttpResponse:
    return JsonResponse(
        problem.document(instance=request.path),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=CONTENT_TYPE,
    )
