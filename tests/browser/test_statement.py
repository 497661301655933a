"""A statement that the API answers as a page, in a real browser: to look at and to print."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from billing import engine
from core import clock
from tests.api.world import Api
from tests.browser.conftest import OpenTab, Shoot
from tests.factories import ZEC, make_active_permission, stream

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_statement_of_the_api_is_printed(open_tab: OpenTab, shoot: Shoot, vera: Api) -> None:
    assert vera.user is not None
    now = clock.now()
    permission = make_active_permission(vera.user, rate=ZEC, now=now)
    engine.end(stream(vera.user, now=now), client_id=vera.client_id, now=now + timedelta(minutes=90))
    page = open_tab(extra_http_headers={"Authorization": f"Bearer {vera.key}"})

    answer = page.goto(f"/api/v1/zcash/permissions/{permission.public_id}/statement?format=html&limit=1")

    assert answer is not None
    assert "unsafe" not in answer.headers["content-security-policy"]
    # The style sheet of our own was let in: numbers stand to the right.
    amount = page.locator("td.number").last
    expect(amount).to_have_css("text-align", "right")
    expect(page.get_by_role("link", name="Next page")).to_be_visible()
    shoot(page, "statement-of-the-api")
    page.emulate_media(media="print")
    expect(page.get_by_role("link", name="Next page")).to_be_hidden()
    assert page.pdf().startswith(b"%PDF")
