"""Failures that only the gateway knows: they are about HTTP, not about the domain."""

from collections.abc import Mapping

from rest_framework.exceptions import APIException, PermissionDenied

from core.errors import Unavailable


class StreamsFull(Unavailable):
    """As many streams are open as this service, or this client, may have."""

    code = "streams_full"
    title = "Too many streams"
    retry_after_seconds = 15


class BodyTooLarge(APIException):
    """The body has more bytes than API_MAX_BODY_BYTES."""

    status_code = 413
    default_code = "body_too_large"
    default_detail = "the body is larger than this service reads"


class LengthRequired(APIException):
    """The body comes in chunks: a slow one would hold a thread for as long as it likes."""

    status_code = 411
    default_code = "length_required"
    default_detail = "a body is sent with its Content-Length, not in chunks"


class InsufficientScope(PermissionDenied):
    """The key is good, and lacks the scope for this call (RFC 6750)."""

    default_code = "insufficient_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(f"this call needs a key with the scope {scope}")


class RateLimited(APIException):
    """One call too many; nothing was done (RFC 6585)."""

    status_code = 429
    default_code = "rate_limited"

    def __init__(self, retry_after_seconds: int, *, headers: Mapping[str, str]) -> None:
        super().__init__(f"too many calls; the next one is possible in {retry_after_seconds} s")
        self.headers = headers
