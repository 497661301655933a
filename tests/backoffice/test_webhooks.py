"""The windows on webhooks: everything can be looked at, and sent again by who may."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from core import db, outbox, publisher
from core.models import User, WebhookDelivery, WebhookEndpoint
from core.webhooks import endpoints
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
    operator.groups.add(Group.objects.get_or_create(name=role)[0])
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


def test_an_administrator_sends_again_and_enables(delivery: WebhookDelivery) -> None:
    browser = browser_of("admin")
    WebhookDelivery.objects.update(status="failed", next_attempt_at=None, finished_at=NOW)
    endpoints.disable(delivery.endpoint.public_id, client_id=delivery.endpoint.client_id, now=NOW)

    for model, action, row in [
        ("webhookendpoint", "enable", delivery.endpoint_id),
        ("webhookdelivery", "redeliver", delivery.pk),
    ]:
        sent = {"action": action, "_selected_action": [row]}
        answer = browser.post(reverse(f"admin:core_{model}_changelist"), sent)
        assert answer.status_code == 302

    assert WebhookEndpoint.objects.get().is_enabled
    assert WebhookDelivery.objects.filter(is_redelivery=True, status="pending").count() == 1


def test_who_only_looks_sends_nothing(delivery: WebhookDelivery) -> None:
    browser = browser_of("viewer")
    WebhookDelivery.objects.update(status="failed", next_attempt_at=None, finished_at=NOW)

    browser.post(
        reverse("admin:core_webhookdelivery_changelist"),
        {"action": "redeliver", "_selected_action": [delivery.pk]},
    )

    assert WebhookDelivery.objects.count() == 1
