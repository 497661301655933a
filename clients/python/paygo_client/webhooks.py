"""Whether a webhook is PayGo's: the signature of Standard Webhooks, over the body as it came."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from paygo_client.errors import PayGoError

_PREFIX = "whsec_"
_TOLERANCE_SECONDS = 300


class WebhookRefused(PayGoError):
    """The message is not signed with a secret of yours, or is too old: answer 400 and do nothing."""


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secrets: str | Sequence[str],
    *,
    now: float | None = None,
    tolerance_seconds: float = _TOLERANCE_SECONDS,
) -> Any:
    """Return the event of a webhook that one of the secrets has signed lately.

    `body` is the raw bytes: JSON that was parsed and written again has another signature. Handle an event
    once for each `webhook-id`: deliveries are repeated.

    Raises:
        WebhookRefused.
    """
    found = {name.lower(): value for name, value in headers.items()}
    message_id, sent_at = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    parts = found.get("webhook-signature", "").split()
    given = [part.removeprefix("v1,") for part in parts if part.startswith("v1,")]
    if not message_id or not sent_at.isascii() or not sent_at.isdigit() or len(sent_at) > 12 or not given:
        raise WebhookRefused("this is no signed webhook")
    if abs((time.time() if now is None else now) - int(sent_at)) > tolerance_seconds:
        raise WebhookRefused("the webhook is too old, or this machine's clock is wrong")
    signed = f"{message_id}.{sent_at}.".encode() + body
    for secret in [secrets] if isinstance(secrets, str) else secrets:
        expected = _signature(secret, signed)
        # Compared as bytes: a signature with other characters is refused, not an error.
        if any(hmac.compare_digest(expected, each.encode()) for each in given):
            return json.loads(body, parse_float=Decimal)
    raise WebhookRefused("no secret of yours has signed this webhook")


def _signature(secret: str, signed: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is base64, after whsec_") from error
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
