"""The ledger says in one place, in whole zatoshis, what every table says of its own money."""

import pytest
from django.db import IntegrityError, transaction

from billing import engine, funding, interval, ledger, pauses, reversals, views_sql
from billing.ledger_models import Transfer
from billing.ledger_rules import Account
from core import db
from core.models import User
from sessions_app.models import StreamingSession, Vendor
from tests.factories import (
    ALICE_ETHEREUM,
    NOW,
    USD,
    ZEC,
    after,
    make_active_permission,
    make_authorization,
    make_client,
    make_permission,
    make_vendor,
    pay,
    see_deposit,
    stream,
)
from tests.migrating import migrate
from zcash.models import Deposit, SpendingPermission

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera() -> User:
    return make_client()


@pytest.fixture
def vendor(vera: User) -> Vendor:
    """A vendor of whose earnings the platform takes 2.5 %."""
    found = make_vendor(vera)
    Vendor.objects.filter(pk=found.pk).update(fee_bps=250)
    found.refresh_from_db()
    return found


def moved() -> list[tuple[str, int]]:
    return [(each.kind, each.amount_units) for each in Transfer.objects.order_by("id")]


def owed_to(permission: SpendingPermission) -> int:
    return ledger.balance(Account.PERMISSION, of=permission.pk)


class TestCharges:
    def test_charges_what_ended_and_shares_it_with_the_platform(self, vera: User, vendor: Vendor) -> None:
        permission = make_active_permission(vera, rate=ZEC)
        code = stream(vera)

        engine.end(code, client_id=vera.pk, now=after(seconds=1))

        # 27,777.7 zatoshis a second; 2.5 % of 27,777 are 694.4.
        assert moved() == [("deposit", 10 * ZEC), ("charge", 27_777), ("fee", 694)]
        assert owed_to(permission) == 10 * ZEC - 27_777
        assert ledger.balance(Account.VENDOR, of=vendor.pk) == 27_083
        assert ledger.totals()[Account.FEES, "ZEC"] == 694

    def test_charges_nothing_while_a_session_runs(self, vera: User, vendor: Vendor) -> None:
        permission = make_active_permission(vera, rate=ZEC)
        stream(vera)

        interval.run_interval(now=after(hours=1), engine="test", chunk_size=10)

        assert moved() == [("deposit", 10 * ZEC)]
        permission.refresh_from_db()
        assert owed_to(permission) == permission.remaining_zat + ZEC

    @pytest.mark.parametrize("sessions", [1, 2], ids=["by the set", "one by one"])
    def test_charges_a_roll_over_to_each_permission(self, vera: User, vendor: Vendor, sessions: int) -> None:
        first = make_active_permission(vera, requested=ZEC, rate=ZEC)
        second = make_active_permission(vera, requested=5 * ZEC, rate=ZEC, now=after(ms=1))
        for ref in range(sessions):
            stream(vera, ref=str(ref), now=after(ms=1))

        interval.run_interval(now=after(hours=7), engine="test", chunk_size=10)

        assert (owed_to(first), owed_to(second)) == (0, 0)
        assert ledger.balance(Account.VENDOR, of=vendor.pk) + ledger.balance(Account.FEES) == 6 * ZEC
        charged = Transfer.objects.filter(kind="charge")
        assert charged.count() == 2 * sessions
        assert {each.booked_at for each in charged} == {after(hours=7)}
        assert all(each.at < each.booked_at for each in charged)

    def test_charges_a_pause_and_nothing_for_no_time(self, vera: User, vendor: Vendor) -> None:
        make_active_permission(vera, rate=ZEC)
        code = stream(vera)

        engine.end(code, client_id=vera.pk, now=NOW)

        assert moved() == [("deposit", 10 * ZEC)]

    @pytest.mark.parametrize("how", ["by the set", "one by one", "paused"])
    def test_keeps_the_share_that_a_session_started_with(self, vera: User, vendor: Vendor, how: str) -> None:
        make_active_permission(vera, requested=ZEC, rate=ZEC)
        code = stream(vera)
        Vendor.objects.filter(pk=vendor.pk).update(fee_bps=10_000)

        if how == "paused":
            pauses.pause(code, client_id=vera.pk, now=after(hours=0.5))
            pauses.resume(code, client_id=vera.pk, now=after(hours=0.6))
        if how == "one by one":
            engine.end(code, client_id=vera.pk, now=after(hours=1))
        else:
            interval.run_interval(now=after(hours=2), engine="test", chunk_size=10)

        assert ledger.balance(Account.FEES) == ZEC * 250 // 10_000
        pay(make_permission(vera, wallet="bob", rate=ZEC, now=after(hours=2)), now=after(hours=2))
        later = stream(vera, wallet="bob", now=after(hours=2))
        engine.end(later, client_id=vera.pk, now=after(hours=3))
        assert ledger.balance(Account.FEES) == ZEC * 250 // 10_000 + ZEC

    def test_keeps_the_share_of_a_token_that_a_session_started_with(self, vera: User, vendor: Vendor) -> None:
        make_authorization(vera)
        code = stream(vera, wallet=ALICE_ETHEREUM)
        Vendor.objects.filter(pk=vendor.pk).update(fee_bps=10_000)

        engine.end(code, client_id=vera.pk, now=after(hours=1))

        assert ledger.balance(Account.FEES, asset="USDT") == USD * 250 // 10_000

    def test_takes_no_share_of_a_vendor_without_one(self, vera: User) -> None:
        vendor = make_vendor(vera)
        make_active_permission(vera, rate=ZEC)

        engine.end(stream(vera), client_id=vera.pk, now=after(hours=1))

        assert ledger.balance(Account.VENDOR, of=vendor.pk) == ZEC
        assert (Account.FEES, "ZEC") not in ledger.totals()

    def test_shares_the_largest_amount_exactly(self, vera: User, vendor: Vendor) -> None:
        Vendor.objects.filter(pk=vendor.pk).update(fee_bps=9_999)
        most = 21_000_000 * ZEC
        make_active_permission(vera, requested=most, rate=most)
        stream(vera)

        interval.run_interval(now=after(hours=2), engine="test", chunk_size=10)

        assert ledger.balance(Account.FEES) == most * 9_999 // 10_000


