"""The dashboard opens by a constant number of questions, none of them to the audit log."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import engine, reconciliation, statistics
from billing.figures import RANGES
from billing.interval import run_interval
from billing.ledger_models import Reconciliation
from core import clock, db
from core.models import User
from paygo.backoffice import liabilities, navigation
from tests.factories import ALICE, ZEC, make_active_permission, make_client, make_vendor, stream

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    made = Client()
    made.force_login(User.objects.create_superuser("otto"))
    return made


def live_a_little(sessions: int) -> None:
    vera = make_client(f"client-{sessions}")
    since = clock.now() - timedelta(hours=3)
    make_vendor(vera, slug="tv", price=100_000_000)
    make_active_permission(vera, now=since)
    for number in range(sessions):
        at = since + timedelta(minutes=number)
        code = stream(vera, wallet=ALICE, vendor="tv", now=at)
        engine.end(code, client_id=vera.pk, now=at + timedelta(seconds=30))
    run_interval(now=clock.now(), engine="test", chunk_size=10)
    statistics.bring_up_to_date(now=clock.now(), vendors=True)


@pytest.mark.parametrize("asked", [each.name for each in RANGES])
def test_shows_every_range(browser: Client, asked: str) -> None:
    live_a_little(3)

    page = browser.get(reverse("admin:index"), {"range": asked})

    text = page.content.decode()
    assert page.status_code == 200
    assert "Revenue per" in text
    assert 'aria-current="true"' in text
    assert "tv" in text


@pytest.mark.parametrize("asked", ["", "0", "'; DROP TABLE x", "<script>", "24h\0"])
def test_what_is_no_range_is_the_usual_one(browser: Client, asked: str) -> None:
    page = browser.get(reverse("admin:index"), {"range": asked})

    assert [name for name, is_asked in page.context["ranges"] if is_asked] == ["30d"]


def test_an_empty_database_has_a_dashboard_too(browser: Client) -> None:
    page = browser.get(reverse("admin:index"))

    assert page.status_code == 200
    assert b"Not counted yet" in page.content


def test_asks_as_often_for_much_as_for_little_and_never_the_audit_log(browser: Client) -> None:
    live_a_little(1)
    few = questions(browser)
    live_a_little(20)
    many = questions(browser)

    assert len(many) == len(few) < 30
    assert [each for each in many if "zcash_permission_audit" in each] == []


def rows_read(statement: str) -> int:
    """Return how many rows a statement takes from tables, those that it throws away included."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
        (((plan,),),) = cursor.fetchall()
    nodes, rows = [plan["Plan"]], 0
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if "Relation Name" in node:
            rows += round(
                (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            )
    return rows


_HOURS = """
INSERT INTO billing_hourlyfigure (hour, name, asset, value)
SELECT date_trunc('hour', now()) - n * interval '1 hour', name, '', 1
FROM generate_series(24, 24 * 365 * 4) n, unnest(%(names)s::text[]) name
ON CONFLICT DO NOTHING
"""
_DAYS = """
INSERT INTO billing_dailyfigure (day, name, asset, value)
SELECT hour::date, name, asset, sum(value) FROM billing_hourlyfigure WHERE name = ANY(%(sums)s)
GROUP BY 1, 2, 3 ON CONFLICT DO NOTHING
"""
_AUDIT = """
INSERT INTO zcash_permission_audit (permission_id, created_at, effective_at, amount_before_zat,
                                    amount_after_zat, action, actor)
SELECT p.id, now(), now(), p.remaining_zat, p.remaining_zat, 'settled', 'tests'
FROM zcash_permission p, generate_series(1, 20000)
"""


@pytest.mark.parametrize("asked", [each.name for each in RANGES])
@pytest.mark.unbalanced
def test_reads_a_few_rows_a_day_after_years_and_none_of_the_audit_log(browser: Client, asked: str) -> None:
    live_a_little(2)
    db.execute(_HOURS, {"names": [*statistics.SUMS, *statistics.MEASURED]})
    db.execute(_DAYS, {"sums": list(statistics.SUMS)})
    db.execute(_AUDIT)
    for table in ("billing_hourlyfigure", "billing_dailyfigure", "zcash_permission_audit"):
        db.execute(f"ANALYZE {table}")
    browser.get(reverse("admin:index"))
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(reverse("admin:index"), {"range": asked}).status_code == 200

    asks = [each["sql"] for each in captured if each["sql"].lstrip().startswith("SELECT")]
    read = {statement: rows_read(statement) for statement in asks}

    # Of four years there are 700,000 hours and 20,000 days of figures; a year's days are 365 of each.
    assert sum(read.values()) < 25_000, max(read, key=lambda each: read[each])
    # What was left when the range began: two figures of every day.
    assert max(rows for statement, rows in read.items() if "hourlyfigure" in statement) < 2 * 365 * 4


def questions(browser: Client) -> list[str]:
    browser.get(reverse("admin:index"))
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(reverse("admin:index")).status_code == 200
    return [each["sql"] for each in captured]


def test_the_numbers_are_those_of_the_rows(browser: Client) -> None:
    live_a_little(10)

    page = browser.get(reverse("admin:index"), {"range": "24h"})

    cards = {each.title: each.value for each in page.context["cards"]}
    # 10 times 30 seconds at 1 ZEC an hour, each rounded down.
    assert (cards["Revenue"], cards["Streamed"]) == ("0.0833", "0.0833")
    assert cards["New permissions"] == "1"


def test_every_window_is_in_the_sidebar_once(browser: Client) -> None:
    answer = browser.get(reverse("admin:index"))
    page = answer.content.decode()
    links = [
        str(item["link"]) for group in navigation.sidebar(answer.wsgi_request) for item in group["items"]
    ]

    assert len(links) == len(set(links))
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        assert f'href="{reverse(name)}"' in page, model


def test_says_what_the_wallet_holds_of_what_is_owed(browser: Client) -> None:
    assert browser.get(reverse("admin:index")).context["books"] == [
        ("Compared", "never: manage.py reconcile", "")
    ]
    parts = {"permissions": ZEC, "refunds": 3 * ZEC // 10, "vendors_pending": ZEC // 10, "payouts": ZEC // 10}
    parts |= {"vendors_available": ZEC // 2, "under_way": ZEC // 4}
    Reconciliation.objects.create(
        at=clock.now(),
        owed_zat=2 * ZEC,
        booked_zat=0,
        holdings_zat=ZEC,
        parts=parts,
        findings=["too little"],
    )

    books = dict(each[:2] for each in browser.get(reverse("admin:index")).context["books"])

    assert books["The wallet holds"] == "1 ZEC"
    assert books["Owed to viewers and vendors"] == "2 ZEC"
    assert books["Findings"] == "1"
    assert [books[title] for title, _ in liabilities._PARTS] == [
        "1 ZEC",
        "0.3 ZEC",
        "0.1 ZEC",
        "0.5 ZEC",
        "0.1 ZEC",
    ]
    # What the wallet pays right now may have left it, and is owed until that is known.
    assert (books["It pays now"], books["Deficit"]) == ("0.25 ZEC", "0.75 ZEC")


def test_what_is_owed_is_the_sum_of_its_parts() -> None:
    vera, since = make_client(), clock.now() - timedelta(days=3)
    make_vendor(vera)
    make_active_permission(vera, rate=ZEC, now=since)
    engine.end(stream(vera, now=since), client_id=vera.pk, now=since + timedelta(hours=1))
    late = clock.now() - timedelta(hours=2)
    engine.end(stream(vera, now=late), client_id=vera.pk, now=late + timedelta(hours=1))

    _, found = reconciliation.compare(wallet=None, now=clock.now(), chain_searched=False)

    owed = {name: zat for name, zat in found.parts.items() if name != "under_way"}
    assert sum(owed.values()) == found.owed_zat == 10 * ZEC
    assert (owed["permissions"], owed["vendors_pending"], owed["vendors_available"]) == (8 * ZEC, ZEC, ZEC)
