"""The client believes what the library of Standard Webhooks has signed, and nothing else."""

import base64
import json
from datetime import UTC, datetime

import pytest
from paygo_client import WebhookRefused, verify_webhook
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()
SENT = datetime(2026, 11, 28, 12, tzinfo=UTC)
BODY = json.dumps({"type": "session.ended", "amount": 0.1}).encode()


def headers(secret: str = SECRET) -> dict[str, str]:
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(SENT.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", SENT, BODY.decode()),
    }


def verify(
    body: bytes = BODY, *, given: dict[str, str] | None = None, late: float = 0, **more: object
) -> object:
    return verify_webhook(
        body, headers() if given is None else given, more.get("secrets", SECRET), now=SENT.timestamp() + late
    )


def test_returns_the_event() -> None:
    assert verify()["type"] == "session.ended"  # type: ignore[index]


def test_takes_either_secret_during_a_rotation() -> None:
    assert verify(secrets=[OTHER, SECRET])


def test_takes_one_good_signature_of_several() -> None:
    given = headers()
    given["Webhook-Signature"] = f"v1,bm9uc2Vuc2U= v2,x {given['Webhook-Signature']}"

    assert verify(given=given)


@pytest.mark.parametrize("at", range(len(BODY)))
def test_refuses_a_body_in_which_one_byte_is_another(at: int) -> None:
    with pytest.raises(WebhookRefused):
        verify(BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :])


@pytest.mark.parametrize("late", [301, -301])
def test_refuses_what_was_sent_long_ago_or_in_the_future(late: float) -> None:
    with pytest.raises(WebhookRefused):
        verify(late=late)


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
@pytest.mark.parametrize("value", [None, "", "nonsense", "v1,", "1e9", "\u0663", "9" * 400, "v1,\u00e9"])
def test_refuses_headers_that_are_wrong(name: str, value: str | None) -> None:
    given = headers()
    del given[name]
    if value is not None:
        given[name] = value

    with pytest.raises(WebhookRefused):
        verify(given=given)


def test_refuses_another_secrets_signature() -> None:
    with pytest.raises(WebhookRefused):
        verify(given=headers(OTHER))
