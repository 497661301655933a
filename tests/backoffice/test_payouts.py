"""Stuck and large payouts are in their queues, and operators do what can be done."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing import approvals
from billing.models import WalletSend
from billing.operator_models import OperatorAction
from billing.payout_models import Payout
from core import clock
from core.models import User
from paygo.backoffice.queues import QUEUES
from tests.backoffice.cases import payable
from tests.backoffice.vendor_form import opened
from tests.factories import ALICE, make_client, make_vendor

pytestmark = pytest.mark.django_db


@pytest.fixture
def payout() -> Payout:
    """Of 1 ZEC, queued."""
    vera = make_client()
    make_vendor(vera)
    return payable(vera)


def browser_of(name: str) -> Client:
    browser = Client()
    browser.force_login(User.objects.create_superuser(name))
    return browser


def waiting(name: str) -> list[Any]:
    (queue,) = (each for each in QUEUES if each.name == name)
    return list(queue.rows())


def act(browser: Client, name: str, payout: Payout) -> None:
    sent = {"reason": "as agreed with the vendor", "address": payout.address}
    browser.post(reverse("admin:act", args=[name, payout.pk]), sent)
    payout.refresh_from_db()


def test_a_failed_payout_is_tried_again(payout: Payout) -> None:
    Payout.objects.update(status="failed", attempts=1, reason="insufficient funds (-6)")
    browser = browser_of("otto")
    assert waiting("stuck-payouts") == [payout]
    assert str(payout.public_id) in browser.get(reverse("admin:queues")).content.decode()

    act(browser, "retry-payout", payout)

    assert (payout.status, waiting("stuck-payouts")) == ("queued", [])


@pytest.mark.unbalanced
def test_a_payout_of_unknown_outcome_is_followed(payout: Payout, settings: Any) -> None:
    settings.ZCASH_RPC_URL = "http://127.0.0.1:1"
    send = WalletSend.objects.create(
        account="0",
        policy="x",
        payments=[],
        intent_height=1,
        busy_height=1,
        created_at=clock.now(),
        status="unknown",
    )
    Payout.objects.update(status="unknown", send=send)
    browser = browser_of("otto")
    page = browser.get(reverse("admin:queue", args=["stuck-payouts"]))
    assert reverse("admin:act", args=["follow-payout", payout.pk]) in page.content.decode()

    act(browser, "follow-payout", payout)

    # The node is away: it is as unknown as before, and that somebody asked is written down.
    said = OperatorAction.objects.get()
    assert (payout.status, said.verb, said.payout) == ("unknown", "follow", payout)
    Payout.objects.update(status="confirmed")
    act(browser, "follow-payout", payout)
    assert OperatorAction.objects.count() == 1


def test_a_failed_payout_that_is_resolved_is_a_case_again_at_its_next_failure(payout: Payout) -> None:
    Payout.objects.update(status="failed", attempts=1, reason="insufficient funds (-6)")
    browser = browser_of("otto")

    act(browser, "resolve-payout", payout)

    assert (payout.status, waiting("stuck-payouts")) == ("failed", [])
    Payout.objects.update(attempts=2)
    assert waiting("stuck-payouts") == [payout]


def test_the_page_of_a_payout_says_who_has_approved_it(payout: Payout, settings: Any) -> None:
    settings.PAYOUT_APPROVAL_ABOVE = "0.5"
    act(browser_of("otto"), "approve-payout", payout)

    page = browser_of("olga").get(reverse("admin:billing_payout_change", args=[payout.pk]))

    assert page.context["office_approvals"] == ["otto"]
    assert b"as agreed with the vendor" in page.content


def test_a_large_payout_needs_two_operators(payout: Payout, settings: Any) -> None:
    settings.PAYOUT_APPROVAL_ABOVE = "0.5"
    otto = browser_of("otto")
    assert waiting("large-payouts") == [payout]

    act(otto, "approve-payout", payout)
    act(otto, "approve-payout", payout)
    assert (approvals.given(payout).count(), waiting("large-payouts")) == (1, [payout])
    act(browser_of("olga"), "approve-payout", payout)

    assert (approvals.given(payout).count(), waiting("large-payouts")) == (2, [])


def test_an_operator_looks_at_where_a_vendor_is_paid_and_changes_the_share_alone(payout: Payout) -> None:
    vendor = payout.vendor
    page = reverse("admin:sessions_app_vendor_change", args=[vendor.pk])
    browser = browser_of("otto")
    assert ALICE in browser.get(page).content.decode()

    form = opened(browser, vendor)
    browser.post(page, {**form, "fee_bps": "300", "payout_address": "nonsense"})

    vendor.refresh_from_db()
    assert (vendor.fee_bps, vendor.payout_address) == (300, ALICE)
    said = OperatorAction.objects.get(verb="set_terms")
    assert (said.operator and said.operator.username, said.details["fee_bps"]) == ("otto", 300)


@pytest.mark.parametrize("name", ["payout", "transfer", "reconciliation"])
def test_the_books_are_shown_and_never_edited(payout: Payout, name: str) -> None:
    browser = browser_of("otto")

    assert browser.get(reverse(f"admin:billing_{name}_changelist")).status_code == 200
    assert browser.get(reverse(f"admin:billing_{name}_add")).status_code == 403
