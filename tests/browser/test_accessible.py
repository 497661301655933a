"""Every page, in light and dark, desk and phone: enough contrast, a name for everything, no scroll aside."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import override_settings
from django.urls import reverse
from playwright.sync_api import Page

from billing import holds, mails, operators, rounds
from billing.notice_rules import MAILED
from core import clock
from tests.api.world import (
    ALICE_T,
    BOB,
    PERMISSIONS,
    Api,
    create,
    create_active,
    hours_pass,
    pay,
    start,
)
from tests.browser.conftest import OpenTab, Shoot
from zcash.models import SpendingPermission
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.django_db(transaction=True)

Check = Callable[[str], None]
CHECK = (Path(__file__).parent / "accessible.js").read_text()
LOOKS = {"desk": {}, "phone": {"phone": True, "locale": "de-DE"}}
SCHEMES = ("light", "dark")


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> str:
    """On what the pages are looked at."""
    return str(request.param)


@pytest.fixture
def page(open_tab: OpenTab, look: str) -> Page:
    return open_tab(**LOOKS[look])


@pytest.fixture
def check(page: Page, shoot: Shoot, look: str) -> Iterator[Check]:
    """Judge what the page shows, in light and in dark, and keep a picture; nothing may be wrong."""
    faults: dict[str, list[str]] = {}

    def check_one(name: str) -> None:
        page.wait_for_load_state()
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            if found := page.evaluate(CHECK):
                faults[f"{name}, {scheme}"] = found
            shoot(page, f"all-{name}-{look}-{scheme}")

    yield check_one
    assert faults == {}


def test_what_everybody_may_see(page: Page, check: Check, vera: Api, node: RpcClient, settings: Any):
    settings.PAYGO_DEMO_CLIENT = "vera-tv"
    for name, path in {
        "landing": "/",
        "nothing": "/nothing",
        "demo-landing": "/demo/",
        "closed": "/payer/",
    }.items():
        page.goto(path)
        check(name)
    _walk_demo(page, check=check)
    _walk_refusals(page, check=check, api=vera)


def test_how_far_a_payment_is(page: Page, check: Check, vera: Api, node: RpcClient):
    _walk_checkouts(page, check=check, api=vera, node=node)
    late = create(vera)
    hours_pass(24)
    page.goto(late["checkout_url"])
    page.get_by_text("The time to pay is over").wait_for()
    check("checkout-late")
    vera.post(f"{PERMISSIONS}/{late['permission_id']}/verify")
    page.goto(late["checkout_url"])
    page.get_by_text("not paid in time").wait_for()
    check("checkout-lapsed")


def test_what_a_payer_does(page: Page, check: Check, vera: Api, node: RpcClient):
    active = create_active(vera, node)
    start(vera)
    page.goto(active["checkout_url"])
    check("checkout-ready")
    page.goto(_payer_url(vera, active))
    check("payer-open")
    page.get_by_role("button", name="Open my page").click()
    page.get_by_role("heading", name="Your streaming").wait_for()
    check("payer-plain")
    page.get_by_role("link", name="All of it, to print").click()
    page.get_by_role("heading", name="Statement of a permission").wait_for()
    check("statement")
    page.goto("/payer/?hours=2")
    page.get_by_text("Use another address for refunds").click()
    page.get_by_text("End this permission for good").click()
    check("payer")
    page.get_by_label("I am sure").check()
    page.get_by_role("button", name="End it and refund me").click()
    page.get_by_text("This permission was ended.").wait_for()
    check("payer-over")


def test_what_runs_low_is_used_up_or_held(page: Page, check: Check, vera: Api, node: RpcClient):
    held = create_active(vera, node, user_wallet_address=ALICE_T)
    word = operators.word(operator_id=vera.client_id, name="ops", reason="somebody asked about it")
    holds.hold(SpendingPermission.objects.get(public_id=held["permission_id"]).pk, word=word, now=clock.now())
    page.goto(held["checkout_url"])
    check("checkout-held")
    low = create_active(vera, node)
    start(vera)
    hours_pass(3.95)
    page.goto(_payer_url(vera, low))
    page.get_by_role("button", name="Open my page").click()
    page.get_by_text("Pay now").wait_for()
    check("payer-low")
    hours_pass(1)
    rounds.interval_round()
    page.goto("/payer/")
    page.get_by_text("All of it has been streamed").wait_for()
    check("payer-used-up")
    page.goto(low["checkout_url"])
    check("checkout-used-up")


@pytest.mark.parametrize("kind", MAILED)
def test_what_a_mail_says(page: Page, check: Check, kind: str):
    known = {
        "remaining": "1.25",
        "amount": "1.25",
        "expires_at": clock.now(),
        "stop_url": "http://localhost/stop",
    }

    page.set_content(render_to_string("mail/notice.html", {"kind": kind, **known}))

    check(f"mail-{kind}")


def _payer_url(api: Api, created: dict[str, Any]) -> str:
    answer = api.post(f"{PERMISSIONS}/{created['permission_id']}/payer_links", {"lasts_minutes": 1440})
    return str(answer.body["payer_url"])


def _walk_checkouts(page: Page, *, check: Check, api: Api, node: RpcClient) -> None:
    waiting, partly, seen, mined, over = (create(api) for _ in range(5))
    pay(node, mined, blocks=1)
    pay(node, partly, "1", blocks=0)
    pay(node, seen, blocks=0)
    for each in (partly, seen, mined):
        api.post(f"{PERMISSIONS}/{each['permission_id']}/verify")
    api.post(f"{PERMISSIONS}/{over['permission_id']}/revoke")
    states = {"waiting": waiting, "missing": partly, "seen": seen, "confirming": mined, "over": over}
    for name, created in states.items():
        page.goto(created["checkout_url"])
        check(f"checkout-{name}")
    page.goto(waiting["checkout_url"])
    page.get_by_label("Another Zcash address").fill("nonsense")
    page.get_by_role("button", name="Use this address").click()
    page.locator(".error").wait_for()
    check("checkout-refused")


def _walk_demo(page: Page, *, check: Check) -> None:
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


def _walk_refusals(page: Page, *, check: Check, api: Api) -> None:
    created = create(api)
    permission = SpendingPermission.objects.get(public_id=created["permission_id"])
    page.goto(reverse("mail-stop", args=[mails.stop_token(permission)]))
    check("mail-stop")
    page.get_by_role("button", name="Stop the mails").click()
    page.get_by_role("heading", name="No more mails").wait_for()
    check("mail-stopped")
    page.goto(created["checkout_url"])
    page.context.clear_cookies()
    page.get_by_label("Another Zcash address").fill(BOB)
    page.get_by_role("button", name="Use this address").click()
    page.get_by_role("heading", name="This form was not accepted").wait_for()
    check("form-refused")
    with override_settings(RATE_LIMIT_LINKS="1/h"):
        for _ in range(2):
            page.goto(created["checkout_url"])
        page.get_by_role("heading", name="Too many").wait_for()
        check("too-many")


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
