"""What a change of PAYGO_SECRET_KEY ends, and what goes on: docs/settings.md says the same."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from billing import mails
from core.models import User
from core.webhook_models import WebhookEndpoint
from paygo.api import keys
from tests.api.world import PERMISSIONS, SESSIONS, Api, create
from tests.pages.visiting import Visitor
from zcash.models import SpendingPermission

pytestmark = pytest.mark.usefixtures("node")

ENDPOINTS = "/api/v1/webhooks/endpoints"
HOOK = {"url": "https://vera.example/hook"}


@pytest.fixture
def change(settings: Any) -> Iterator[Any]:
    """Start the service anew with another key."""

    def changed() -> None:
        settings.SECRET_KEY = "another one, as long and as random"
        keys.forget()

    yield changed
    keys.forget()


def test_api_keys_and_the_secrets_of_webhooks_go_on(vera: Api, change: Any):
    secret = vera.post(ENDPOINTS, HOOK).body["secret"]

    change()

    assert vera.get(SESSIONS).status == 200
    assert WebhookEndpoint.objects.get().secret == secret


def test_checkouts_and_links_and_pages_of_payers_go_on(vera: Api, change: Any):
    created = create(vera)
    first, second = (_link(vera, created).body["payer_url"] for _ in range(2))
    inside, outside = Visitor(), Visitor()
    inside.get(first)
    inside.post(first)
    inside.get("/payer/")
    outside.get(second)

    change()

    assert inside.post("/payer/leave").status_code == 403  # the page that it closed
    assert outside.post(second).status_code == 302
    assert outside.get("/payer/").status_code == 200
    assert outside.get(created["checkout_url"]).status_code == 200


def test_logins_of_the_admin_end(db: None, change: Any):
    browser = Client()
    browser.force_login(User.objects.create_superuser("operator"))
    assert browser.get("/admin/").status_code == 200

    change()

    assert browser.get("/admin/").status_code == 302


def test_links_that_end_mails_lead_nowhere(vera: Api, change: Any):
    permission = SpendingPermission.objects.get(public_id=create(vera)["permission_id"])
    path = f"/mail/stop/{mails.stop_token(permission)}"
    assert Client().post(path).status_code == 200

    change()

    assert Client().post(path).status_code == 404


def test_a_secret_that_is_told_again_is_another_and_opens_nothing(vera: Api, change: Any):
    created = create(vera)

    def ask() -> tuple[str, str, str]:
        return (
            vera.post("/api/v1/keys/rotate", {"overlap_seconds": 60}, idempotency_key="one").body["key"],
            _link(vera, created, idempotency_key="one").body["payer_url"],
            vera.post(ENDPOINTS, HOOK, idempotency_key="one").body["secret"],
        )

    told = ask()
    assert ask() == told

    change()
    key, url, secret = ask()

    assert {key, url, secret}.isdisjoint(told)
    assert Api(vera.user, key).get(SESSIONS).status == 401
    assert Visitor().get(url).status_code == 403
    assert WebhookEndpoint.objects.get().secret == told[2]


def _link(api: Api, created: dict[str, Any], **headers: str) -> Any:
    return api.post(f"{PERMISSIONS}/{created['permission_id']}/payer_links", {}, **headers)
