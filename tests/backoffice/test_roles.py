"""Who may do what: four roles, brought up to date by every migrate."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from core import clock
from core.models import User
from paygo.backoffice.actions import ACTIONS
from tests.factories import make_active_permission, make_client, make_vendor
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db

ROLES = ("viewer", "support", "finance", "admin")
MAY = {
    "viewer": set(),
    "support": {"hold-spendingpermission", "extend-spendingpermission", "verify-spendingpermission"},
    "finance": {"hold-spendingpermission", "revoke-spendingpermission", "verify-spendingpermission"},
    "admin": {
        "hold-spendingpermission",
        "extend-spendingpermission",
        "revoke-spendingpermission",
        "verify-spendingpermission",
    },
}


def browser_of(role: str) -> Client:
    operator = User.objects.create_user(f"{role}-operator", is_staff=True)
    operator.groups.add(Group.objects.get(name=role))
    browser = Client()
    browser.force_login(operator)
    return browser


@pytest.fixture
def permission() -> SpendingPermission:
    vera = make_client()
    make_vendor(vera)
    return make_active_permission(vera, now=clock.now())


def test_a_fresh_database_has_the_four_roles() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)


def test_a_migrate_gives_a_role_back_what_was_taken_from_it_and_leaves_other_groups_alone() -> None:
    own = Group.objects.create(name="auditors")
    own.permissions.add(Permission.objects.get(codename="view_deposit"))
    Group.objects.get(name="support").permissions.clear()

    call_command("migrate", verbosity=0)

    assert Group.objects.get(name="support").permissions.filter(codename="hold_permission").exists()
    assert [each.codename for each in own.permissions.all()] == ["view_deposit"]


@pytest.mark.parametrize("role", ROLES)
def test_a_permissions_page_offers_a_role_what_it_may_do(role: str, permission: SpendingPermission) -> None:
    page = browser_of(role).get(reverse("admin:zcash_spendingpermission_change", args=[permission.pk]))

    offered = {each.action.name for each in page.context["office_buttons"]}
    assert page.status_code == 200
    assert offered == MAY[role]


@pytest.mark.parametrize("role", ROLES)
def test_refuses_a_role_what_it_may_not_do(role: str, permission: SpendingPermission) -> None:
    browser = browser_of(role)
    for name in MAY["admin"] - MAY[role]:
        url = reverse("admin:act", args=[name, permission.pk])

        assert browser.get(url).status_code == 403
        assert browser.post(url, {"reason": "because I say so", "days": 3}).status_code == 403
    permission.refresh_from_db()
    assert permission.status == "active"


CARE = {
    "verify-spendingpermission",
    "verify-deposit",
    "hold-spendingpermission",
    "lift-spendingpermission",
    "resolve-spendingpermission",
    "resolve-deposit",
    "resolve-unmatcheddeposit",
    "resolve-streamingsession",
    "resolve-refund",
    "resolve-payout",
    "resolve-webhookendpoint",
}
DOES = {
    "viewer": set(),
    "support": {
        *CARE,
        "extend-spendingpermission",
        "end_session-streamingsession",
        "enable-webhookendpoint",
        "redeliver-webhookdelivery",
    },
    "finance": {
        *CARE,
        "revoke-spendingpermission",
        "refund-spendingpermission",
        "approve-refund",
        "approve-payout",
        "retry-refund",
        "retry-payout",
        "follow-refund",
        "follow-payout",
    },
    "admin": set(ACTIONS),
}


@pytest.mark.parametrize("role", ROLES)
def test_every_action_asks_who_may_before_it_looks_for_its_row(role: str) -> None:
    browser = browser_of(role)

    answers = {}
    for name in ACTIONS:
        url = reverse("admin:act", args=[name, 0])
        answers[name] = {browser.get(url).status_code, browser.post(url, {"reason": "why not"}).status_code}

    assert {name for name, found in answers.items() if found == {404}} == DOES[role]
    assert {name for name, found in answers.items() if found == {403}} == set(ACTIONS) - DOES[role]


def test_another_site_can_do_nothing_in_an_operators_name(permission: SpendingPermission) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_superuser("otto"))

    for name in ACTIONS:
        url = reverse("admin:act", args=[name, permission.pk])
        assert browser.post(url, {"reason": "because I say so", "days": 3}).status_code == 403

    permission.refresh_from_db()
    assert permission.status == "active"


@pytest.mark.parametrize("role", ["viewer", "support", "finance"])
def test_people_and_stored_answers_are_the_administrators_business(role: str) -> None:
    browser = browser_of(role)

    for name in ("core_user", "core_receiptrow", "auth_group", "axes_accessattempt"):
        assert browser.get(reverse(f"admin:{name}_changelist")).status_code == 403


@pytest.mark.parametrize("role", ROLES)
def test_every_role_sees_the_dashboard_and_the_queues(role: str) -> None:
    browser = browser_of(role)

    assert browser.get(reverse("admin:index")).status_code == 200
    assert browser.get(reverse("admin:queues")).status_code == 200


def _staff(*rights: str) -> Client:
    operator = User.objects.create_user("nils", is_staff=True)
    operator.user_permissions.set(Permission.objects.filter(codename__in=rights))
    browser = Client()
    browser.force_login(operator)
    return browser


def test_staff_without_a_role_are_told_who_gives_one_and_see_nothing(permission: SpendingPermission) -> None:
    browser = _staff()

    page = browser.get(reverse("admin:index"))

    text = page.content.decode()
    assert page.status_code == 200
    assert "This account has no role yet" in text
    assert not any(name in page.context for name in ("cards", "vendors", "books", "node"))
    for shown in ("Revenue", "vendor123", reverse("admin:queues"), "_changelist", "/admin/zcash/"):
        assert shown not in text, shown
    assert browser.get(reverse("admin:queues")).status_code == 403
    for model in admin.site._registry:
        meta = model._meta
        path = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        assert browser.get(path).status_code == 403, path
        assert browser.get(path, {"format": "csv"}).status_code == 403, path


def test_who_may_see_some_rows_sees_them_and_no_numbers_of_the_business(
    permission: SpendingPermission,
) -> None:
    browser = _staff("view_deposit")

    page = browser.get(reverse("admin:index"))

    text = page.content.decode()
    assert "What you may see is in the menu" in text
    assert "Revenue" not in text
    assert reverse("admin:zcash_deposit_changelist") in text
    assert reverse("admin:queues") in text
    assert browser.get(reverse("admin:queues")).status_code == 200


def test_a_client_is_no_operator(permission: SpendingPermission) -> None:
    browser = Client()
    browser.force_login(permission.client)

    for path in ("queues", "index"):
        assert browser.get(reverse(f"admin:{path}")).status_code == 302
    assert (
        browser.get(reverse("admin:act", args=["hold-spendingpermission", permission.pk])).status_code == 302
    )
