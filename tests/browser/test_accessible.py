"""Every page, in light and dark, desk and phone: enough contrast, a name for everything, no scroll aside."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.api.world import PERMISSIONS, Api, create, create_active, pay, start
from tests.browser.conftest import OpenTab, Shoot
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.django_db(transaction=True)

CHECK = (Path(__file__).parent / "accessible.js").read_text()
LOOKS = {"light": {}, "dark": {"dark": True}, "phone": {"phone": True, "locale": "de-DE"}}


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_can_be_seen_heard_and_touched(
    open_tab: OpenTab, shoot: Shoot, vera: Api, node: RpcClient, settings: Any, look: str
):
    settings.PAYGO_DEMO_CLIENT = "vera-tv"
    page = open_tab(**LOOKS[look])
    faults: dict[str, list[str]] = {}

    def check(name: str) -> None:
        page.wait_for_load_state()
        if found := page.evaluate(CHECK):
            faults[name] = found
        shoot(page, f"all-{name}-{look}")

    _walk(page, check=check, api=vera, node=node)

    assert faults == {}


def _walk(page: Page, *, check: Any, api: Api, node: RpcClient) -> None:
    for name, path in {
        "landing": "/",
        "nothing": "/nothing",
        "demo-landing": "/demo/",
        "closed": "/payer/",
    }.items():
        page.goto(path)
        check(name)
    page.get_by_role("link", name="PayGo").click()
    _walk_checkouts(page, check=check, api=api, node=node)
    active = create_active(api, node)
    start(api)
    link = api.post(f"{PERMISSIONS}/{active['permission_id']}/payer_links").body["payer_url"]
    page.goto(link)
    check("payer-open")
    page.get_by_role("button", name="Open my page").click()
    page.get_by_role("heading", name="Your streaming").wait_for()
    page.goto("/payer/?hours=2")
    page.get_by_text("Use another address for refunds").click()
    page.get_by_text("End this permission for good").click()
    check("payer")
    _walk_demo(page, check=check)


def _walk_checkouts(page: Page, *, check: Any, api: Api, node: RpcClient) -> None:
    waiting, partly, seen, over = (create(api) for _ in range(4))
    pay(node, partly, "1", blocks=0)
    pay(node, seen, blocks=1)
    for each in (partly, seen):
        api.post(f"{PERMISSIONS}/{each['permission_id']}/verify")
    api.post(f"{PERMISSIONS}/{over['permission_id']}/revoke")
    states = {"waiting": waiting, "missing": partly, "confirming": seen, "over": over}
    for name, created in states.items():
        page.goto(created["checkout_url"])
        check(f"checkout-{name}")
    page.goto(waiting["checkout_url"])
    page.get_by_label("Another Zcash address").fill("nonsense")
    page.get_by_role("button", name="Use this address").click()
    page.locator(".error").wait_for()
    check("checkout-refused")


def _walk_demo(page: Page, *, check: Any) -> None:
    page.goto("/demo/")
    page.get_by_role("button", name="Start the demo").click()
    page.get_by_role("button", name="Pay 1 ZEC").wait_for()
    check("demo-pay")
    page.get_by_role("button", name="Pay 1 ZEC").click()
    for _ in range(3):
        page.get_by_role("button", name="mine a block").click()
    page.get_by_role("button", name="Play").click()
    page.locator("[data-playing]").wait_for()
    check("demo-watch")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Take the rest back").click()
    page.get_by_role("heading", name="That was it").wait_for()
    check("demo-over")


def test_the_check_finds_what_it_is_made_for(open_tab: OpenTab):
    page = open_tab()
    page.goto("/")
    page.set_content(
        "<h1>Title</h1><h1>Another</h1><p id=x bgcolor=white><font color=#999999>pale</font></p><p id=x></p>"
        "<input name=unnamed><button></button><img src=''><table width=5000><tr><td>wide</td></tr></table>"
    )

    found = page.evaluate(CHECK)

    starts = (
        "2.85: pale",
        "no label: unnamed",
        "no name: <button>",
        "too small",
        "no text: <img",
        "twice: #x",
    )
    for each in (*starts, "not one h1", "wider than the screen"):
        assert any(fault.startswith(each) for fault in found), (each, found)
