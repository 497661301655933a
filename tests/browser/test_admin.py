"""The admin in a real browser: an operator logs in and looks around."""

import pytest
from playwright.sync_api import expect

from core.models import User
from tests.browser.conftest import OpenTab, Shoot

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_operator_logs_in_and_sees_the_permissions(open_tab: OpenTab, shoot: Shoot):
    User.objects.create_superuser("operator", password="a long password")
    page = open_tab()

    page.goto("/admin/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Log in").click()
    page.goto("/admin/zcash/spendingpermission/")

    expect(page.get_by_role("heading").first).to_be_visible()
    shoot(page, "admin-permissions")
