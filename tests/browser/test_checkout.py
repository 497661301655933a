"""The checkout page in a real browser: a viewer pays, and sees how far the payment is."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.api.world import ALICE_T, BOB, PERMISSIONS, Api, create, hours_pass, pay
from tests.browser.conftest import OpenTab, Shoot
from zcash.node.rpc import RpcClient

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("node")]

RETURN_URL = "http://127.0.0.1:1/watch?film=7"


def verify(api: Api, created: dict[str, object]) -> None:
    """Look at the chain, as the watcher does all the time."""
    assert api.post(f"{PERMISSIONS}/{created['permission_id']}/verify").status in (200, 202)


def step(page: Page) -> str:
    return page.locator(".steps [aria-current=step]").inner_text()


def _order(page: Page, *, code_first: bool) -> list[str]:
    """Return what to pay with, from the top of the screen downwards, once the browser knows its pointer."""
    expect(page.locator(".pay > .code")).to_have_css("order", "-1" if code_first else "0")
    found = page.locator(".pay a.button, .pay .copy, .pay svg.qr")
    drawn = (
        "all => all.map(each => [each.getBoundingClientRect().top, each.localName])"
        ".sort((a, b) => a[0] - b[0])"
    )
    return [name for _, name in found.evaluate_all(drawn)]


def test_follows_a_payment_from_nothing_to_ready(open_tab: OpenTab, shoot: Shoot, vera: Api, node: RpcClient):
    page = open_tab(phone=True)
    created = create(vera, return_url=RETURN_URL)

    page.goto(created["checkout_url"])
    expect(page.get_by_role("heading", level=1)).to_have_text("10 ZEC for 4 h of streaming")
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    expect(page.get_by_role("link", name="Open my wallet")).to_have_attribute("href", created["payment_uri"])
    expect(page.locator("[data-countdown]")).to_have_text(re.compile(r"^23:59:\d\d$"))
    assert step(page) == "Pay"
    # A phone cannot scan itself: what opens the wallet and what is copied come first.
    assert _order(page, code_first=False) == ["a", "button", "button", "button", "svg"]
    shoot(page, "checkout-waiting-phone")

    pay(node, created, blocks=0)
    verify(vera, created)
    expect(page.get_by_role("heading", name="10 ZEC seen")).to_be_visible()
    assert step(page) == "Seen"

    node.call("generate", 1)
    verify(vera, created)
    expect(page.get_by_text("1 of 3 confirmations")).to_be_visible()
    assert step(page) == "Confirmed 1/3"
    shoot(page, "checkout-confirming-phone")

    node.call("generate", 2)
    verify(vera, created)
    expect(page.get_by_role("heading", name="Ready to stream")).to_be_visible()
    expect(page.locator(".big")).to_have_text("4 h")
    expect(page.get_by_role("link", name="Start streaming")).to_have_attribute("href", RETURN_URL)
    expect(page.get_by_role("button", name="Use this address")).to_be_hidden()
    shoot(page, "checkout-ready-phone")


def test_asks_for_what_is_missing_with_a_fresh_code(
    open_tab: OpenTab, shoot: Shoot, vera: Api, node: RpcClient
):
    page = open_tab(dark=True)
    created = create(vera)

    page.goto(created["checkout_url"])
    assert _order(page, code_first=True)[0] == "svg"
    shoot(page, "checkout-waiting-dark")
    pay(node, created, "3.5")
    verify(vera, created)

    expect(page.get_by_role("heading", name="6.5 ZEC are missing")).to_be_visible()
    link = page.get_by_role("link", name="Open my wallet")
    expect(link).to_have_attribute("href", re.compile(r"amount=6\.5$"))
    shoot(page, "checkout-missing-dark")


def test_copies_what_a_wallet_needs(open_tab: OpenTab, vera: Api):
    page = open_tab(permissions=["clipboard-read", "clipboard-write"])
    created = create(vera)
    page.goto(created["checkout_url"])

    for name, value in {
        "Copy the amount": "10",
        "Copy the address": created["payment_address"],
        "Copy the payment request": created["payment_uri"],
    }.items():
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("status").last).to_contain_text(value)
        assert page.evaluate("navigator.clipboard.readText()") == value


def test_takes_a_refund_address_until_a_payment_is_seen(
    open_tab: OpenTab, shoot: Shoot, vera: Api, node: RpcClient
):
    page, late = open_tab(), open_tab()
    created = create(vera)
    page.goto(created["checkout_url"])
    late.goto(created["checkout_url"])

    page.get_by_label("Another Zcash address").fill("nonsense")
    page.get_by_role("button", name="Use this address").click()
    expect(page.locator(".error")).to_be_visible()
    expect(page.get_by_label("Another Zcash address")).to_be_focused()
    shoot(page, "checkout-refund-refused")
    page.get_by_label("Another Zcash address").fill(f"  {BOB} ")
    page.get_by_role("button", name="Use this address").click()
    expect(page.locator("[data-part=refund]")).to_contain_text(BOB)

    # The other tab's form is still there when the payment is seen, and is refused.
    late.get_by_label("Another Zcash address").fill(ALICE_T)
    late.route("**/state", lambda route: route.abort())
    pay(node, created, blocks=0)
    verify(vera, created)
    late.get_by_role("button", name="Use this address").click()
    expect(late.get_by_text("A payment was seen")).to_be_visible()
    shown = vera.get(f"{PERMISSIONS}/{created['permission_id']}").body
    assert shown["refund_address"] == BOB


def test_a_page_that_is_over_is_left_without_sending_its_form_again(
    open_tab: OpenTab, vera: Api, node: RpcClient
):
    page = open_tab()
    created = create(vera)
    sent: list[str] = []
    page.on("request", lambda each: sent.append(each.url) if each.method == "POST" else None)

    page.goto(created["checkout_url"])
    page.get_by_label("Another Zcash address").fill("nonsense")
    page.get_by_role("button", name="Use this address").click()
    expect(page.locator("[data-live]")).to_have_count(1)
    assert page.url.endswith("/refund-address")
    page.route("**/state", lambda route: route.fulfill(status=404))

    page.wait_for_url(created["checkout_url"])
    assert len(sent) == 1


def test_works_without_javascript_and_by_keyboard(open_tab: OpenTab, vera: Api):
    page = open_tab(javascript=False)
    created = create(vera)

    page.goto(created["checkout_url"])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_text("UTC").first).to_be_visible()
    page.get_by_label("Another Zcash address").fill(BOB)
    page.keyboard.press("Enter")

    expect(page.locator("[data-part=refund]")).to_contain_text(BOB)


def test_shows_times_in_the_viewers_zone(open_tab: OpenTab, vera: Api):
    page = open_tab(timezone_id="America/New_York", locale="en-US")
    created = create(vera)

    page.goto(created["checkout_url"])
    time = page.locator("time").first

    expected = page.evaluate(
        "at => new Intl.DateTimeFormat('en-US', {dateStyle: 'medium', timeStyle: 'short'})"
        ".format(new Date(at))",
        created["pay_before"],
    )
    expect(time).to_have_text(expected)


def test_says_so_when_it_was_not_paid_in_time(open_tab: OpenTab, shoot: Shoot, vera: Api):
    page = open_tab()
    created = create(vera)
    hours_pass(25)

    page.goto(created["checkout_url"])

    expect(page.get_by_text("The time to pay is over")).to_be_visible()
    assert vera.post(f"{PERMISSIONS}/{created['permission_id']}/verify").status == 410
    expect(page.get_by_text("not paid in time")).to_be_visible()
    expect(page.get_by_role("img", name="QR code")).to_have_count(0)
    shoot(page, "checkout-lapsed")


def test_says_so_when_the_service_is_away_and_goes_on(open_tab: OpenTab, vera: Api):
    page = open_tab()
    created = create(vera)
    page.goto(created["checkout_url"])

    page.route("**/state", lambda route: route.abort())
    expect(page.get_by_role("alert")).to_be_visible()
    page.unroute("**/state")

    expect(page.get_by_role("alert")).to_be_hidden()
