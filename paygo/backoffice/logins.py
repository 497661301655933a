"""Who guesses passwords: locked out by name and address (django-axes), and slowed down by address."""

from typing import Any

import structlog
from axes.middleware import AxesMiddleware
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from redis.exceptions import RedisError

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
