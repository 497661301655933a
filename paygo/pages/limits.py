"""Rate limits of pages, by address: who guesses or hurries gets a page that says how long to wait."""

from django.conf import settings
from django.http import HttpRequest

from paygo import ratelimit
from paygo.api.errors import RateLimited
from paygo.client_address import customer_of

PAGES, DEMOS = "RATE_LIMIT_PAGES", "RATE_LIMIT_DEMOS"


def count(request: HttpRequest, setting: str) -> None:
    """Count a request in the bucket of its address.

    Raises:
        RateLimited: it is one too many.
    """
    rate = ratelimit.parse_rate(getattr(settings, setting))
    if rate is None:
        return
    taken = ratelimit.take(f"{setting}:{customer_of(request)}", rate)
    if not taken.allowed:
        wait = taken.retry_after_seconds
        raise RateLimited(wait, headers={"Retry-After": str(wait)})
