"""Vendors and their prices: versions that nobody changes, sessions that keep the one they began with."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from billing import engine, interval
from core import db
from core.errors import Invalid
from core.idempotency import KeyReused, Receipt
from core.models import User
from sessions_app import queries, vendors
from sessions_app.errors import VendorExists, VendorNotFound
from sessions_app.models import StreamingSession, Vendor, VendorPrice
from tests.factories import NOW, ZEC, after, make_active_permission, make_client, make_vendor, stream

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    return make_client()


def create(client: User, slug: str = "vendor123", **changes: Any) -> vendors.VendorRecord:
    given = {"name": "Vera", "actor": "tests", "now": NOW, **changes}
    return vendors.create(slug, client_id=client.pk, **given)


def set_price(client: User, price: int | None, **changes: Any) -> vendors.PriceRecord:
    given = {"actor": "tests", "now": NOW, **changes}
    return vendors.set_price("vendor123", client_id=client.pk, price_zat_per_hour=price, **given)


def versions() -> list[tuple[int, int | None]]:
    return list(VendorPrice.objects.order_by("version").values_list("version", "price_zat_per_hour"))


def test_a_new_vendor_has_the_first_version_of_its_price(vera: User) -> None:
    made = create(vera, price_zat_per_hour=2 * ZEC, heartbeat_seconds=30)

    assert (made.price_version, made.price_zat_per_hour, made.heartbeat_seconds) == (1, 2 * ZEC, 30)
    assert versions() == [(1, 2 * ZEC)]
    assert VendorPrice.objects.get().actor == "tests"


def test_a_new_price_is_the_next_version_and_the_current_one(vera: User) -> None:
    create(vera)

    added = [set_price(vera, price, now=after(hours=1)) for price in (2 * ZEC, 2 * ZEC, None)]

    vendor = Vendor.objects.get()
    assert [each.version for each in added] == [2, 3, 4]
    assert (vendor.price_version, vendor.price_zat_per_hour) == (4, None)
    assert versions() == [(1, None), (2, 2 * ZEC), (3, 2 * ZEC), (4, None)]


def test_a_vendor_from_before_there_were_versions_gets_its_first(vera: User) -> None:
    Vendor.objects.create(client=vera, slug="vendor123", name="Vera", created_at=NOW)

    assert set_price(vera, 1 * ZEC).version == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions_vendorprice SET price_zat_per_hour = 1",
        "UPDATE sessions_vendorprice SET actor = 'mallory'",
        "DELETE FROM sessions_vendorprice",
        "TRUNCATE sessions_vendorprice CASCADE",
    ],
)
def test_nobody_changes_a_version(vera: User, statement: str) -> None:
    create(vera, price_zat_per_hour=2 * ZEC)
    db.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        db.execute(statement)

    assert versions() == [(1, 2 * ZEC)]


def test_a_vendor_names_only_a_version_that_it_has(vera: User) -> None:
    create(vera)

    with transaction.atomic():
        Vendor.objects.update(price_version=2)
        with pytest.raises(IntegrityError, match="sessions_vendor_current_price"):
            connection.check_constraints()
        transaction.set_rollback(True)


def test_refuses_a_second_vendor_of_the_same_id(vera: User) -> None:
    create(vera)

    with pytest.raises(VendorExists):
        create(vera, name="Other")

    assert create(make_client("mallory")).vendor_id == "vendor123"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("slug", {"slug": "a b"}),
        ("slug", {"slug": "a" * 65}),
        ("name", {"name": ""}),
        ("name", {"name": "n" * 201}),
        ("price_zat_per_hour", {"price_zat_per_hour": 0}),
        ("price_zat_per_hour", {"price_zat_per_hour": 21 * 10**14 + 1}),
        ("heartbeat_seconds", {"heartbeat_seconds": 4}),
        ("heartbeat_seconds", {"heartbeat_seconds": 3601}),
    ],
)
def test_names_the_field_that_a_vendor_cannot_have(vera: User, field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        create(vera, **changes)

    assert refused.value.field == field
    assert not Vendor.objects.exists()


def test_another_clients_vendor_does_not_exist(vera: User) -> None:
    create(vera, price_zat_per_hour=2 * ZEC)
    mallory = make_client("mallory")

    with pytest.raises(VendorNotFound):
        set_price(mallory, 1)
    with pytest.raises(VendorNotFound):
        vendors.set_active("vendor123", client_id=mallory.pk, is_active=False, now=NOW)

    assert versions() == [(1, 2 * ZEC)]
    assert Vendor.objects.get().is_active


def test_a_repeated_call_with_a_receipt_has_one_effect(vera: User) -> None:
    made = Receipt(vera.pk, "POST /api/v1/vendors", "key", b"d" * 32)
    priced = Receipt(vera.pk, "POST /api/v1/vendors/vendor123/prices", "key", b"d" * 32)
    other = Receipt(vera.pk, made.endpoint, "key", b"e" * 32)

    created = [create(vera, receipt=made) for _ in range(2)]
    added = [set_price(vera, 1 * ZEC, receipt=priced) for _ in range(2)]

    assert created[0] == created[1] == create(vera, receipt=made, now=after(hours=1))
    assert added[0] == added[1]
    assert versions() == [(1, None), (2, 1 * ZEC)]
    with pytest.raises(KeyReused):
        create(vera, receipt=other)


def test_a_session_keeps_the_price_it_started_with(vera: User) -> None:
    create(vera, price_zat_per_hour=1 * ZEC)
    permission = make_active_permission(vera, rate=2 * ZEC)
    first = stream(vera, ref="first")

    set_price(vera, 2 * ZEC, now=after(hours=1))
    second = stream(vera, ref="second", now=after(hours=1))
    set_price(vera, 5 * ZEC, now=after(hours=1))
    interval.run_interval(now=after(hours=2), engine="test", chunk_size=10)

    permission.refresh_from_db()
    assert permission.remaining_zat == 10 * ZEC - 2 * ZEC - 2 * ZEC
    paid = {
        code: engine.end(code, client_id=vera.pk, now=after(hours=2)).amount_zat for code in (first, second)
    }
    assert paid == {first: 2 * ZEC, second: 2 * ZEC}
    kept = StreamingSession.objects.order_by("id").values_list("price_version", "rate_zat_per_hour")
    assert list(kept) == [(1, 1 * ZEC), (2, 2 * ZEC)]


def test_a_session_names_the_version_that_leaves_the_price_to_the_permission(vera: User) -> None:
    create(vera, price_zat_per_hour=1 * ZEC)
    set_price(vera, None)
    make_active_permission(vera, rate=2 * ZEC)

    stream(vera)

    session = StreamingSession.objects.get()
    assert (session.price_version, session.rate_zat_per_hour) == (2, 2 * ZEC)


def test_a_vendor_that_takes_no_sessions_keeps_those_that_run(vera: User) -> None:
    make_vendor(vera)
    make_active_permission(vera)
    code = stream(vera)

    vendors.set_active("vendor123", client_id=vera.pk, is_active=False, now=NOW)

    with pytest.raises(VendorNotFound):
        stream(vera, ref="second", now=after(seconds=1))
    assert engine.end(code, client_id=vera.pk, now=after(hours=1)).end_reason == "ended_by_client"
    vendors.set_active("vendor123", client_id=vera.pk, is_active=True, now=NOW)
    assert stream(vera, ref="second", now=after(hours=1))


def test_lists_vendors_and_versions_a_page_at_a_time(vera: User) -> None:
    for slug in ("b", "a", "c"):
        make_vendor(vera, slug=slug)
    make_vendor(make_client("mallory"), slug="aa")
    for price in (1, 2, 3):
        vendors.set_price("a", client_id=vera.pk, price_zat_per_hour=price, actor="tests", now=NOW)

    first = queries.vendors_of_client(client_id=vera.pk, after="", limit=2)
    rest = queries.vendors_of_client(client_id=vera.pk, after="b", limit=2)
    latest = queries.prices(first[0], before=None, limit=2)
    earlier = queries.prices(first[0], before=3, limit=9)

    assert [[each.slug for each in page] for page in (first, rest)] == [["a", "b"], ["c"]]
    assert [[each.version for each in page] for page in (latest, earlier)] == [[4, 3], [2, 1]]
