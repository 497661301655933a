"""The admin shows every row, changes none that machines write, and revokes keys."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from billing import engine
from billing.engine import StartRequest
from billing.interval import run_interval
from billing.operator_models import OperatorAction
from core import clock, db
from core.models import User
from paygo.api import keys
from paygo.api.models import ApiKey
from sessions_app import vendors
from sessions_app.models import Vendor, VendorPrice
from tests.backoffice.vendor_form import opened, page_of
from tests.factories import ALICE, NOW, after, make_active_permission, make_client, make_vendor

pytestmark = pytest.mark.django_db

# What every vendor says besides.
TERMS = {
    "reason": "as its owner asked",
    "fee_bps": 0,
    "payout_schedule": "weekly",
    "payout_minimum_zat": 1_000_000,
}
WRITABLE = {"user", "group", "vendor", "vendortokenprice"}


@pytest.fixture
def operator() -> Client:
    browser = Client()
    browser.force_login(User.objects.create_superuser("operator"))
    return browser


@pytest.fixture
def _rows() -> None:
    vera = make_client()
    make_vendor(vera)
    make_active_permission(vera)
    engine.start(StartRequest(ALICE, "vendor123"), client_id=vera.pk, now=NOW)
    run_interval(now=after(hours=1), engine="test", chunk_size=10)
    keys.create(vera, name="first", now=NOW)


def windows() -> list[type]:
    ours = {"core", "zcash", "sessions_app", "billing", "api"}
    return [model for model in admin.site._registry if model._meta.app_label in ours]


@pytest.mark.usefixtures("_rows")
def test_opens_every_window_and_row(operator: Client):
    for model in windows():
        opened = operator.get(reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist"))
        assert opened.status_code == 200, model
        if row := model._default_manager.first():
            name = f"admin:{model._meta.label_lower.replace('.', '_')}_change"
            assert operator.get(reverse(name, args=[row.pk])).status_code == 200, model


@pytest.mark.usefixtures("_rows")
def test_changes_no_row_that_a_machine_writes(operator: Client):
    for model in windows():
        if model._meta.model_name in WRITABLE:
            continue
        name = f"admin:{model._meta.label_lower.replace('.', '_')}"
        assert operator.get(reverse(f"{name}_add")).status_code == 403, model
        row = model._default_manager.first()
        if row is not None:
            assert operator.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
            assert operator.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403


@pytest.mark.usefixtures("_rows")
def test_revokes_a_key(operator: Client):
    key = ApiKey.objects.get()

    page = reverse("admin:act", args=["revoke_key-apikey", key.pk])
    unsaid = operator.post(page, {"reason": ""})
    key.refresh_from_db()
    assert (unsaid.status_code, key.revoked_at) == (200, None)
    operator.post(page, {"reason": "it was in a public repository"})
    again = operator.post(page, {"reason": "it was in a public repository"})

    key.refresh_from_db()
    assert key.revoked_at is not None
    assert b"this cannot be done" in again.content
    said = OperatorAction.objects.get()
    assert (said.verb, said.operator.username, said.reason) == (
        "revoke_key",
        "operator",
        "it was in a public repository",
    )
    assert said.details == {"key": key.prefix, "name": "first", "client": "vera-tv"}


def test_makes_a_vendor(operator: Client):
    vera = make_client()

    operator.post(
        reverse("admin:sessions_app_vendor_add"),
        {"client": vera.pk, "slug": "vendor123", "name": "Vera", "is_active": "on", **TERMS},
    )

    vendor = Vendor.objects.get()
    assert abs((clock.now() - vendor.created_at).total_seconds()) < 60
    assert list(VendorPrice.objects.values_list("vendor", "version", "actor")) == [
        (vendor.pk, 1, "operator:operator")
    ]


def change_meanwhile(vendor: Vendor, **fields: object) -> None:
    """Do what the API and other operators do: each has a version of the price, and fields without one."""
    if "price_zat_per_hour" in fields:
        with db.operation():
            price = fields.pop("price_zat_per_hour")
            vendors.publish(vendor.pk, price_zat_per_hour=price, actor="api", now=clock.now())
    Vendor.objects.filter(pk=vendor.pk).update(**fields)


NEWER = {
    "price_zat_per_hour": 3,
    "fee_bps": 250,
    "is_active": False,
    "name": "Vera II",
    "heartbeat_seconds": 30,
}


@pytest.mark.parametrize("name", NEWER)
def test_an_old_form_leaves_alone_what_its_operator_has_not_touched(operator: Client, name: str):
    vendor = make_vendor(make_client(), price=1)
    form = opened(operator, vendor)
    change_meanwhile(vendor, **{name: NEWER[name]})
    touched = "name" if name != "name" else "fee_bps"

    answer = operator.post(page_of(vendor), {**form, touched: 77})

    vendor.refresh_from_db()
    assert answer.status_code == 302
    assert getattr(vendor, name) == NEWER[name]
    assert str(getattr(vendor, touched)) == "77"
    assert VendorPrice.objects.count() == (2 if name == "price_zat_per_hour" else 1)


@pytest.mark.parametrize("name", NEWER)
def test_an_old_form_overwrites_nothing_that_somebody_else_has_changed(operator: Client, name: str):
    vendor = make_vendor(make_client(), price=1)
    Vendor.objects.filter(pk=vendor.pk).update(is_active=name != "is_active")
    form = opened(operator, vendor)
    newer = {**NEWER, "is_active": True}[name]
    change_meanwhile(vendor, **{name: newer})
    mine = {"price_zat_per_hour": 9, "fee_bps": 9, "is_active": "on", "name": "Mine", "heartbeat_seconds": 9}

    answer = operator.post(page_of(vendor), {**form, name: mine[name]})

    vendor.refresh_from_db()
    assert (answer.status_code, getattr(vendor, name)) == (200, newer)
    assert b"was changed meanwhile" in answer.content


@pytest.mark.django_db(transaction=True)
def test_a_vendor_is_saved_outside_of_a_tests_transaction(operator: Client):
    vendor = make_vendor(make_client(), price=1)

    answer = operator.post(page_of(vendor), {**opened(operator, vendor), "name": "Vera TV"})

    vendor.refresh_from_db()
    assert (answer.status_code, vendor.name) == (302, "Vera TV")


def test_a_new_price_of_a_vendor_is_a_new_version(operator: Client):
    vendor = make_vendor(make_client(), price=1)
    mallory = make_client("mallory")
    form = opened(operator, vendor)

    operator.post(
        page_of(vendor),
        {**form, "name": "Vera TV", "price_zat_per_hour": 2, "slug": "stolen", "client": mallory.pk},
    )
    operator.post(page_of(vendor), opened(operator, vendor))

    vendor.refresh_from_db()
    assert (vendor.name, vendor.slug, vendor.is_active) == ("Vera TV", "vendor123", True)
    assert (vendor.price_zat_per_hour, vendor.price_version) == (2, 2)
    assert vendor.client.username == "vera-tv"
    prices = VendorPrice.objects.order_by("version").values_list("price_zat_per_hour", "actor")
    assert list(prices) == [(1, "tests"), (2, "operator:operator")]


def test_whoever_makes_or_changes_a_vendor_says_why(operator: Client):
    vera, add = make_client(), reverse("admin:sessions_app_vendor_add")
    form = {"client": vera.pk, "slug": "vendor123", "name": "Vera", "is_active": "on", **TERMS}

    for unsaid in ("", "   ", "ok", "a\n\n\nb", "x" * 501):
        assert operator.post(add, {**form, "reason": unsaid}).status_code == 200
    assert not Vendor.objects.exists()
    operator.post(add, form)
    vendor = Vendor.objects.get()
    changed = {**opened(operator, vendor), "price_zat_per_hour": 2, "is_active": ""}
    assert operator.post(page_of(vendor), {**changed, "reason": ""}).status_code == 200
    operator.post(page_of(vendor), {**changed, "reason": "it streams\nno more"})

    said = OperatorAction.objects.order_by("id").values_list("verb", "operator__username", "reason")
    assert list(said) == [
        ("set_terms", "operator", "as its owner asked"),
        ("set_terms", "operator", "it streams no more"),
    ]
    last = OperatorAction.objects.latest("id").details
    assert (last["vendor"], last["price_zat_per_hour"], last["is_active"]) == (vendor.pk, 2, False)


def test_who_only_looks_at_a_vendor_is_asked_for_no_reason():
    vendor = make_vendor(make_client())
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.groups.add(Group.objects.get(name="viewer"))
    browser = Client()
    browser.force_login(viewer)

    page = browser.get(page_of(vendor))

    assert page.status_code == 200
    assert b"It is kept in the log" not in page.content


@pytest.mark.parametrize("price", ["0", "-1", "2100000000000001", "cheap"])
def test_takes_no_price_out_of_bounds(operator: Client, price: str):
    vendor = make_vendor(make_client(), price=1)

    answer = operator.post(page_of(vendor), {**opened(operator, vendor), "price_zat_per_hour": price})

    assert answer.status_code == 200

    assert VendorPrice.objects.get().price_zat_per_hour == 1


def test_lets_nobody_in_without_a_staff_account():
    browser = Client()
    browser.force_login(make_client())

    assert browser.get(reverse("admin:zcash_spendingpermission_changelist")).status_code == 302
