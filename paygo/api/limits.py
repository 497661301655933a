"""Rate limits of the API: by key, with its rotations, for who has one, by address for who has none.

Where a caller stands is told in RateLimit fields.

The fields are those of the IETF's draft "RateLimit header fields for HTTP"
(draft-ietf-httpapi-ratelimit-headers, version 10).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from django.conf import settings
from rest_framework.request import Request

from paygo import ratelimit
from paygo.api.errors import RateLimited
from paygo.api.models import ApiKey
from paygo.client_address import customer_of
from paygo.ratelimit import Taken


class Policy(StrEnum):
    """What a call counts as; each has a setting of its own."""

    CALLS = "calls"
    """Any call with a key, or with another one that rotation has made of it."""
    NODE = "node"
    """A call with a key that asks the Zcash node something."""
    PUBLIC = "public"
    """A call that needs no key, by address."""
    GUESSES = "guesses"
    """A call with a wrong key or none where one is needed, by address."""


SETTINGS: Mapping[Policy, str] = MappingProxyType(
    {
        Policy.CALLS: "RATE_LIMIT_CALLS",
        Policy.NODE: "RATE_LIMIT_NODE_CALLS",
        Policy.PUBLIC: "RATE_LIMIT_PUBLIC",
        Policy.GUESSES: "RATE_LIMIT_GUESSES",
    }
)


@dataclass(frozen=True)
class Counted:
    """A call that was counted."""

    policy: Policy
    taken: Taken

    @property
    def headers(self) -> dict[str, str]:
        """Return the fields that tell the caller where it stands."""
        rate = self.taken.rate
        return {
            "RateLimit-Policy": f'"{self.policy}";q={rate.calls};w={rate.seconds}',
            "RateLimit": f'"{self.policy}";r={self.taken.remaining};t={self.taken.full_again_seconds}',
        }


class _Caller(NamedTuple):
    policy: Policy
    name: str


def count(request: Request, policy: Policy | None) -> Counted | None:
    """Count an authenticated or public call; None where its limit is off.

    Raises:
        RateLimited: it is one too many.
    """
    return _count(_caller(request, policy))


def may_look(key: ApiKey) -> bool:
    """Count what a stream reads for a key; False: it is one too many."""
    rate = ratelimit.parse_rate(getattr(settings, SETTINGS[Policy.CALLS]))
    return rate is None or ratelimit.take(f"{Policy.CALLS}:{_budget_of(key)}", rate).allowed


def count_guess(request: Request) -> Counted | None:
    """Count a call whose key was refused: guessing gets slower, and a good key from there never does.

    Raises:
        RateLimited: it is one too many.
    """
    return _count(_guesser(request))


def _caller(request: Request, policy: Policy | None) -> _Caller:
    if isinstance(request.auth, ApiKey):
        return _Caller(policy or Policy.CALLS, _budget_of(request.auth))
    return _guesser(request) if policy is None else _Caller(policy, customer_of(request))


def _guesser(request: Request) -> _Caller:
    return _Caller(Policy.GUESSES, customer_of(request))


def _budget_of(key: ApiKey) -> str:
    """Return what the calls of a key, and of all that rotation has made of it, are counted under."""
    return key.family.hex


def _count(caller: _Caller) -> Counted | None:
    rate = ratelimit.parse_rate(getattr(settings, SETTINGS[caller.policy]))
    if rate is None:
        return None
    counted = Counted(caller.policy, ratelimit.take(f"{caller.policy}:{caller.name}", rate))
    if not counted.taken.allowed:
        wait = counted.taken.retry_after_seconds
        raise RateLimited(wait, headers={**counted.headers, "Retry-After": str(wait)})
    return counted
