"""The windows on webhooks: everything can be looked at, and sent again by who may."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from billing.operator_models import OperatorAction
from core import clock, db, outbox, publisher
from core.models import User, WebhookDelivery, WebhookEndpoint
from core.webhooks import endpoints
from paygo.backoffice.queues import QUEUES
from tests.factories import NOW, make_client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def delivery() -> WebhookDelivery:
    vera = make_client()
    endpoint = endpoints.create("https://vera.example/hook", client_id=vera.pk, now=NOW)
    with db.operation():
        outbox.emit("webhook.test", client_id=vera.pk, subject=endpoint.public_id, payload={}, now=NOW)
    publisher.publish_all(now=NOW)
    return WebhookDelivery.objects.get()


def browser_of(role: str) -> Client:
    operator = User.objects.create_user(f"{role}-operator", is_staff=True)
    operator.groups.add(Group.objects.get(name=role))
    if role == "admin":
        operator.is_superuser = True
        operator.save()
    browser = Client()
    browser.force_login(operator)
    return browser


def test_shows_endpoints_without_their_secret(delivery: WebhookDelivery) -> None:
    page = (
        browser_of("admin")
        .get(reverse("admin:core_webhookendpoint_change", args=[delivery.endpoint_id]))
        .content.decode()
    )

    assert "vera.example" in page
    assert "whsec_" not in page


@pytest.mark.parametrize("asked", ["secret__gt", "secret__startswith", "previous_secrets__contains"])
@pytest.mark.parametrize("as_csv", [False, True])
def test_filters_nothing_by_a_secret(delivery: WebhookDelivery, asked: str, as_csv: bool) -> None:
    """A letter at a time, a filter would tell it all."""
    query = {asked: "0"} | ({"format": "csv"} if as_csv else {})

    answer = browser_of("viewer").get(reverse("admin:core_webhookendpoint_changelist"), query)

    assert answer.status_code in (302, 400)
    assert "vera.example" not in answer.content.decode()


def act(browser: Client, name: str, row: WebhookEndpoint | WebhookDelivery, reason: str = "its owner asked"):
    return browser.post(reverse("admin:act", args=[name, row.pk]), {"reason": reason})


def given_up(delivery: WebhookDelivery) -> WebhookEndpoint:
    """Let an endpoint fail for three days, and be switched off."""
    since = clock.now() - timedelta(days=3)
    WebhookDelivery.objects.update(status="failed", next_attempt_at=None, finished_at=NOW)
    WebhookEndpoint.objects.update(
        failing_since=since, failures=40, disabled_at=clock.now(), disabled_reason="failing"
    )
    return WebhookEndpoint.objects.get()


def waiting() -> list[WebhookEndpoint]:
    (queue,) = (each for each in QUEUES if each.name == "failing-endpoints")
    return list(queue.rows())


def test_an_operator_enables_and_sends_again_and_says_why(delivery: WebhookDelivery) -> None:
    browser, endpoint = browser_of("support"), given_up(delivery)
    assert waiting() == [endpoint]
    assert endpoint.url in browser.get(reverse("admin:queues")).content.decode()

    assert act(browser, "enable-webhookendpoint", endpoint, reason="").status_code == 200
    assert waiting() == [endpoint]
    assert act(browser, "redeliver-webhookdelivery", delivery).status_code == 200
    assert act(browser, "enable-webhookendpoint", endpoint).status_code == 302
    assert act(browser, "redeliver-webhookdelivery", delivery).status_code == 302

    assert (waiting(), WebhookEndpoint.objects.get().is_enabled) == ([], True)
    assert WebhookDelivery.objects.filter(is_redelivery=True, status="pending").count() == 1
    said = OperatorAction.objects.order_by("id").values_list("verb", "endpoint", "reason")
    assert list(said) == [
        ("enable", endpoint.pk, "its owner asked"),
        ("redeliver", endpoint.pk, "its owner asked"),
    ]


def test_an_endpoint_that_fails_for_an_hour_is_a_case_before_it_is_switched_off(
    delivery: WebhookDelivery,
) -> None:
    since = clock.now() - timedelta(minutes=50)
    WebhookEndpoint.objects.update(failing_since=since, failures=4)
    assert waiting() == []
    WebhookEndpoint.objects.update(failing_since=since - timedelta(minutes=20))
    assert waiting() == [delivery.endpoint]

    act(browser_of("support"), "enable-webhookendpoint", delivery.endpoint)

    assert waiting() == []


def test_a_resolved_endpoint_is_a_case_again_when_it_is_switched_off(delivery: WebhookDelivery) -> None:
    WebhookEndpoint.objects.update(failing_since=clock.now() - timedelta(hours=2), failures=9)

    act(browser_of("support"), "resolve-webhookendpoint", delivery.endpoint)
    assert waiting() == []
    WebhookEndpoint.objects.update(disabled_at=clock.now(), disabled_reason="failing")

    assert waiting() == [delivery.endpoint]


def test_what_its_client_has_switched_off_is_no_case(delivery: WebhookDelivery) -> None:
    given_up(delivery)
    WebhookEndpoint.objects.update(disabled_reason="client")

    assert waiting() == []


def test_who_only_looks_sends_nothing(delivery: WebhookDelivery) -> None:
    browser, endpoint = browser_of("viewer"), given_up(delivery)

    for name, row in [
        ("enable-webhookendpoint", endpoint),
        ("resolve-webhookendpoint", endpoint),
        ("redeliver-webhookdelivery", delivery),
    ]:
        assert act(browser, name, row).status_code == 403

    assert WebhookDelivery.objects.count() == 1
    assert not OperatorAction.objects.exists()
