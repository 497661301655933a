"""The landing page, and what the browsers of others' pages are allowed."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab, Shoot

pytestmark = pytest.mark.django_db(transaction=True)


def test_says_what_is_here(open_tab: OpenTab, shoot: Shoot):
    for name, look in {"light": {}, "dark": {"dark": True}, "phone": {"phone": True}}.items():
        page = open_tab(**look)
        page.goto("/")
        expect(page.get_by_role("heading", level=1)).to_contain_text("paid by the second")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shoot(page, f"landing-{name}")


def test_an_unknown_path_is_a_page_too(open_tab: OpenTab, shoot: Shoot):
    page = open_tab()

    answer = page.goto("/checkout/guessed")

    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    shoot(page, "not-found")


def test_the_schema_browser_works_under_its_policy(open_tab: OpenTab):
    page = open_tab()

    page.goto("/api/docs/")

    expect(page.get_by_text("Create a spending permission").first).to_be_visible()
