"""What the views of pages have in common: how they answer, also when something is refused or away."""

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from core import clock
from core.errors import DomainError
from paygo.api import problems
from paygo.api.errors import RateLimited
from paygo.pages import limits

log = structlog.get_logger(__name__)

View = Callable[..., HttpResponseBase]
# Opens the payer's own page, and it alone.
PAYER_COOKIE = "paygo_payer"


def private(view: View) -> View:
    """Return a view whose answers no cache keeps and no search engine lists, whatever becomes of them."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            limits.count(request, limits.PAGES)
            if token := kwargs.get("token") or request.COOKIES.get(PAYER_COOKIE):
                limits.count_link(token)
            response = _found(view, request, *args, **kwargs)
        except (DomainError, RateLimited, OperationalError, InterfaceError) as error:
            response = refusal(request, error)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return answered


def _found(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """Call a view; what is not there was a guess."""
    try:
        return view(request, *args, **kwargs)
    except Http404:
        limits.count(request, limits.GUESSES)
        raise


def refusal(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer what cannot be done, and why, as a page."""
    problem = problems.problem_of(error)
    if problem is None:
        raise error
    log.info("refused", code=problem.code, status=problem.status, reason=str(error)[:500])
    response = render(request, "pages/problem.html", {"problem": problem}, status=problem.status)
    for name, value in problem.headers.items():
        response.headers[name] = value
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        # Django would take it for a fault of the program.
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer what nobody has caught (Django's handler500): a database that is away is no mistake of PayGo."""
    error = sys.exc_info()[1]
    if isinstance(error, OperationalError | InterfaceError) and not problems.is_api(request):
        return refusal(request, error)
    return problems.server_error(request)


def parts(
    request: HttpRequest,
    templates: Mapping[str, str],
    context: Mapping[str, Any],
    *,
    every_seconds: int,
    shown: Mapping[str, bool] = MappingProxyType({}),
) -> JsonResponse:
    """Answer the parts of a page as they are now; the page swaps those that have changed.

    They are rendered here, so that no text of a page is made by its script. What people type into is in none
    of them, and is shown or hidden by name (`shown`).
    """
    rendered = {name: render_to_string(each, dict(context), request) for name, each in templates.items()}
    body = {"now": clock.now(), "every_seconds": every_seconds, "shown": dict(shown), "parts": rendered}
    return JsonResponse(body)
