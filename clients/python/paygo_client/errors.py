"""Why a call did not succeed: the service's problem documents (RFC 9457) as exceptions."""

from collections.abc import Mapping
from typing import Any

import requests


class PayGoError(Exception):
    """Any failure of this package."""


class NoAnswer(PayGoError):
    """Nobody has answered, or nothing that can be read: whether the call had an effect is not known."""


class ApiError(PayGoError):
    """The service has refused a call: branch on `code`, which is stable."""

    def __init__(
        self, document: Mapping[str, Any], *, status: int, retry_after_seconds: float | None
    ) -> None:
        self.document = document
        self.status = status
        self.code = str(document.get("code", f"http_{status}"))
        self.detail = str(document.get("detail", ""))
        self.request_id = str(document.get("request_id", ""))
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{status} {self.code}: {self.detail}")

    @property
    def fields(self) -> dict[str, str]:
        """What is wrong with each field, in a stable code."""
        return {each["field"]: each["code"] for each in self.document.get("errors", ())}


class PaymentRequired(ApiError):
    """Nothing pays for a session (402); `options` says how that can be changed."""

    @property
    def options(self) -> list[dict[str, Any]]:
        """The ways to pay, in the shape of x402's `accepts`."""
        found: list[dict[str, Any]] = self.document.get("accepts", [])
        return found


class NotFound(ApiError):
    """There is no such thing of this client's (404)."""


class Conflict(ApiError):
    """The thing is in a state in which this cannot be done (409)."""


class Gone(ApiError):
    """The thing has ended (410)."""


class RateLimited(ApiError):
    """Too many calls (429), even after waiting."""


class Unavailable(ApiError):
    """The service, or something that it needs, is away (503), even after waiting."""


_KINDS = {402: PaymentRequired, 404: NotFound, 409: Conflict, 410: Gone, 429: RateLimited, 503: Unavailable}


def problem(answer: requests.Response) -> ApiError:
    """Return the failure that an answer tells."""
    try:
        document = answer.json()
    except (ValueError, requests.RequestException):
        document = {}
    if not isinstance(document, dict):
        document = {}
    wait = answer.headers.get("Retry-After", "")
    return _KINDS.get(answer.status_code, ApiError)(
        document, status=answer.status_code, retry_after_seconds=float(wait) if wait.isdigit() else None
    )
