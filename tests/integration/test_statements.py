"""Statements add up line by line, page by page, and to what the permission has left."""

from datetime import timedelta
from itertools import pairwise

import pytest

from billing import engine, interval, live, statements
from billing.ledger_rules import Account
from billing.statements import Asked, Statement
from core.models import User
from sessions_app.errors import VendorNotFound
from sessions_app.models import Vendor
from tests.factories import ZEC, after, make_active_permission, make_client, make_vendor, pay, stream
from zcash.models import Deposit, SpendingPermission

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    return make_client()


@pytest.fixture
def vendor(vera: User) -> Vendor:
    found = make_vendor(vera)
    Vendor.objects.filter(pk=found.pk).update(fee_bps=1_000)
    return found


@pytest.fixture
def permission(vera: User, vendor: Vendor) -> SpendingPermission:
    """Paid twice; streamed for an hour and a bit, and streaming since hour 3."""
    made = make_active_permission(vera, requested=4 * ZEC, rate=ZEC)
    engine.end(stream(vera), client_id=vera.pk, now=after(hours=1, ms=1))
    pay(made, 7, now=after(hours=2))
    stream(vera, ref="second", now=after(hours=3))
    return made


def adds_up(statement: Statement) -> bool:
    balance_zat = statement.opening_zat
    for line in statement.lines:
        balance_zat += line.amount_zat
        if line.balance_zat != balance_zat:
            return False
    return balance_zat == statement.closing_zat


def test_a_permissions_lines_lead_to_what_is_left(permission: SpendingPermission) -> None:
    now = after(hours=3.5, ms=7)

    found = statements.of_permission(permission, asked=Asked(), now=now)

    first, second, running = 4 * ZEC, ZEC + 27, ZEC // 2 + 194
    assert [(line.kind, line.amount_zat) for line in found.lines] == [
        ("deposit", first),
        ("stream", -second),
        ("deposit", 7),
        ("running", -running),
    ]
    assert adds_up(found)
    assert (found.opening_zat, found.closing_zat) == (0, live.read(permission.pk, now=now).remaining_zat)
    assert found.lines[0].cause == Deposit.objects.order_by("id")[0].output
    stretch = found.lines[1].stretch
    assert stretch is not None
    assert (stretch.duration_ms, stretch.rate, stretch.amount) == (3_600_001, ZEC, second)


def test_every_page_adds_up_and_continues_the_one_before(permission: SpendingPermission) -> None:
    now, pages, after_id = after(hours=3.5), [], 0
    while True:
        page = statements.of_permission(permission, asked=Asked(after=after_id, limit=1), now=now)
        pages.append(page)
        if page.next_after is None:
            break
        after_id = page.next_after

    assert [len(page.lines) for page in pages] == [1, 1, 2]
    assert all(adds_up(page) for page in pages)
    assert all(one.closing_zat == other.opening_zat for one, other in pairwise(pages))


def test_a_period_opens_with_what_was_booked_before(permission: SpendingPermission) -> None:
    asked = Asked(since=after(hours=0.5), until=after(hours=2))

    found = statements.of_permission(permission, asked=asked, now=after(hours=4))

    assert [line.kind for line in found.lines] == ["stream"]
    assert (found.opening_zat, found.closing_zat) == (4 * ZEC, 3 * ZEC - 27)
    rest = statements.of_permission(permission, asked=Asked(since=after(hours=2)), now=after(hours=4))
    assert rest.opening_zat == found.closing_zat
    assert adds_up(rest)


def test_a_depletion_that_nobody_noticed_is_in_the_statement(permission: SpendingPermission) -> None:
    live.read(permission.pk, now=after(hours=30))

    found = statements.of_permission(permission, asked=Asked(), now=after(hours=30))

    assert found.closing_zat == 0
    assert [line.kind for line in found.lines][-1] == "stream"
    assert adds_up(found)


def test_a_vendors_lines_are_what_it_earned_and_the_fees(
    vera: User, vendor: Vendor, permission: SpendingPermission
) -> None:
    interval.run_interval(now=after(hours=30), engine="test", chunk_size=10)

    found = statements.of_vendor(client_id=vera.pk, slug=vendor.slug, asked=Asked())

    assert found.account is Account.VENDOR
    assert adds_up(found)
    assert [line.kind for line in found.lines] == ["stream", "fee", "stream", "fee"]
    assert all(line.session_code for line in found.lines)
    gross = 4 * ZEC + 7
    fees = -sum(line.amount_zat for line in found.lines if line.kind == "fee")
    assert fees == (ZEC + 27) // 10 + (3 * ZEC + 7 - 27) // 10
    assert found.closing_zat == gross - fees


def test_a_vendor_of_another_client_has_none(vendor: Vendor) -> None:
    with pytest.raises(VendorNotFound):
        statements.of_vendor(client_id=make_client("mallory").pk, slug=vendor.slug, asked=Asked())


def test_a_statement_costs_the_same_number_of_statements_however_long(
    permission: SpendingPermission, vera: User, django_assert_max_num_queries: object
) -> None:
    for number in range(12):
        code = stream(vera, ref=str(number), now=after(hours=3, seconds=number))
        engine.end(code, client_id=vera.pk, now=after(hours=3, seconds=number) + timedelta(milliseconds=500))

    with django_assert_max_num_queries(12):  # type: ignore[operator]
        found = statements.of_permission(permission, asked=Asked(), now=after(hours=3.5))

    assert len(found.lines) == 16
    assert adds_up(found)
