"""One request to a receiver that nobody trusts: where it goes, how it is signed, how much it may cost.

The address that is really dialled is checked, at every request, by the library's transport adapter: a name
that meant a public address yesterday, or at the first look, may mean this machine's metadata today. Nothing
is followed, nothing is taken from the environment, and the deadline bounds the whole exchange.
"""

import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from standardwebhooks import Webhook
from urllib3.exceptions import HTTPError, ReadTimeoutError

from core import feed
from core.deadline import WithDeadline, bounded, deadline
from core.models import WebhookDelivery, WebhookEndpoint
from core.webhooks.addresses import may_be_dialled
from core.webhooks.attempts import Answer
from core.webhooks.errors import UrlRefused

MAX_URL = 2000
_MAX_ANSWER_BYTES = 4096
_USER_AGENT = "PayGo-Webhooks/1"


class _Adapter(WithDeadline, IPFilterAdapter):  # type: ignore[misc]  # it has no types
    """Dials public addresses only, until the deadline.

    The library looks the name up once and dials what it has found; what it refuses is less than is inside.
    """

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Return what will be dialled, and how.

        Raises:
            InvalidIPAddress: it is no public address.
            TimeoutError: its name was not looked up before the deadline.
        """
        look_up = super().build_connection_pool_key_attributes
        dialled, options = bounded(lambda: look_up(request, verify, cert))
        if not may_be_dialled(dialled["host"], allow_loopback=self._allow_loopback):
            raise InvalidIPAddress(dialled["host"])
        return dialled, options


def check_url(url: str) -> None:
    """Refuse an address that nothing would ever be sent to; a name is looked up at each request.

    Raises:
        UrlRefused: saying why.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UrlRefused("must be a URL", field="url") from error
    local = settings.WEBHOOK_ALLOW_LOOPBACK
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise UrlRefused("must begin with https://", field="url")
    if not host or parts.username or parts.password or parts.fragment or len(url) > MAX_URL:
        raise UrlRefused("must have a host, no user, no fragment, and at most 2000 characters", field="url")
    if not url.isascii() or any(character <= " " for character in url):
        raise UrlRefused("must be in ASCII, without spaces", field="url")
    if _is_private(host, allow_loopback=local):
        raise UrlRefused("must not be an address of this machine or a private network", field="url")


def signed_headers(
    endpoint: WebhookEndpoint, message_id: str, body: str, *, now: datetime, wall: datetime
) -> dict[str, str]:
    """Return the headers of Standard Webhooks; after a rotation the old secrets sign too until they end.

    `wall` is the time of the world, by which receivers judge: a sandbox's clock runs ahead of it.
    """
    secrets = endpoint.signing_secrets(now=now)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(wall.timestamp())),
        "webhook-signature": " ".join(Webhook(each).sign(message_id, wall, body) for each in secrets),
    }


def body_of(delivery: WebhookDelivery) -> str:
    """Return what is sent: the event as every reader gets it."""
    return json.dumps(feed.envelope(delivery.event), separators=(",", ":"))


def send(delivery: WebhookDelivery, *, now: datetime) -> Answer:
    """Send a delivery once and return what came of it; no transaction is open meanwhile."""
    body = body_of(delivery)
    headers = signed_headers(
        delivery.endpoint, str(delivery.event.uid), body, now=now, wall=datetime.now(UTC)
    )
    headers |= {"content-type": "application/json"}
    began = time.monotonic()
    try:
        status, answered = _post(delivery.endpoint.url, body.encode(), headers)
        error = ""
    except (requests.RequestException, HTTPError, OSError, ValueError, UrlRefused) as failure:
        status, answered, error = None, "", _reason(failure)
    return Answer(headers, int((time.monotonic() - began) * 1000), status, answered, error)


def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    seconds = settings.WEBHOOK_TIMEOUT_SECONDS
    check_url(url)
    with _session() as session, deadline(seconds):
        answer = session.post(url, data=body, headers=headers, timeout=seconds, stream=True)
        with answer:
            # Not decompressed: a small answer could become a large one.
            text = answer.raw.read(_MAX_ANSWER_BYTES, decode_content=False)
            return answer.status_code, text.decode("utf-8", "replace").replace("\0", "\ufffd")


def _session() -> requests.Session:
    local = settings.WEBHOOK_ALLOW_LOOPBACK
    config = Config(
        ip_filter_enable=True,
        ip_filter_allow_loopback_ips=local,
        never_redirect=True,
        default_timeout=(settings.WEBHOOK_TIMEOUT_SECONDS, settings.WEBHOOK_TIMEOUT_SECONDS),
        user_agent_override=_USER_AGENT,
    )
    session: requests.Session = HTTPSession(config)
    # A proxy of the environment would dial an address that nobody here has checked; .netrc has passwords.
    session.trust_env = False
    for scheme in ("http", "https"):
        adapter = _Adapter(is_https_proto=scheme == "https", allow_loopback=local)  # type: ignore[call-arg]
        session.mount(f"{scheme}://", adapter)
    return session


def _is_private(host: str, *, allow_loopback: bool) -> bool:
    """Whether a host is an address that is never dialled; a name may mean any, and is looked up later."""
    try:
        return not may_be_dialled(host, allow_loopback=allow_loopback)
    except ValueError:
        return False


def _reason(failure: Exception) -> str:
    if isinstance(failure, InvalidIPAddress):
        return "address_refused: it leads to this machine or a private network"
    if isinstance(failure, UrlRefused):
        return f"address_refused: {failure.detail}"
    if isinstance(failure, requests.Timeout | TimeoutError | ReadTimeoutError):
        return "timeout: no whole answer in time"
    if isinstance(failure, requests.exceptions.SSLError):
        return "tls: no certificate that can be trusted for this name"
    return f"connection: {type(failure).__name__}"