class TestDeposits:
    def test_a_reversal_leaves_a_loss_that_the_next_deposit_covers(self, vera: User, vendor: Vendor) -> None:
        permission = make_active_permission(vera, requested=ZEC, rate=ZEC)
        engine.end(stream(vera), client_id=vera.pk, now=after(hours=0.75))
        lost = Deposit.objects.get()
        Deposit.objects.filter(pk=lost.pk).update(lost_at=after(hours=0.8))

        reversals.reverse(lost, now=after(hours=0.8))

        assert ledger.totals()[Account.LOSSES, "ZEC"] == -3 * ZEC // 4
        assert owed_to(permission) == ledger.balance(Account.WALLET) == 0
        see_deposit(permission, amount=2 * ZEC, now=after(hours=0.9))
        funding.credit(permission.pk, now=after(hours=0.9))
        assert ledger.totals()[Account.LOSSES, "ZEC"] == 0
        assert owed_to(permission) == 2 * ZEC - 3 * ZEC // 4

    def test_a_repeated_credit_posts_nothing(self, vera: User) -> None:
        permission = make_active_permission(vera, requested=ZEC)

        funding.credit(permission.pk, now=after(hours=1))

        assert moved() == [("deposit", ZEC)]


class TestTheTable:
    def test_can_only_be_added_to(self, vera: User) -> None:
        make_active_permission(vera)

        for change in ("UPDATE billing_transfer SET amount_units = 1", "DELETE FROM billing_transfer"):
            with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
                db.execute(change)
        db.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            db.execute("TRUNCATE billing_transfer")

    @pytest.mark.parametrize(
        ("changes", "constraint"),
        [
            ({"credit": "vendor"}, "billing_transfer_moves_as_its_kind"),
            ({"kind": "gift"}, "billing_transfer_moves_as_its_kind"),
            ({"amount_units": 0}, "billing_transfer_moves_something"),
        ],
    )
    def test_refuses_what_is_no_movement_of_its_kind(
        self, changes: dict[str, object], constraint: str
    ) -> None:
        given: dict[str, object] = {
            "kind": "deposit",
            "debit": "wallet",
            "credit": "permission",
            "amount_units": 1,
            "cause_id": 1,
            "at": NOW,
            "booked_at": NOW,
        }

        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Transfer.objects.create(**given | changes)

    def test_refuses_to_charge_a_transaction_twice(self, vera: User, vendor: Vendor) -> None:
        make_active_permission(vera, rate=ZEC)
        engine.end(stream(vera), client_id=vera.pk, now=after(hours=1))
        charged = Transfer.objects.get(kind="charge")

        with pytest.raises(IntegrityError, match="billing_transfer_charged_once"), transaction.atomic():
            ledger.charge([charged.cause_id], booked_at=after(hours=2))


def test_the_migration_opens_the_books_of_what_is_there(vera: User) -> None:
    make_vendor(vera)
    permission = make_active_permission(vera, requested=2 * ZEC, rate=ZEC)
    make_active_permission(vera, wallet="bob", requested=ZEC, rate=ZEC)
    engine.end(stream(vera), client_id=vera.pk, now=after(hours=1))
    pay(permission, ZEC, now=after(hours=1.1))
    stream(vera, wallet="bob")
    interval.run_interval(now=after(hours=1.5), engine="test", chunk_size=10)
    before = _accounts()
    db.execute("SET CONSTRAINTS ALL IMMEDIATE")
    views_sql._drop(using="default")

    migrate(("billing", "0006_ethereum"))
    migrate()

    assert _accounts() == before
    assert list(Transfer.objects.order_by("id")) == list(Transfer.objects.order_by("at", "id"))


def test_the_migration_freezes_the_share_of_sessions_that_are_open(vera: User, vendor: Vendor) -> None:
    make_active_permission(vera, rate=ZEC)
    engine.end(stream(vera), client_id=vera.pk, now=after(hours=1))
    stream(vera, now=after(hours=1))
    posted = moved()
    db.execute("SET CONSTRAINTS ALL IMMEDIATE")
    views_sql._drop(using="default")

    migrate(("sessions_app", "0007_tokens"))
    migrate()

    shares = StreamingSession.objects.order_by("id").values_list("fee_bps", flat=True)
    assert (list(shares), moved()) == ([None, 250], posted)


def _accounts() -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for each in Transfer.objects.all():
        for account, sign in (((each.credit, each.credit_of), 1), ((each.debit, each.debit_of), -1)):
            found[account] = found.get(account, 0) + sign * each.amount_units
    return found
