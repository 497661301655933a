"""Rate limits of pages: who guesses or hurries gets a page that says how long to wait.

Each link has a limit of its own, so that viewers behind one address do not share a small one; what is counted
by address alone is how many requests come from there at all, and how many for links that do not exist.
"""

import hashlib

from django.conf import settings
from django.http import HttpRequest

from paygo import ratelimit
from paygo.api.errors import RateLimited
from paygo.client_address import customer_of

LINKS, PAGES, DEMOS = "RATE_LIMIT_LINKS", "RATE_LIMIT_PAGES", "RATE_LIMIT_DEMOS"
GUESSES = "RATE_LIMIT_GUESSES"


def count(request: HttpRequest, setting: str) -> None:
    """Count a request in the bucket of its address.

    Raises:
        RateLimited: it is one too many.
    """
    _count(setting, customer_of(request))


def count_link(token: str) -> None:
    """Count a request for what a link, or its cookie, leads to.

    Raises:
        RateLimited: it is one too many.
    """
    _count(LINKS, hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest())


def _count(setting: str, name: str) -> None:
    rate = ratelimit.parse_rate(getattr(settings, setting))
    if rate is None:
        return
    taken = ratelimit.take(f"{setting}:{name}", rate)
    if not taken.allowed:
        wait = taken.retry_after_seconds
        raise RateLimited(wait, headers={"Retry-After": str(wait)})
