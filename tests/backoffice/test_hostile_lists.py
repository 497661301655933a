"""No list fails for what its address says: what it does not offer is refused, what says nothing ignored."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from core.models import User

pytestmark = pytest.mark.django_db

NASTY = ("\0", "9" * 40, "[", "\ud800", "9999-99-99")
# Of a list's search, order and pages; whatever else is asked of one, a CSV tells as well, and sooner.
OF_PAGES = ("q", "o", "p", "e", "all", "_popup", "_to_field", "_facets", "format")
FREE = (
    "id__regex",
    "id__in",
    "pk",
    "password__startswith",
    "secret__gt",
    "digest__contains",
    "client__password__regex",
    "client__api_keys__digest",
    "x" * 300,
    "a__b__c",
    "\0",
)


@pytest.fixture
def browser() -> Client:
    made = Client(raise_request_exception=False)
    made.force_login(User.objects.create_superuser("otto"))
    return made


def lists() -> Iterator[tuple[str, Any]]:
    for model, window in admin.site._registry.items():
        yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"), window


def filters(window: Any) -> Iterator[str]:
    """Yield what the filters of a list are called."""
    for each in window.list_filter:
        if isinstance(each, type):
            yield each.parameter_name  # type: ignore[attr-defined]
            continue
        name = each if isinstance(each, str) else each[0]
        yield from (f"{name}{lookup}" for lookup in ("__exact", "__isnull", "_from_0", "_to_1"))


def test_a_list_is_filtered_by_nothing_that_it_does_not_offer(browser: Client) -> None:
    for path, _ in lists():
        for name in FREE:
            answer = browser.get(path, {name: "^(a+)+$"})
            assert answer.status_code == 400, (path, name)


@pytest.mark.parametrize("value", NASTY, ids=ascii)
def test_no_list_fails_for_what_it_is_given(browser: Client, value: str) -> None:
    sent = value.encode("utf-8", "surrogatepass")
    for path, window in lists():
        asked: list[dict[str, Any]] = [{name: sent} for name in OF_PAGES]
        for each in [*asked, *({name: sent, "format": "csv"} for name in filters(window))]:
            answer = browser.get(path, each)
            assert answer.status_code in (200, 302, 400), (path, each)
            if answer.streaming:
                assert b"".join(answer.streaming_content)
