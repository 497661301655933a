"""What changes about an endpoint in the middle of its turn counts from the next request on."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from core import clock
from core.models import User, WebhookDelivery, WebhookEndpoint
from core.webhooks import endpoints, sender
from core.webhooks.attempts import Answer
from tests.factories import make_client
from tests.integration.test_webhooks import deliver, deliveries_of, happen, listen
from tests.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hook(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    with receiver() as running:
        yield running


@pytest.fixture
def vera() -> User:
    return make_client()


@pytest.fixture
def endpoint(vera: User, hook: Receiver) -> WebhookEndpoint:
    """An endpoint that is owed three events."""
    found = listen(vera, hook.url)
    for _ in range(3):
        happen(vera)
    return found


def after_the_first(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Let something happen right after the first request of a turn."""
    real, todo = sender.send, [do]

    def send(delivery: WebhookDelivery, *, now: datetime) -> Answer:
        answer = real(delivery, now=now)
        if todo:
            todo.pop()()
        return answer

    monkeypatch.setattr(sender, "send", send)


@pytest.mark.parametrize("how", ["delete", "disable"])
def test_nothing_more_is_sent_once_it_is_gone(
    endpoint: WebhookEndpoint, hook: Receiver, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    asked = {"client_id": endpoint.client_id, "now": clock.now()}
    after_the_first(monkeypatch, lambda: getattr(endpoints, how)(endpoint.public_id, **asked))

    deliver()

    assert len(hook.got) == 1


def test_what_it_was_owed_is_given_up_though_it_is_enabled_again_at_once(
    endpoint: WebhookEndpoint, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off_and_on() -> None:
        endpoints.disable(endpoint.public_id, client_id=endpoint.client_id, now=clock.now())
        endpoints.enable(endpoint.public_id, now=clock.now())

    after_the_first(monkeypatch, off_and_on)

    deliver()

    endpoint.refresh_from_db()
    assert endpoint.is_enabled
    assert len(hook.got) == 1
    assert set(deliveries_of(endpoint)) == {"failed"}


def test_a_secret_that_was_replaced_without_an_overlap_signs_nothing_more(
    endpoint: WebhookEndpoint, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"client_id": endpoint.client_id, "overlap": timedelta(), "now": clock.now()}
    after_the_first(monkeypatch, lambda: endpoints.rotate(endpoint.public_id, **asked))

    deliver()

    endpoint.refresh_from_db()
    assert len(hook.got) == 3
    for headers, body in hook.got[1:]:
        Webhook(endpoint.secret).verify(body, headers)
