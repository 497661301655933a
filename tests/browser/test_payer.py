"""The payer's page in a real browser: watch the meter, stop a stream, pay more, take the rest back."""

import re

import pytest
from playwright.sync_api import expect

from billing import rounds
from core import clock
from tests.api.world import ALICE_T, BOB, PERMISSIONS, Api, create_active, hours_pass, start
from tests.browser.conftest import OpenTab, Shoot
from zcash.node.rpc import RpcClient

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("node")]


def link(api: Api, created: dict[str, object]) -> str:
    answer = api.post(f"{PERMISSIONS}/{created['permission_id']}/payer_links", {"lasts_minutes": 1440})
    assert answer.status == 201, answer.body
    return str(answer.body["payer_url"])


def test_watches_the_meter_and_stops_a_stream(open_tab: OpenTab, shoot: Shoot, vera: Api, node: RpcClient):
    created = create_active(vera, node)
    start(vera)
    page = open_tab(phone=True)

    page.goto(link(vera, created))
    shoot(page, "payer-open-phone")
    page.get_by_role("button", name="Open my page").click()
    expect(page.get_by_role("heading", name="Your streaming")).to_be_visible()
    meter = page.locator("[data-meter=zec]")
    first = meter.inner_text()
    expect(page.locator("[data-meter=seconds]")).to_have_text(re.compile(r"^3:59:\d\d$"))
    expect(meter).not_to_have_text(first)
    assert float(meter.inner_text()) < float(first)
    shoot(page, "payer-running-phone")

    page.get_by_role("button", name="Stop Vera").click()
    expect(page.get_by_text("Nothing runs, and nothing is counted.")).to_be_visible()
    assert vera.get("/api/v1/sessions?status=active").body["sessions"] == []


def test_warns_while_a_payment_can_still_be_confirmed(
    open_tab: OpenTab, shoot: Shoot, vera: Api, node: RpcClient
):
    created = create_active(vera, node)
    start(vera)
    page = open_tab(dark=True)
    page.goto(link(vera, created))
    page.get_by_role("button", name="Open my page").click()
    expect(page.get_by_text("Pay now")).to_have_count(0)

    # 3 confirmations of 75 s and 5 minutes are 525 s; the page looks every 3 s.
    hours_pass(4 - 520 / 3600)
    expect(page.get_by_text("a payment takes about 8 min 45 s to count")).to_be_visible()
    page.get_by_role("alert").get_by_role("link", name="Pay for more").click()

    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    wallet = page.get_by_role("link", name="Open my wallet")
    expect(wallet).to_have_attribute("href", f"zcash:{created['payment_address']}?amount=2.5")
    shoot(page, "payer-low-dark")

    node.call("sim_pay", created["payment_address"], 2.5)
    node.call("generate", 3)
    vera.post(f"{PERMISSIONS}/{created['permission_id']}/verify")
    expect(page.get_by_text("Pay now")).to_have_count(0)
    expect(page.locator("[data-meter=seconds]")).to_have_text(re.compile(r"^1:0\d:\d\d$"))


def test_takes_the_rest_back(open_tab: OpenTab, shoot: Shoot, vera: Api, node: RpcClient):
    created = create_active(vera, node)
    start(vera)
    hours_pass(1)
    page = open_tab()
    page.goto(link(vera, created))
    page.get_by_role("button", name="Open my page").click()

    page.get_by_text("Use another address for refunds").click()
    page.get_by_label("Zcash address for refunds").fill("nonsense")
    page.get_by_role("button", name="Use this address").click()
    expect(page.locator("#refund-error")).to_be_visible()
    page.get_by_label("Zcash address for refunds").fill(BOB)
    page.get_by_role("button", name="Use this address").click()
    expect(page.locator("[data-part=refund]")).to_contain_text(BOB)

    page.get_by_text("End this permission for good").click()
    page.get_by_label("I am sure").check()
    page.get_by_role("button", name="End it and refund me").click()
    expect(page.get_by_text("This permission was ended.")).to_be_visible()
    rounds.refund_round()
    expect(page.get_by_text("waits for its turn")).to_be_visible()
    shoot(page, "payer-ended")

    shown = vera.get(f"{PERMISSIONS}/{created['permission_id']}").body
    assert (shown["status"], shown["refund"]["address"]) == ("revoked", BOB)
    # A day's wait: the address was changed after money had been seen.
    assert shown["refund"]["not_before"] > clock.now().isoformat()


def test_closes_when_it_is_over_and_opens_for_nobody_else(
    open_tab: OpenTab, shoot: Shoot, vera: Api, node: RpcClient
):
    created = create_active(vera, node, refund_address=ALICE_T)
    url = link(vera, created)
    page, other = open_tab(), open_tab()
    page.goto(url)
    page.get_by_role("button", name="Open my page").click()

    other.goto(url)
    expect(other.get_by_role("heading", name="This page is closed")).to_be_visible()
    shoot(other, "payer-closed")
    page.reload()
    expect(page.get_by_role("heading", name="Your streaming")).to_be_visible()
    vera.post(f"{PERMISSIONS}/{created['permission_id']}/payer_links/revoke")

    expect(page.get_by_role("heading", name="This page is closed")).to_be_visible()
