"""Vendors and their prices over HTTP."""

from typing import Any

import pytest

from paygo.api.vendor_bodies import PricePage, PriceVersion, VendorPage, VendorState
from sessions_app.models import Vendor, VendorPrice
from tests.api.world import SESSIONS, Api, create_active, hours_pass, make_api, rows, session_body, start
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node")

VENDORS = "/api/v1/vendors"
CALLS = [
    ("GET", VENDORS),
    ("POST", VENDORS),
    ("GET", f"{VENDORS}/vendor123"),
    ("GET", f"{VENDORS}/vendor123/prices"),
    ("POST", f"{VENDORS}/vendor123/prices"),
    ("POST", f"{VENDORS}/vendor123/activate"),
    ("POST", f"{VENDORS}/vendor123/deactivate"),
]
BODIES = {VENDORS: {"vendor_id": "tv", "name": "TV"}, f"{VENDORS}/vendor123/prices": {"rate_per_hour": 1.5}}


def vendor_body(**changes: Any) -> dict[str, Any]:
    return {"vendor_id": "tv", "name": "Vera's TV", **changes}


def called(api: Api, method: str, path: str) -> Any:
    return api.post(path, BODIES.get(path)) if method == "POST" else api.get(path)


def test_makes_a_vendor(vera: Api) -> None:
    answer = vera.post(VENDORS, vendor_body(rate_per_hour=2.5, heartbeat_seconds=30))

    assert answer.status == 201
    assert answer.body.keys() == VendorState().fields.keys()
    assert answer.headers["Location"] == f"{VENDORS}/tv"
    assert (answer.body["rate_per_hour"], answer.body["price_version"]) == (2.5, 1)
    assert answer.body["created_at"].endswith("Z")
    assert vera.get(f"{VENDORS}/tv").body == answer.body
    made = Vendor.objects.get(slug="tv")
    assert (made.client_id, made.price_zat_per_hour, made.heartbeat_seconds) == (
        vera.client_id,
        250_000_000,
        30,
    )
    assert VendorPrice.objects.get(vendor=made).actor == f"client:{vera.client_id}"


@pytest.mark.parametrize("changes", [{}, {"rate_per_hour": None, "heartbeat_seconds": None}])
def test_a_vendor_without_a_price_costs_what_the_permission_allows(
    vera: Api, node: RpcClient, changes: dict[str, Any]
) -> None:
    created = vera.post(VENDORS, vendor_body(**changes)).body
    create_active(vera, node)

    started = start(vera, vendor_id="tv")

    assert (created["rate_per_hour"], created["heartbeat_seconds"]) == (None, None)
    assert started["rate_per_hour"] == 2.5


def test_refuses_a_second_vendor_of_the_same_id(vera: Api) -> None:
    answer = vera.post(VENDORS, vendor_body(vendor_id="vendor123"))

    assert (answer.status, answer.code) == (409, "vendor_exists")
    assert Vendor.objects.get().name == "Vera"


def test_replays_a_creation_and_a_price_with_the_same_key(vera: Api) -> None:
    first = vera.post(VENDORS, vendor_body(), idempotency_key="vendor-1")
    priced = vera.post(f"{VENDORS}/tv/prices", {"rate_per_hour": 2.0}, idempotency_key="price-1")

    again = vera.post(VENDORS, vendor_body(), idempotency_key="vendor-1")
    priced_again = vera.post(f"{VENDORS}/tv/prices", {"rate_per_hour": 2}, idempotency_key="price-1")
    other = vera.post(VENDORS, vendor_body(name="Other"), idempotency_key="vendor-1")

    assert (again.status, again.body) == (201, first.body)
    assert (priced_again.status, priced_again.body) == (201, priced.body)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert VendorPrice.objects.filter(vendor__slug="tv").count() == 2


