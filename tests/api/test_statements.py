"""The calls about statements: JSON, CSV, a page to print."""

import csv
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest

from billing import engine
from core import clock
from paygo import downloads, statement_files
from paygo.api.statement_bodies import StatementState
from paygo.places import Places
from sessions_app.models import Vendor
from tests.api.world import Api, browser, make_api
from tests.factories import ZEC, make_active_permission, stream
from zcash.models import SpendingPermission

PERMISSION = "/api/v1/zcash/permissions/{}/statement"
VENDOR = "/api/v1/vendors/vendor123/statement"


@pytest.fixture
def permission(vera: Api) -> SpendingPermission:
    """Paid with 10 ZEC, streamed once, of which the platform takes a hundredth."""
    assert vera.user is not None
    Vendor.objects.update(fee_bps=100)
    now = clock.now()
    made = make_active_permission(vera.user, rate=ZEC, now=now)
    ended = now + timedelta(minutes=90)
    engine.end(stream(vera.user, now=now), client_id=vera.client_id, now=ended)
    return made


def balances(lines: list[dict[str, Any]], opening: float) -> list[float]:
    found, balance = [], Decimal(str(opening))
    for line in lines:
        balance += Decimal(str(line["amount"]))
        found.append(float(balance))
    return found


def test_answers_what_adds_up(vera: Api, permission: SpendingPermission) -> None:
    answer = vera.get(PERMISSION.format(permission.public_id))

    assert answer.status == 200
    assert answer.body.keys() == StatementState().fields.keys()
    assert [line["kind"] for line in answer.body["lines"]] == ["deposit", "stream"]
    assert (
        [line["balance"] for line in answer.body["lines"]] == balances(answer.body["lines"], 0) == [10, 8.5]
    )
    assert answer.body["closing"] == 8.5
    stretch = answer.body["lines"][1]["stretch"]
    assert (stretch["duration_seconds"], stretch["rate_per_hour"]) == (5400.0, 1.0)
    assert set(answer.body["lines"][0]["cause"]) == {"txid", "pool", "output_index"}


def test_answers_what_a_vendor_earned(vera: Api, permission: SpendingPermission) -> None:
    body = vera.get(VENDOR).body

    assert [(line["kind"], line["amount"]) for line in body["lines"]] == [("stream", 1.5), ("fee", -0.015)]
    assert (body["opening"], body["closing"], body["name"]) == (0.0, 1.485, "vendor123")


def test_sends_the_same_as_csv_over_all_pages(vera: Api, permission: SpendingPermission) -> None:
    found = browser().get(
        PERMISSION.format(permission.public_id),
        {"format": "csv", "limit": "1"},
        headers={"authorization": f"Bearer {vera.key}"},
    )

    table = list(csv.DictReader(StringIO(found.getvalue().decode())))
    assert found["content-type"].startswith("text/csv")
    assert [row["kind"] for row in table] == ["opening", "deposit", "stream", "closing"]
    assert [row["balance_zec"] for row in table] == ["0", "10", "8.5", "8.5"]
    assert (table[2]["amount_zec"], table[2]["seconds"]) == ("-1.5", "5400.0")


def test_sends_a_page_to_print_with_a_link_to_the_next(vera: Api, permission: SpendingPermission) -> None:
    answer = vera.get(PERMISSION.format(permission.public_id) + "?format=html&limit=1")

    assert answer.headers["content-type"].startswith("text/html")
    assert str(permission.public_id) in answer.body
    assert "Closing balance" in answer.body
    assert "?format=html&amp;limit=1&amp;after=" in answer.body


def test_a_page_of_the_api_runs_and_loads_nothing_of_others(
    vera: Api, permission: SpendingPermission
) -> None:
    path = PERMISSION.format(permission.public_id)

    policies = [
        vera.get(f"{path}?format={each}").headers.get("Content-Security-Policy") for each in ("json", "html")
    ]

    assert policies[0] is None
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policies[1].split("; "))
    assert "unsafe" not in policies[1]
    # The browser of the schema is somebody else's, and has a path of its own.
    assert "'unsafe-inline'" in browser().get("/api/docs/").headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("since=yesterday", "since"),
        ("since=2026-02-30T00:00:00Z", "since"),
        ("since=2026-01-01T00:00:00", "since"),
        ("until=0001-01-01T00:00:00%2B23:59", "until"),
        ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "until"),
        ("after=-1", "after"),
        ("after=99999999999999999999", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("format=pdf", "format"),
        ("form=csv", "form"),
    ],
)
@pytest.mark.parametrize("path", [PERMISSION, VENDOR])
def test_refuses_what_it_cannot_read_naming_it(
    vera: Api, permission: SpendingPermission, path: str, asked: str, field: str
) -> None:
    answer = vera.get(f"{path.format(permission.public_id)}?{asked}")

    assert (answer.status, answer.code) == (400, "invalid"), answer.body
    assert list(answer.fields) == [field]


@pytest.mark.parametrize("path", [PERMISSION, VENDOR])
def test_is_for_its_client_alone(
    vera: Api, mallory: Api, nobody: Api, permission: SpendingPermission, path: str
) -> None:
    path = path.format(permission.public_id)
    unscoped = make_api("scoped", scopes=("sessions:read",))

    assert vera.get(path).status == 200
    assert nobody.get(path).status == 401
    assert unscoped.get(path).code == "insufficient_scope"
    stranger = mallory.get(path)
    if path == VENDOR:
        assert stranger.body["lines"] == []
    else:
        assert stranger.status == 404


def test_no_table_is_begun_beyond_those_that_may_be_under_way(
    vera: Api, permission: SpendingPermission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "places", Places(0, each=0))

    answer = vera.get(PERMISSION.format(permission.public_id) + "?format=csv")

    assert (answer.status, answer.code) == (503, "busy")


def test_a_table_that_is_too_long_is_refused_and_leaves_no_place_taken(
    vera: Api, permission: SpendingPermission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_files, "MOST_LINES", 1)
    monkeypatch.setattr(downloads, "places", Places(1, each=1))

    answer = vera.get(PERMISSION.format(permission.public_id) + "?format=csv")

    assert (answer.status, answer.body["errors"][0]["field"]) == (400, "until")
    assert downloads.places.take("another")
