"""The back office in a real browser: an operator sees the business, finds a stuck refund, and resolves it."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from playwright.sync_api import Page, ViewportSize, expect
from pytest_django.fixtures import Settings

from billing.models import Refund
from billing.operator_models import OperatorAction
from core.models import User
from sessions_app.models import Vendor
from tests import refunding
from tests.browser.conftest import OpenTab, Shoot
from tests.refunding import World
from zcash.models import SpendingPermission

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

PASSWORD = "a long password"
# More of them make better pictures.
PERMISSIONS = int(os.environ.get("PAYGO_DEMO_PERMISSIONS", "60"))
DAYS = 30
DEEP = 200
DESK: ViewportSize = {"width": 1440, "height": 900}


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Iterator[World]:
    """A simulated node, a past of a month, and somebody of the role `finance`."""
    with refunding.running(tmp_path / "node", dialect="zcashd", settings=settings) as found:
        call_command(
            "seeddemo", permissions=PERMISSIONS, days=DAYS, stdout=io.StringIO(), stderr=io.StringIO()
        )
        make_operator()
        yield found


def make_operator() -> None:
    operator = User.objects.create_user("frida", password=PASSWORD, is_staff=True)
    operator.groups.add(Group.objects.get(name="finance"))


def log_in(page: Page) -> None:
    page.set_viewport_size(DESK)
    page.goto("/admin/")
    page.get_by_label("Username").fill("frida")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Revenue per day, ZEC")).to_be_visible()


def test_an_operator_finds_a_stuck_refund_and_resolves_it(
    world: World, open_tab: OpenTab, shoot: Shoot
) -> None:
    page = open_tab()
    log_in(page)
    shoot(page, "office-dashboard")

    page.get_by_role("navigation").get_by_role("link", name="Queues").click()
    queue = page.get_by_role("region", name="Refunds failed or of unknown outcome")
    expect(queue.get_by_role("row")).to_have_count(3)
    shoot(page, "office-queues")
    stuck = Refund.objects.filter(status="failed").order_by("id")[0]
    queue.get_by_role("link", name="Try again now").first.click()
    page.get_by_label("Reason").fill("The wallet is back; the viewer was told.")
    shoot(page, "office-reason")
    page.get_by_role("button", name="Try again now").click()

    expect(page.get_by_text("The refund is queued again")).to_be_visible()
    expect(queue.get_by_role("row")).to_have_count(2)
    # However deep a reorg may be, what the last try sent cannot be mined any more.
    world.mine(DEEP)
    world.round()
    world.mine(refunding.REFUND_CONFIRMATIONS)
    world.round(2)
    stuck.refresh_from_db()
    assert stuck.status == "confirmed"
    said = OperatorAction.objects.get(verb="retry")
    assert (said.operator.username, said.refund, said.reason) == (
        "frida",
        stuck,
        "The wallet is back; the viewer was told.",
    )


def test_a_permission_is_found_and_has_its_life_on_one_page(
    world: World, open_tab: OpenTab, shoot: Shoot
) -> None:
    refund = Refund.objects.filter(status="confirmed").latest("id")
    page = open_tab()
    log_in(page)

    page.get_by_role("navigation").get_by_role("link", name="Permissions").click()
    shoot(page, "office-permissions")
    page.get_by_placeholder("Permission, wallet, address, txid or session code").fill(
        str(refund.permission.wallet_address)
    )
    page.keyboard.press("Enter")
    page.get_by_role("link", name=str(refund.permission.public_id)).click()

    line = page.get_by_role("region", name="Time line")
    for step in ("Created", "Credited", "Activated", "Refund queued"):
        expect(line.get_by_text(step, exact=True).first).to_be_visible()
    shoot(page, "office-permission")


@pytest.mark.parametrize("options", [{"dark": True}, {"phone": True}], ids=["dark", "phone"])
def test_the_dashboard_fits_other_themes_and_screens(
    world: World, open_tab: OpenTab, shoot: Shoot, options: dict[str, bool]
) -> None:
    page = open_tab(**options)
    width = (page.viewport_size or {"width": 0})["width"]
    log_in(page)
    page.set_viewport_size({"width": width, "height": 844})

    page.goto("/admin/?range=7d")

    expect(page.get_by_role("heading", name="Top vendors")).to_be_visible()
    # Nothing makes the page scroll sideways.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    shoot(page, f"office-dashboard-{'dark' if 'dark' in options else 'phone'}")


LOOKS: dict[str, dict[str, bool]] = {"light": {}, "dark": {"dark": True}, "phone": {"phone": True}}


def test_every_page_can_be_read_and_filled_in_on_every_screen(
    world: World, open_tab: OpenTab, shoot: Shoot
) -> None:
    User.objects.filter(username="frida").update(is_superuser=True)
    faults = []
    for look, options in LOOKS.items():
        page = open_tab(**options)
        size = page.viewport_size
        log_in(page)
        page.set_viewport_size(size if "phone" in options and size else DESK)
        for name, path in pages().items():
            page.goto(path)
            found = [found for asked in (_NAMELESS, _FAINT, _CUT_OFF) for found in page.evaluate(asked)]
            width = (page.viewport_size or DESK)["width"]
            if page.evaluate("document.documentElement.scrollWidth") > width + 1:
                found.append("scrolls sideways")
            faults += [f"{name} {look}: {each}" for each in found]
            shoot(page, f"office-{name}-{look}")

    assert faults == []


def pages() -> dict[str, str]:
    permission = SpendingPermission.objects.filter(status="active").latest("id")
    revoked = Refund.objects.filter(status="confirmed").latest("id").permission
    vendor = Vendor.objects.order_by("id")[0]
    return {
        "dashboard": "/admin/",
        "queues": "/admin/queues/",
        "action": f"/admin/act/extend-spendingpermission/{permission.pk}/",
        "permissions": "/admin/zcash/spendingpermission/",
        "permission": f"/admin/zcash/spendingpermission/{revoked.pk}/change/",
        "vendor": f"/admin/sessions_app/vendor/{vendor.pk}/change/",
        "payouts": "/admin/billing/payout/",
        "operator": f"/admin/core/user/{User.objects.get(username='frida').pk}/change/",
    }


# Fields of our pages without a label, and pictures without a text.
_NAMELESS = """() => [...document.querySelectorAll('.office :is(input, textarea, select, svg, meter)')]
    .filter(e => e.type !== 'hidden' && !(e.labels && e.labels.length) && !e.getAttribute('aria-label')
                 && e.getAttribute('aria-hidden') !== 'true')
    .map(e => e.outerHTML.slice(0, 80))"""

# Cells of a list that hide a part of what they say.
_CUT_OFF = """() => [...document.querySelectorAll('#changelist tbody :is(td, th)')]
    .filter(e => e.scrollWidth > e.clientWidth + 1)
    .map(e => 'cut off: ' + e.textContent.trim().slice(0, 40))"""

# Texts of our pages with a contrast below 4.5 to 1 (WCAG 2 AA), painted on a canvas to know the colours.
_FAINT = """() => {
    const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1;
    const context = canvas.getContext('2d', {willReadFrequently: true});
    const paint = (...colors) => {
        context.fillStyle = '#fff'; context.fillRect(0, 0, 1, 1);
        for (const color of colors) { context.fillStyle = color; context.fillRect(0, 0, 1, 1); }
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = rgb => { const [r, g, b] = rgb.map(v => { v /= 255;
        return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = e => { const found = [];
        for (; e; e = e.parentElement) found.unshift(getComputedStyle(e).backgroundColor);
        return found; };
    const bad = new Set();
    for (const e of document.querySelectorAll('.office *')) {
        const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        if (!own || !e.getClientRects().length || e.closest('svg, .material-symbols-outlined')) continue;
        const ground = behind(e);
        const [a, b] = [light(paint(...ground)), light(paint(...ground, getComputedStyle(e).color))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const what = `${e.className || e.tagName}: ${e.textContent.trim().slice(0, 30)}`;
        if (contrast < 4.5) bad.add(`${what} ${contrast.toFixed(1)}`);
    }
    return [...bad];
}"""