def test_a_new_price_is_for_new_sessions_only(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    first = start(vera, client_ref="first")["session_code"]

    answer = vera.post(f"{VENDORS}/vendor123/prices", {"rate_per_hour": 0.5})
    second = start(vera, client_ref="second")["session_code"]
    hours_pass(1)

    assert answer.status == 201
    assert answer.body.keys() == PriceVersion().fields.keys()
    assert (answer.body["version"], answer.body["rate_per_hour"]) == (2, 0.5)
    shown = [vera.get(f"{SESSIONS}/{code}").body for code in (first, second)]
    assert [(each["price_version"], each["rate_per_hour"]) for each in shown] == [(1, 2.5), (2, 0.5)]
    assert vera.get(f"{VENDORS}/vendor123").body["price_version"] == 2


def test_takes_a_price_back(vera: Api) -> None:
    vera.post(f"{VENDORS}/vendor123/prices", {"rate_per_hour": 0.5})

    answer = vera.post(f"{VENDORS}/vendor123/prices", {"rate_per_hour": None})

    assert (answer.status, answer.body["version"], answer.body["rate_per_hour"]) == (201, 3, None)


def test_lists_the_versions_of_a_price_latest_first(vera: Api) -> None:
    for rate in (1, 2, 3):
        vera.post(f"{VENDORS}/vendor123/prices", {"rate_per_hour": rate})

    first = vera.get(f"{VENDORS}/vendor123/prices?limit=3")
    rest = vera.get(f"{VENDORS}/vendor123/prices?limit=3&after={first.body['next_after']}")

    assert first.body.keys() == PricePage().fields.keys()
    assert [each["version"] for each in first.body["prices"]] == [4, 3, 2]
    assert [each["rate_per_hour"] for each in rest.body["prices"]] == [None]
    assert (first.body["next_after"], rest.body["next_after"]) == (2, None)


def test_lists_vendors_a_page_at_a_time(vera: Api, mallory: Api) -> None:
    for vendor_id in ("b", "a", "z"):
        vera.post(VENDORS, vendor_body(vendor_id=vendor_id))

    first = vera.get(f"{VENDORS}?limit=2")
    rest = vera.get(f"{VENDORS}?limit=2&after={first.body['next_after']}")

    assert first.body.keys() == VendorPage().fields.keys()
    assert first.body["vendors"][0].keys() == VendorState().fields.keys()
    assert [each["vendor_id"] for each in first.body["vendors"]] == ["a", "b"]
    assert [each["vendor_id"] for each in rest.body["vendors"]] == ["vendor123", "z"]
    assert rest.body["next_after"] is None
    assert [each["vendor_id"] for each in mallory.get(VENDORS).body["vendors"]] == ["vendor123"]


def test_a_deactivated_vendor_takes_no_sessions_and_keeps_those_it_has(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]

    gone = [vera.post(f"{VENDORS}/vendor123/deactivate") for _ in range(2)]
    refused = vera.post(SESSIONS, session_body(client_ref="second"))
    back = vera.post(f"{VENDORS}/vendor123/activate", {})

    assert [(each.status, each.body["is_active"]) for each in gone] == [(200, False)] * 2
    assert (refused.status, refused.code) == (404, "vendor_not_found")
    assert vera.get(f"{SESSIONS}/{code}").body["status"] == "active"
    assert (back.status, back.body["is_active"]) == (200, True)
    assert start(vera, client_ref="second")


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_needs_a_key(nobody: Api, db: None, method: str, path: str) -> None:
    assert called(nobody, method, path).code == "authentication_required"


@pytest.mark.parametrize(("method", "path"), [each for each in CALLS if each[1] != VENDORS])
def test_hides_a_vendor_from_another_client(vera: Api, mallory: Api, method: str, path: str) -> None:
    body = BODIES.get(path)
    vera.post(VENDORS, vendor_body())
    before = rows()
    path = path.replace("vendor123", "tv")

    answer = mallory.get(path) if method == "GET" else mallory.post(path, body)

    assert (answer.status, answer.code) == (404, "vendor_not_found")
    assert rows() == before
    assert (Vendor.objects.get(slug="tv").price_version, Vendor.objects.get(slug="tv").is_active) == (1, True)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"vendor_id": "required", "name": "required"}),
        (vendor_body(vendor_id="a b"), {"vendor_id": "invalid"}),
        (vendor_body(vendor_id="a" * 65), {"vendor_id": "invalid"}),
        (vendor_body(name=""), {"name": "invalid"}),
        (vendor_body(name=" TV"), {"name": "invalid"}),
        (vendor_body(name="T\nV"), {"name": "invalid"}),
        (vendor_body(name="n" * 201), {"name": "invalid"}),
        (vendor_body(name=None), {"name": "null"}),
        (vendor_body(name=7), {"name": "invalid"}),
        (vendor_body(rate_per_hour=0), {"rate_per_hour": "amount_invalid"}),
        (vendor_body(rate_per_hour=-1), {"rate_per_hour": "amount_invalid"}),
        (vendor_body(rate_per_hour=21_000_001), {"rate_per_hour": "amount_invalid"}),
        (vendor_body(rate_per_hour=True), {"rate_per_hour": "amount_invalid"}),
        (vendor_body(heartbeat_seconds=4), {"heartbeat_seconds": "limit_exceeded"}),
        (vendor_body(heartbeat_seconds=30.5), {"heartbeat_seconds": "invalid"}),
        (vendor_body(is_active=False, price_version=7), {"is_active": "unknown_field"}),
    ],
)
def test_names_the_field_that_a_vendor_cannot_have(vera: Api, body: Any, fields: dict[str, str]) -> None:
    answer = vera.post(VENDORS, body)

    assert (answer.status, answer.code) == (400, "invalid")
    assert fields.items() <= answer.fields.items()
    assert Vendor.objects.count() == 1


