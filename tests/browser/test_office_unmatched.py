"""Money at an address of no permission, in a real browser: an operator sees it, and says whose it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from pytest_django.fixtures import Settings

from billing.operator_models import OperatorAction
from core import clock
from tests import refunding
from tests.browser.conftest import OpenTab, Shoot
from tests.browser.test_office import log_in, make_operator
from tests.refunding import World
from zcash import watch

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Iterator[World]:
    with refunding.running(tmp_path / "node", dialect="zallet", settings=settings) as found:
        watch.scan(wallet=found.wallet, now=clock.now())
        make_operator()
        yield found


def test_an_operator_says_whose_an_unmatched_deposit_is(
    world: World, open_tab: OpenTab, shoot: Shoot
) -> None:
    by_hand = world.address(2**60)
    for zec in ("0.25", "12.5", "0.00001"):
        world.do("sim_pay", by_hand, zec)
    world.mine()
    world.do("sim_pay", by_hand, "3")
    watch.scan(wallet=world.wallet, now=clock.now())

    page = open_tab()
    log_in(page)
    page.get_by_role("navigation").get_by_role("link", name="Queues").click()
    queue = page.get_by_role("region", name="Unmatched deposits")
    expect(queue.get_by_role("row")).to_have_count(5)
    expect(queue.get_by_role("row").nth(1)).to_contain_text("12.5 ZEC")
    expect(queue.get_by_role("row").nth(2)).to_contain_text("not mined yet")
    shoot(page, "office-unmatched")
    queue.get_by_role("link", name="Mark as resolved").first.click()
    page.get_by_label("Reason").fill("Our own float, sent from the exchange.")
    page.get_by_role("button", name="Mark as resolved").click()

    expect(queue.get_by_role("row")).to_have_count(4)
    said = OperatorAction.objects.get()
    assert (said.verb, said.details["amount_zat"]) == ("resolve", 1_250_000_000)
