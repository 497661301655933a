"""Who guesses passwords: locked out by name and address (django-axes), and slowed down by address.

A name alone locks nobody out: whoever knows an operator's could keep him from working. Guesses at one by many
addresses are bounded all the same: beyond so many only those are heard that it has logged in from.
"""

from typing import Any

import structlog
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.middleware import AxesMiddleware
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.core.cache import caches
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from redis.exceptions import RedisError

from core import clock
from paygo import client_address

log = structlog.get_logger(__name__)

_WINDOW_SECONDS = 60
_NO_ADDRESS = "::"


class LoginGate(AxesMiddleware):
    """Lets an address try so often in a minute; axes then counts the failures of each name."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 429 where somebody tries too often."""
        if request.method == "POST" and request.path_info.endswith("/login/") and _tries_too_often(request):
            return _refuse(request, seconds=_WINDOW_SECONDS)
        answer: HttpResponse = super().__call__(request)
        return answer


class Failures(AxesDatabaseHandler):
    """Counts failures as axes does, and those of a name from all addresses, too."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Return how often this address failed by this name; too often where it is a stranger to a siege."""
        failures: int = super().get_failures(request, credentials)
        name = get_client_username(request, credentials)
        if _is_besieged(name) and not _is_known(name, address=login_address(request)):
            failures = max(failures, settings.AXES_FAILURE_LIMIT)
        return failures


def _is_besieged(name: str) -> bool:
    lately = clock.now() - settings.AXES_COOLOFF_TIME
    found = AccessAttempt.objects.filter(username=name, attempt_time__gte=lately)
    failures = found.aggregate(failures=Sum("failures_since_start"))["failures"]
    return bool(failures and failures >= settings.LOGIN_NAME_FAILURE_LIMIT)


def _is_known(name: str, *, address: str) -> bool:
    """Whether somebody has logged in by this name from there before."""
    return bool(AccessLog.objects.filter(username=name, ip_address=address).exists())


def login_address(request: HttpRequest) -> str:
    """Return the address whose failures are counted: of an IPv6 customer the first of his /64.

    Behind the operator's own proxies it is what they say; X-Forwarded-For of anybody else is no evidence. Who
    calls by a local socket has none, and failures without one would be no failures to axes.
    """
    customer, _, _ = client_address.customer_of(request).partition("/")
    return _NO_ADDRESS if customer == client_address.NOBODY else customer


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """Answer somebody who is locked out."""
    return _refuse(request, seconds=int(settings.AXES_COOLOFF_TIME.total_seconds()))


def _refuse(request: HttpRequest, *, seconds: int) -> HttpResponse:
    answer = render(request, "backoffice/locked_out.html", {"minutes": max(1, seconds // 60)}, status=429)
    answer["Retry-After"] = str(seconds)
    # This page is none of unfold's: the strict policy will do.
    answer._csp_update = {}  # type: ignore[attr-defined]
    return answer


def _tries_too_often(request: HttpRequest) -> bool:
    """Count a try; without a cache nobody is slowed down, and the lock-out, in the database, still holds."""
    key = f"logins:{client_address.customer_of(request)}"
    try:
        cache = caches["quick"]
        cache.add(key, 0, timeout=_WINDOW_SECONDS)
        tries: int = cache.incr(key)
    except (RedisError, OSError, ValueError) as error:
        log.warning("logins_not_counted", reason=str(error)[:200])
        return False
    return bool(tries > settings.LOGIN_TRIES_PER_MINUTE)