@pytest.mark.parametrize("body", [None, {}, {"rate_per_hour": "cheap"}, {"rate_per_hour": []}])
def test_a_price_must_be_said(vera: Api, body: Any) -> None:
    answer = vera.post(f"{VENDORS}/vendor123/prices", body)

    assert (answer.status, list(answer.fields)) == (400, ["rate_per_hour"])
    assert VendorPrice.objects.count() == 1


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=0", {"limit": "limit_exceeded"}),
        ("limit=101", {"limit": "limit_exceeded"}),
        ("limit=1_0", {"limit": "invalid"}),
        ("limit=%D9%A3", {"limit": "invalid"}),
        ("limit=" + "9" * 5000, {"limit": "invalid"}),
        ("limit=", {"limit": "invalid"}),
        ("limit=1&limit=2", {"limit": "invalid"}),
        ("page=2", {"page": "unknown_field"}),
        ("after=a%20b", {"after": "invalid"}),
        ("after=%00", {"after": "invalid"}),
        ("after=%ff", {"after": "invalid"}),
    ],
)
@pytest.mark.parametrize("path", [VENDORS, f"{VENDORS}/vendor123/prices"])
def test_names_the_parameter_that_is_wrong(vera: Api, path: str, query: str, fields: dict[str, str]) -> None:
    answer = vera.get(f"{path}?{query}")

    assert (answer.status, answer.fields) == (400, fields)


@pytest.mark.parametrize("vendor_id", ["a%20b", "a" * 65, "%F0%9F%98%80", "a%00"])
def test_names_a_vendor_id_that_is_none(vera: Api, vendor_id: str) -> None:
    answer = vera.get(f"{VENDORS}/{vendor_id}")

    assert (answer.status, answer.fields) == (400, {"vendor_id": "invalid"})


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [("vendors:read" if method == "GET" else "vendors:write", method, path) for method, path in CALLS],
)
def test_needs_the_scope_of_the_call(db: None, scope: str, method: str, path: str) -> None:
    other = "vendors:write" if scope == "vendors:read" else "vendors:read"

    without = called(make_api("without", scopes=(other, "sessions:write")), method, path)
    having = called(make_api("having", scopes=(scope,)), method, path)

    assert (without.status, without.code) == (403, "insufficient_scope")
    assert having.status in (200, 201)
