"""PayGo's API from Python: `PayGo(url, key)` has a typed method for every call."""

from typing import Self

from paygo_client.calls import Calls
from paygo_client.errors import (
    ApiError,
    Conflict,
    Gone,
    NoAnswer,
    NotFound,
    PayGoError,
    PaymentRequired,
    RateLimited,
    Unavailable,
)
from paygo_client.sse import Event
from paygo_client.webhooks import WebhookRefused
from paygo_client.webhooks import verify as verify_webhook

__all__ = [
    "ApiError",
    "Conflict",
    "Event",
    "Gone",
    "NoAnswer",
    "NotFound",
    "PayGo",
    "PayGoError",
    "PaymentRequired",
    "RateLimited",
    "Unavailable",
    "WebhookRefused",
    "verify_webhook",
]


class PayGo(Calls):
    """A client of one PayGo service, with one key; one for each thread."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
