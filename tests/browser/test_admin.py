"""The admin in a real browser: an operator logs in and looks around."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import expect

from core import clock
from core.models import User
from tests.api.world import Api
from tests.browser.conftest import OpenTab, Shoot
from tests.factories import make_active_permission
from zcash.models import SpendingPermission

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


def test_no_page_of_the_admin_needs_more_than_its_policy_allows(open_tab: OpenTab, vera: Api) -> None:
    """What a page is refused is an error on the console, and `open_tab` wants none."""
    assert vera.user is not None
    User.objects.create_superuser("operator", password="a long password")
    permission = make_active_permission(vera.user, now=clock.now())
    page = open_tab()
    page.goto("/admin/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")

    for path in _every_page(permission):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        policy = set(answer.headers["content-security-policy"].split("; "))
        assert policy >= _POLICY, path
        assert page.locator("style").count() == 0, path
        assert page.evaluate(_PRIMARY) == "#4f46e5", path


_POLICY = {"script-src 'self' 'unsafe-eval'", "style-src 'self'", "style-src-attr 'unsafe-inline'"}
_PRIMARY = "getComputedStyle(document.documentElement).getPropertyValue('--color-primary-600').trim()"


def _every_page(permission: SpendingPermission) -> Iterator[str]:
    yield from ("/admin/", "/admin/queues/", "/admin/password_change/")
    yield reverse("admin:act", args=["hold-spendingpermission", permission.pk])
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        row = model._default_manager.order_by("pk").first()
        if row is not None:
            yield reverse(f"{name}_change", args=[row.pk])
    for name in ("core_user", "auth_group", "sessions_app_vendor"):
        yield reverse(f"admin:{name}_add")
