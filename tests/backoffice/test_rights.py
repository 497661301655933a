"""Nobody gives what he does not have, nobody gives himself anything, and one operator is never two."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from billing import approvers
from billing.operator_models import OperatorAction
from core import clock
from core.errors import Conflict
from core.models import User

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"


def operator_of(role: str, *, name: str = "") -> User:
    operator = User.objects.create_user(name or role, is_staff=True, password=PASSWORD)
    operator.groups.add(Group.objects.get(name=role))
    return operator


def browser_of(operator: User) -> Client:
    browser = Client()
    browser.force_login(operator)
    return browser


@pytest.fixture
def ada() -> User:
    """Somebody of the role `admin`."""
    return operator_of("admin", name="ada")


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss", password=PASSWORD)


def change(browser: Client, user: User, **fields: object):
    form = {"username": user.username, "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    return browser.post(reverse("admin:core_user_change", args=[user.pk]), {**form, **fields})


def test_an_administrator_makes_himself_no_superuser(ada: User) -> None:
    change(browser_of(ada), ada, is_active="on", is_staff="on", is_superuser="on")

    ada.refresh_from_db()
    assert not ada.is_superuser


def test_an_account_keeps_the_name_by_which_the_audit_log_knows_it(boss: User, ada: User) -> None:
    for browser, account in ((browser_of(ada), ada), (browser_of(boss), ada)):
        assert change(browser, account, username="boss ", first_name="Ada").status_code == 302

    ada.refresh_from_db()
    assert (ada.username, ada.first_name) == ("ada", "Ada")


@pytest.mark.parametrize("role", ["boss", "ada"])
def test_nobody_changes_what_he_himself_can_do(request: pytest.FixtureRequest, role: str) -> None:
    user = request.getfixturevalue(role)
    before = (user.is_staff, user.is_superuser, user.is_active, set(user.groups.all()))

    answer = change(
        browser_of(user),
        user,
        first_name="New",
        groups=[Group.objects.get(name="finance").pk],
        user_permissions=[Permission.objects.get(codename="approve_refund").pk],
    )

    user = User.objects.get(pk=user.pk)
    assert (answer.status_code, user.first_name) == (302, "New")
    assert (user.is_staff, user.is_superuser, user.is_active, set(user.groups.all())) == before
    assert not user.user_permissions.exists()


def test_an_administrator_makes_nobody_a_superuser(ada: User) -> None:
    other = User.objects.create_user("other")

    answer = change(browser_of(ada), other, is_active="on", is_staff="on", is_superuser="on")

    other.refresh_from_db()
    assert (answer.status_code, other.is_staff, other.is_superuser) == (302, True, False)


@pytest.mark.parametrize("is_active", [True, False])
def test_an_administrator_touches_no_superuser_awake_or_asleep(
    ada: User, boss: User, is_active: bool
) -> None:
    User.objects.filter(pk=boss.pk).update(is_active=is_active)
    browser = browser_of(ada)
    new = {"password1": "another long password", "password2": "another long password"}

    changed = change(browser, boss, is_active="on", is_staff="on")
    reset = browser.post(
        reverse("admin:auth_user_password_change", args=[boss.pk]), {**new, "usable_password": "true"}
    )

    boss.refresh_from_db()
    assert (changed.status_code, reset.status_code) == (403, 403)
    assert boss.check_password(PASSWORD)
    assert (boss.is_superuser, boss.is_active) == (True, is_active)


def test_nobody_gives_what_he_does_not_have() -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(
        Permission.objects.filter(codename__in=["view_user", "change_user", "add_user"])
    )
    other = User.objects.create_user("other")
    finance = Group.objects.get(name="finance")

    by_role = change(browser_of(clerk), other, is_active="on", groups=[finance.pk])
    approve = Permission.objects.get(codename="approve_refund")
    by_right = change(browser_of(clerk), other, is_active="on", user_permissions=[approve.pk])
    own = Permission.objects.get(codename="view_user")
    taken = change(browser_of(clerk), other, is_active="on", user_permissions=[own.pk])

    assert (by_role.status_code, by_right.status_code, taken.status_code) == (200, 200, 302)
    assert not other.groups.exists()
    assert list(other.user_permissions.all()) == [own]


def test_nobody_changes_an_account_that_can_do_more() -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    frida = operator_of("finance", name="frida")

    assert change(browser_of(clerk), frida, is_active="on").status_code == 403


def test_nobody_changes_a_group_he_is_in_or_one_of_the_four_roles(ada: User, boss: User) -> None:
    own = Group.objects.create(name="own")
    ada.groups.add(own)
    everything = list(Permission.objects.values_list("pk", flat=True))

    for browser, group in (
        (browser_of(ada), own),
        (browser_of(ada), Group.objects.get(name="viewer")),
        (browser_of(boss), Group.objects.get(name="viewer")),
    ):
        page = reverse("admin:auth_group_change", args=[group.pk])
        assert browser.post(page, {"name": group.name, "permissions": everything}).status_code == 403
        assert (
            browser.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code
            == 403
        )
    assert not own.permissions.exists()


def test_a_group_gets_no_permission_that_its_maker_does_not_have() -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_group", "change_group"]))
    group = Group.objects.create(name="own")
    approve = Permission.objects.get(codename="approve_refund")

    page = reverse("admin:auth_group_change", args=[group.pk])
    answer = browser_of(clerk).post(page, {"name": "own", "permissions": [approve.pk]})

    assert answer.status_code == 200
    assert not group.permissions.exists()


def test_nobody_deletes_an_account(boss: User) -> None:
    other = User.objects.create_user("other")

    page = reverse("admin:core_user_delete", args=[other.pk])

    assert browser_of(boss).post(page, {"post": "yes"}).status_code == 403


# -- Whose word counts ----------------------------------------------------------------------------------


@pytest.fixture
def old(settings) -> User:
    """An operator whose account nobody has touched for long."""
    settings.APPROVAL_ACCOUNT_AGE_HOURS = 24
    long_ago = clock.now() - timedelta(days=90)
    return User.objects.create_superuser("old", password=PASSWORD, rights_changed_at=long_ago)


def counts(user: User) -> bool:
    try:
        approvers.require_settled(user.pk, now=clock.now())
    except Conflict:
        return False
    return True


def test_a_fresh_account_has_no_voice_for_a_day(settings, boss: User) -> None:
    settings.APPROVAL_ACCOUNT_AGE_HOURS = 24

    assert not counts(boss)
    approvers.require_settled(boss.pk, now=clock.now() + timedelta(hours=25))


def test_an_old_account_has_one_and_keeps_it_by_logging_in(old: User) -> None:
    Client().post(reverse("admin:login"), {"username": "old", "password": PASSWORD})
    assert User.objects.get(pk=old.pk).last_login
    User.objects.filter(pk=old.pk).update(first_name="Older")

    assert counts(old)


def reset(user: User) -> None:
    boss, _ = User.objects.get_or_create(username="boss", is_superuser=True, is_staff=True)
    new = {"password1": "another long password", "password2": "another long password"}
    page = reverse("admin:auth_user_password_change", args=[user.pk])
    assert browser_of(boss).post(page, {**new, "usable_password": "true"}).status_code == 302


def set_password(user: User) -> None:
    user.set_password("another long password")
    user.save()


CHANGES: dict[str, Callable[[User], object]] = {
    "password reset by another": reset,
    "password set by a command": set_password,
    "role": lambda user: user.groups.add(Group.objects.get(name="finance")),
    "right": lambda user: user.user_permissions.add(Permission.objects.get(codename="approve_refund")),
    "staff": lambda user: User.objects.filter(pk=user.pk).update(is_staff=False),
    "superuser": lambda user: User.objects.filter(pk=user.pk).update(is_superuser=False),
    "switched off": lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
}


@pytest.mark.parametrize("how", CHANGES)
def test_whatever_gives_an_account_more_costs_it_its_voice(old: User, how: str) -> None:
    assert counts(old)

    CHANGES[how](old)

    assert not counts(old)


def test_what_a_group_is_given_is_given_to_its_members(old: User, boss: User) -> None:
    own = Group.objects.create(name="own")
    old.groups.add(own)
    before = User.objects.get(pk=old.pk).rights_changed_at
    approve = Permission.objects.get(codename="approve_refund")

    page = reverse("admin:auth_group_change", args=[own.pk])
    browser_of(boss).post(page, {"name": "own", "permissions": [approve.pk]})

    assert User.objects.get(pk=old.pk).rights_changed_at > before
    assert own.permissions.get() == approve


def test_the_mark_never_moves_back(old: User) -> None:
    stale = User.objects.get(pk=old.pk)
    old.groups.add(Group.objects.get(name="finance"))

    stale.first_name = "Stale"
    stale.save()

    assert not counts(old)


# -- What the others see --------------------------------------------------------------------------------


def test_whoever_looks_after_accounts_is_told_of_a_new_one(boss: User, ada: User) -> None:
    new = {"username": "second", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}

    browser_of(boss).post(reverse("admin:core_user_add"), new)

    second = User.objects.get(username="second")
    said = OperatorAction.objects.get(verb="change_account")
    assert (said.operator, said.reason, said.details["accounts"]) == (boss, "made the account", [second.pk])
    assert (
        b"made the account" in browser_of(ada).get(reverse("admin:queue", args=["account-changes"])).content
    )
    support = browser_of(operator_of("support"))
    assert support.get(reverse("admin:queue", args=["account-changes"])).status_code == 403


HANDS: dict[str, Callable[[User, User], object]] = {
    "a password": lambda boss, user: reset(user),
    "a role": lambda boss, user: change(
        browser_of(boss), user, is_active="on", groups=[Group.objects.get(name="finance").pk]
    ),
    "a group": lambda boss, user: give_group(boss, user),
}


def give_group(boss: User, user: User) -> None:
    own = Group.objects.create(name="own")
    user.groups.add(own)
    browser_of(boss).post(reverse("admin:auth_group_change", args=[own.pk]), {"name": "renamed"})


@pytest.mark.parametrize("what", HANDS)
def test_what_an_account_is_given_is_written_down_with_who_gave_it(boss: User, what: str) -> None:
    user = User.objects.create_user("clerk", is_staff=True)

    HANDS[what](boss, user)

    said = OperatorAction.objects.get(verb="change_account")
    assert (said.operator, said.details) == (boss, {"accounts": [user.pk], "names": ["clerk"]})


def test_what_somebody_changes_of_himself_is_his_own(boss: User) -> None:
    change(browser_of(boss), boss, first_name="New")

    assert not OperatorAction.objects.exists()
