"""Everything that the back office takes does what it is for, in transactions of its own as in production."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.urls.resolvers import URLPattern

from core import clock
from core.models import User
from paygo.backoffice import roles, urls
from paygo.backoffice.actions import ACTIONS
from tests.api.conftest import node, simnode
from tests.backoffice.everything import leave, live
from tests.backoffice.examples import EXAMPLES, OWN, PASSWORD, World
from tests.factories import make_client, make_vendor
from zcash.node.rpc import RpcClient

__all__ = ["node", "simnode"]

# The test's own transaction would hide whatever is done outside of one.
pytestmark = pytest.mark.django_db(transaction=True)

# Pages that show something and take nothing.
SHOWN = {
    *("queues", "queue", "search", "index", "app_list", "password_change_done"),
    *("autocomplete", "jsi18n", "view_on_site"),
}


def role_of(name: str) -> str:
    """Return the least role that may send something."""
    if name in OWN:
        return roles.VIEWER
    if not name.startswith("act "):
        return roles.ADMIN
    right = ACTIONS[name.removeprefix("act ")].permission
    may = set(Group.objects.filter(permissions__codename=right).values_list("name", flat=True))
    return next(role for role in roles.NAMES if role in may)


@pytest.fixture
def world(node: RpcClient, settings: Any, tmp_path: Path) -> World:
    vera = make_client()
    operator = User.objects.create_user("otto", is_staff=True, password=PASSWORD)
    browser = Client()
    browser.force_login(operator)
    return World(vera, make_vendor(vera), operator, browser, node, settings, tmp_path)


# Rows are put by hand into states that a wallet brings about.
@pytest.mark.unbalanced
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_form_that_is_sent_does_what_it_is_for(name: str, world: World) -> None:
    world.operator.groups.add(Group.objects.get(name=role_of(name)))
    example = EXAMPLES[name](world)

    answer = world.browser.post(example.path, example.sent)

    assert answer.status_code in (200, 302), answer.status_code
    assert example.is_done(), complaints(answer)


def complaints(answer: Any) -> object:
    """Return what a page says against what was sent."""
    context = answer.context or {}
    form = context.get("form") or getattr(context.get("adminform"), "form", None)
    return form.errors if form is not None else answer


@pytest.mark.unbalanced
def test_everything_that_the_back_office_takes_has_an_example() -> None:
    boss = User.objects.create_superuser("boss")
    leave(0, permission=live(0, boss), operator=boss, now=clock.now())
    request = RequestFactory().get("/")
    request.user = boss

    of_tables = {name for model in admin.site._registry for name in taken(model, request)}
    of_actions = {f"act {name}" for name in ACTIONS}

    assert of_tables | of_actions | other_pages() - SHOWN == set(EXAMPLES)


def taken(model: type[Model], request: HttpRequest) -> Iterator[str]:
    """Return what the pages of a table take from somebody who may do everything."""
    window, name = admin.site._registry[model], f"{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.latest("pk")
    assert not window.list_editable, model
    yield from (f"{name}_changelist {action}" for action in window.get_actions(request))
    if window.has_add_permission(request):
        yield f"{name}_add"
    if window.has_change_permission(request, row):
        yield f"{name}_change"
    if window.has_delete_permission(request, row):
        yield f"{name}_delete"


def other_pages() -> set[str]:
    """Return the names of the pages that are no table's; an action's page is as many as there are actions."""
    ends = ("_changelist", "_history", "_add", "_change", "_delete")
    tables = {
        f"{model._meta.app_label}_{model._meta.model_name}{end}"
        for model in admin.site._registry
        for end in ends
    }
    # Without a name: Django's own, which lead elsewhere.
    return {name for name in paths(urls.urlpatterns) if name} - tables - {"act"}


def paths(patterns: Any) -> Iterator[str | None]:
    for each in patterns:
        if isinstance(each, URLPattern):
            yield each.name
        else:
            yield from paths(each.url_patterns)


@pytest.mark.unbalanced
def test_a_list_takes_nothing(world: World) -> None:
    boss = User.objects.create_superuser("boss")
    world.browser.force_login(boss)
    leave(0, permission=live(0, boss), operator=boss, now=clock.now())

    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        row = model._default_manager.latest("pk")
        sent = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes", "_save": "Save"}

        assert world.browser.post(path, sent).status_code < 500, model

        assert model._default_manager.filter(pk=row.pk).exists(), model
