"""The demo player in a real browser: from one button to the refund."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from billing.models import Transaction
from core.amounts import MS_PER_HOUR
from core.clock import to_ms
from tests.api.world import Api, hours_pass
from tests.browser.conftest import OpenTab, Shoot
from tests.concurrency.threads import wait_until
from zcash.models import SpendingPermission
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _demo(node: RpcClient, vera: Api, settings: Any) -> None:
    settings.PAYGO_DEMO_CLIENT = "vera-tv"


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def play(page: Page) -> None:
    """Come to where the film plays."""
    page.goto("/demo/")
    press(page, "Start the demo")
    press(page, "Pay 1 ZEC of play money")
    expect(page.get_by_role("heading", name="Your payment was seen")).to_be_visible()
    for _ in range(3):
        press(page, "mine a block")
    press(page, "Play")
    expect(page.locator("[data-playing]")).to_be_visible()


def frame(page: Page) -> str:
    """Return what the screen shows of the film."""
    return str(page.evaluate("document.getElementById('clip').toDataURL()"))


def test_a_newcomer_pays_watches_and_takes_the_rest_back(open_tab: OpenTab, shoot: Shoot):
    page = open_tab()
    page.goto("/")
    page.get_by_role("link", name="Try it now").click()
    shoot(page, "demo-landing")
    press(page, "Start the demo")
    expect(page.get_by_role("heading", name="1 ZEC for 30 min")).to_be_visible()
    shoot(page, "demo-pay")
    still = frame(page)

    press(page, "Pay 1 ZEC of play money")
    expect(page.get_by_role("heading", name="Your payment was seen")).to_be_visible()
    press(page, "mine a block")
    expect(page.get_by_role("heading", name="Confirmed 1/3")).to_be_visible()
    shoot(page, "demo-confirming")
    press(page, "mine a block")
    expect(page.get_by_role("heading", name="Confirmed 2/3")).to_be_visible()
    press(page, "mine a block")
    press(page, "Play")

    meter = page.locator(".big [data-meter=zec]")
    expect(meter).to_have_text(re.compile(r"^0\.99\d{6}$"))
    first = meter.inner_text()
    expect(meter).not_to_have_text(first)
    assert frame(page) != still
    shoot(page, "demo-watching")

    press(page, "Pause")
    expect(page.get_by_text("Paused: nothing is counted.")).to_be_visible()
    press(page, "Go on")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    press(page, "Stop")
    expect(page.get_by_text("watched,")).to_be_visible()
    shoot(page, "demo-receipt")
    press(page, "Take the rest back")
    expect(page.get_by_role("heading", name="That was it")).to_be_visible()
    expect(page.get_by_text("go back to your wallet")).to_be_visible()
    shoot(page, "demo-over")

    permission = SpendingPermission.objects.get()
    cost = sum(
        each.rate_zat_per_hour * (to_ms(each.ended_at) - to_ms(each.started_at)) // MS_PER_HOUR
        for each in Transaction.objects.filter(ended_at__isnull=False)
    )
    assert permission.status == "revoked"
    assert permission.remaining_zat == 10**8 - cost


def test_plays_on_a_phone_in_the_dark(open_tab: OpenTab, shoot: Shoot):
    page = open_tab(phone=True, dark=True)

    play(page)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(page, "demo-watching-phone-dark")


def test_a_player_that_falls_silent_is_billed_no_further(open_tab: OpenTab, shoot: Shoot):
    page = open_tab()
    play(page)

    page.route("**/beat", lambda route: route.abort())
    hours_pass(20 / 3600)

    expect(page.get_by_text("The player had fallen silent")).to_be_visible()
    shoot(page, "demo-silent")
    stretch = Transaction.objects.get()
    assert stretch.ended_at is not None
    assert to_ms(stretch.ended_at) - to_ms(stretch.started_at) <= 25_000


def test_signs_of_life_keep_it_going(open_tab: OpenTab):
    page = open_tab()
    play(page)
    transaction = Transaction.objects.get()

    # The first that is seen may have been sent, and taken, before the transaction was read.
    wait_until(lambda: Transaction.objects.get().billable_until > transaction.billable_until)


def test_leads_to_the_page_of_the_payer(open_tab: OpenTab, shoot: Shoot):
    page = open_tab()
    play(page)

    press(page, "See your own page as the payer")
    press(page, "Open my page")
    press(page, "Stop Vera")

    expect(page.get_by_text("Nothing runs, and nothing is counted.")).to_be_visible()


def test_works_without_javascript(open_tab: OpenTab):
    page = open_tab(javascript=False)
    page.goto("/demo/")

    press(page, "Start the demo")
    press(page, "Pay 1 ZEC of play money")
    for _ in range(3):
        press(page, "mine a block")
    press(page, "Play")
    press(page, "Stop")

    expect(page.get_by_text("watched,")).to_be_visible()
