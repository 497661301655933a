"""The back office sets what vendors cost in tokens: the next version, never another one."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing.operator_models import OperatorAction
from core.models import User
from sessions_app.models import Vendor, VendorTokenPrice
from tests.backoffice.vendor_form import page_of
from tests.factories import USD, make_client, make_vendor
from tests.tokens import CHAIN, USDT, configure_usdt

pytestmark = pytest.mark.django_db

ADD = "admin:sessions_app_vendortokenprice_add"
LIST = "admin:sessions_app_vendortokenprice_changelist"


@pytest.fixture
def operator() -> Client:
    browser = Client()
    browser.force_login(User.objects.create_superuser("operator"))
    return browser


@pytest.fixture
def vendor(tmp_path: Path, settings: Any) -> Vendor:
    configure_usdt(tmp_path, settings, CHAIN)
    return make_vendor(make_client())


def add(browser: Client, vendor: Vendor, price: str, token: str = f"{CHAIN}:{USDT}") -> Any:
    sent = {"vendor": vendor.pk, "token": token, "price": price, "reason": "as its owner asked"}
    return browser.post(reverse(ADD), sent)


def test_adds_versions_and_shows_them(operator: Client, vendor: Vendor):
    assert b"USDT on Chain 31337, 6 decimals" in operator.get(reverse(ADD)).content

    answers = [add(operator, vendor, price) for price in (f"{2 * USD}", "")]

    assert [each.status_code for each in answers] == [302, 302]
    said = VendorTokenPrice.objects.order_by("version")
    assert list(
        said.values_list("version", "chain_id", "token_address", "price_units_per_hour", "actor")
    ) == [
        (1, CHAIN, USDT, 2 * USD, "operator:operator"),
        (2, CHAIN, USDT, None, "operator:operator"),
    ]
    listed = operator.get(reverse(LIST)).content
    assert b"2000000" in listed
    assert b"as signed" in listed
    assert b"2000000" in operator.get(page_of(vendor)).content


def test_says_why_and_by_whom(operator: Client, vendor: Vendor):
    unsaid = {"vendor": vendor.pk, "token": f"{CHAIN}:{USDT}", "price": "5", "reason": " "}

    assert operator.post(reverse(ADD), unsaid).status_code == 200
    assert not VendorTokenPrice.objects.exists()
    add(operator, vendor, "5")

    said = OperatorAction.objects.get()
    assert (said.verb, said.operator.username, said.reason) == ("set_terms", "operator", "as its owner asked")
    assert (said.details["vendor"], said.details["price_units_per_hour"]) == (vendor.pk, "5")


def test_a_version_that_is_there_is_only_looked_at(operator: Client, vendor: Vendor):
    add(operator, vendor, "5")
    page = reverse("admin:sessions_app_vendortokenprice_change", args=[VendorTokenPrice.objects.get().pk])

    shown = operator.get(page)
    changed = operator.post(page, {"vendor": vendor.pk, "token": f"{CHAIN}:{USDT}", "price": "6"})

    assert (shown.status_code, changed.status_code) == (200, 403)
    assert VendorTokenPrice.objects.get().price_units_per_hour == 5


@pytest.mark.parametrize("price", ["0", "-1", "1.5", "cheap", str(10**30 + 1), "9" * 5000])
def test_takes_no_price_out_of_bounds(operator: Client, vendor: Vendor, price: str):
    assert add(operator, vendor, price).status_code == 200

    assert not VendorTokenPrice.objects.exists()


@pytest.mark.parametrize("token", ["", "1:0x" + "22" * 20, f"{CHAIN}:0x" + "44" * 20, "\x00"])
def test_takes_no_token_that_is_not_accepted(operator: Client, vendor: Vendor, token: str):
    assert add(operator, vendor, "5", token).status_code == 200

    assert not VendorTokenPrice.objects.exists()


def test_lists_prices_where_the_chains_are_misconfigured(operator: Client, vendor: Vendor, settings: Any):
    add(operator, vendor, "5")
    settings.ETHEREUM_CHAINS_FILE = "/nothing/here.toml"

    assert operator.get(reverse(LIST)).status_code == 200
    assert operator.get(reverse(ADD)).status_code == 200


def test_is_for_those_who_may_change_vendors(vendor: Vendor):
    browser = Client()
    viewer = User.objects.create_user("viewer", is_staff=True)
    browser.force_login(viewer)

    assert browser.get(reverse(ADD)).status_code == 403
    assert add(browser, vendor, "5").status_code == 403
    assert not VendorTokenPrice.objects.exists()
