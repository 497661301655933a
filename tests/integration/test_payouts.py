"""Which vendor is paid what, when and once, on the simulated node in either dialect."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing import approvals, earnings, engine, foreign, ledger, operators, payouts, rounds, statements
from billing.earnings import Earnings
from billing.engine import StartRequest
from billing.errors import PayoutNotPossible, PayoutUnderWay
from billing.ledger_models import Reconciliation
from billing.ledger_rules import Account
from billing.models import WalletSend
from billing.operators import Word
from billing.payout_models import Payout
from billing.rules import RefundStatus
from billing.statements import Asked
from core import clock
from core.db import operation
from core.errors import Conflict
from core.models import Event, User
from sessions_app.models import Vendor
from sessions_app.rules import PayoutSchedule
from tests import books
from tests.factories import make_vendor
from tests.refunding import (
    ALICE,
    ALICE_T,
    ALICE_U,
    MALLORY,
    REFUND_CONFIRMATIONS,
    SHIELDED_FEE,
    ZEC,
    World,
    send_statuses,
)
from zcash.addresses import Network, encode_sapling
from zcash.models import SpendingPermission

STUDIO = encode_sapling(b"studio".ljust(43, b"\5"), network=Network.REGTEST)


@pytest.fixture
def vendor(world: World) -> Vendor:
    """A vendor with an address, of whose earnings the platform takes a tenth."""
    return made_vendor(world, "studio", address=STUDIO)


def made_vendor(world: World, slug: str, *, address: str | None, schedule: str = "daily") -> Vendor:
    made = make_vendor(world.vera, slug=slug)
    Vendor.objects.filter(pk=made.pk).update(fee_bps=1_000, payout_address=address, payout_schedule=schedule)
    made.refresh_from_db()
    return made


def streamed(world: World, vendor: Vendor, *, hours: float = 1, wallet: str = ALICE) -> None:
    """Let a viewer pay 2 ZEC and stream at 1 ZEC/h, and the earnings of it become available."""
    if not SpendingPermission.objects.filter(wallet_address=wallet, status="active").exists():
        world.paid(wallet, zec="2")
    request = StartRequest(wallet, vendor.slug)
    code = engine.start(request, client_id=world.vera.pk, now=clock.now()).session_code
    world.hours_pass(hours)
    engine.end(code, client_id=world.vera.pk, now=clock.now())


def mature(world: World) -> None:
    world.hours_pass(24)


def let_wait(world: World, vendor: Vendor) -> None:
    """Let a vendor be owed an hour, and its payout wait for the next round."""
    world.float_money()
    streamed(world, vendor)
    mature(world)
    rounds.payout_sweep()


def balance(vendor: Vendor) -> int:
    return ledger.balance(Account.VENDOR, of=vendor.pk)


def earned(vendor: Vendor) -> Earnings:
    return earnings.of_vendor(vendor, now=clock.now())


def word(name: str) -> Word:
    user = User.objects.create_superuser(username=name)
    return operators.word(operator_id=user.pk, name=name, reason="it is what they earned")


class TestEarnings:
    def test_are_pending_then_available_then_under_way_then_paid(self, world: World, vendor: Vendor) -> None:
        world.float_money()
        streamed(world, vendor)
        gross = earned(vendor).earned_zat
        net = gross - gross // 10

        assert gross >= ZEC
        assert earned(vendor) == Earnings(gross, gross // 10, net, 0, 0, 0)
        mature(world)
        assert earned(vendor) == Earnings(gross, gross // 10, 0, net, 0, 0)
        assert rounds.payout_sweep() == 1
        assert earned(vendor) == Earnings(gross, gross // 10, 0, 0, net, 0)
        world.round(2)
        assert earned(vendor) == Earnings(gross, gross // 10, 0, 0, 0, net)

    def test_of_a_late_interval_wait_from_when_they_were_booked(self, world: World, vendor: Vendor) -> None:
        world.paid(ALICE, zec="2")
        engine.start(StartRequest(ALICE, vendor.slug), client_id=world.vera.pk, now=clock.now())
        world.hours_pass(30)

        rounds.interval_round()

        assert (earned(vendor).available_zat, earned(vendor).earned_zat) == (0, 2 * ZEC)


class TestAPayout:
    @pytest.mark.parametrize("address", [STUDIO, ALICE_U, ALICE_T], ids=["sapling", "unified", "transparent"])
    def test_pays_what_is_available_less_the_fee_to_the_zatoshi(self, world: World, address: str) -> None:
        world.float_money()
        vendor = made_vendor(world, "studio", address=address)
        streamed(world, vendor)
        mature(world)
        available = earned(vendor).available_zat

        rounds.payout_sweep()
        world.round(2)
        payout = Payout.objects.get()

        assert (payout.status, payout.amount_zat) == ("sent", available)
        assert payout.fee_zat >= SHIELDED_FEE
        assert world.arrived_zat(address) == available - payout.fee_zat
        assert balance(vendor) == 0
        world.mine(REFUND_CONFIRMATIONS)
        world.round()
        payout.refresh_from_db()
        assert (payout.status, payout.finished_at is not None) == ("confirmed", True)
        kinds = Event.objects.filter(kind__startswith="payout.").order_by("id").values_list("kind", flat=True)
        assert list(kinds) == ["payout.queued", "payout.sending", "payout.sent", "payout.confirmed"]

    def test_has_its_id_in_the_memo_and_a_statement_that_leads_to_it(
        self, world: World, vendor: Vendor
    ) -> None:
        streamed(world, vendor)
        mature(world)

        told = payouts.request("studio", client_id=world.vera.pk, now=clock.now())
        payout = Payout.objects.get()

        assert f"payout {payout.public_id}" in payout.memo
        assert len(payout.memo.encode()) <= 512
        until = datetime.fromisoformat(told.earned_until)
        page = statements.of_vendor(client_id=world.vera.pk, slug="studio", asked=Asked(until=until))
        assert page.closing_zat == told.amount_zat
        after = statements.of_vendor(client_id=world.vera.pk, slug="studio", asked=Asked(since=until))
        assert (after.lines[-1].kind, after.closing_zat) == ("payout", 0)
        assert after.lines[-1].cause["payout_id"] == told.payout_id

    def test_goes_out_with_others_in_one_transaction_but_never_twice_to_one_address(
        self, world: World
    ) -> None:
        world.float_money()
        for slug, address in (("one", STUDIO), ("two", MALLORY), ("three", STUDIO)):
            streamed(world, made_vendor(world, slug, address=address), hours=0.5)
        mature(world)

        assert rounds.payout_sweep() == 3
        world.round(2)

        first = WalletSend.objects.order_by("id")[0]
        assert [each["address"] for each in first.payments] == [STUDIO, MALLORY]
        world.mine(REFUND_CONFIRMATIONS)
        world.round(2)
        assert [len(each.payments) for each in WalletSend.objects.order_by("id")] == [2, 1]

    def test_is_sent_once_where_the_answer_was_lost(self, world: World, vendor: Vendor) -> None:
        let_wait(world, vendor)
        world.fault("reset_after")

        world.round()
        lost = Payout.objects.get().status
        world.mine()
        world.round(2)

        assert lost == "unknown"
        assert Payout.objects.get().status == "sent"
        assert send_statuses() == ["sent"]

    def test_that_says_another_address_than_its_send_paid_is_a_violation(
        self, world: World, vendor: Vendor
    ) -> None:
        let_wait(world, vendor)
        world.round(2)

        Payout.objects.update(address=MALLORY)
        found = books.violations()
        Payout.objects.update(address=STUDIO)

        assert [each.split(":")[0] for each in found] == [
            "I1 a send pays its refunds and payouts where they go",
            "I9 what is on its way goes where its owner has said",
        ]

    def test_that_the_wallet_refuses_keeps_the_money_and_is_tried_again_later(
        self, world: World, vendor: Vendor
    ) -> None:
        let_wait(world, vendor)
        world.fault("warming_up")

        world.round()
        payout = Payout.objects.get()
        assert (payout.status, balance(vendor)) == ("failed", 0)
        assert ledger.balance(Account.PAYOUT, of=payout.pk) == payout.amount_zat
        assert rounds.payout_sweep() == 0
        world.hours_pass(1)
        world.round(2)

        assert Payout.objects.get().status == "sent"
        assert send_statuses() == ["failed", "sent"]

    def test_found_on_the_chain_after_a_restore_is_not_sent_again(self, world: World, vendor: Vendor) -> None:
        let_wait(world, vendor)
        queued = Payout.objects.get()
        world.round(2)
        sent = Payout.objects.get()
        world.mine(REFUND_CONFIRMATIONS)
        # As a database of yesterday has it: queued, and nothing known of the transaction.
        with_transfers_undone(sent)
        Payout.objects.filter(pk=queued.pk).update(status="queued", send=None)
        WalletSend.objects.all().delete()

        world.round(2)

        assert Payout.objects.get().status in ("sent", "confirmed")
        assert world.transactions() == 1

    def test_begins_where_the_last_one_that_was_kept_ended(self, world: World, vendor: Vendor) -> None:
        streamed(world, vendor)
        mature(world)
        rounds.payout_sweep()
        set_terms(world, "studio", MALLORY)
        world.hours_pass(24)

        told = payouts.request("studio", client_id=world.vera.pk, now=clock.now())

        assert Payout.objects.get(number=1).status == "cancelled"
        assert (told.number, told.earned_from) == (2, None)

    @pytest.mark.parametrize("moment", ["earned", "paid before", "queued"])
    def test_that_may_be_a_foreign_transactions_is_not_explained_away(
        self, world: World, vendor: Vendor, moment: str
    ) -> None:
        world.float_money()
        streamed(world, vendor)
        mature(world)
        if moment != "earned":
            rounds.payout_sweep()
        if moment == "paid before":
            world.round(2)
            world.confirm()
            set_terms(world, "studio", MALLORY)
        # What a database of yesterday does not know: a payout of more, or of another number.
        txid = world.pay_by_hand(STUDIO, "0.5")
        world.mine(REFUND_CONFIRMATIONS)

        with pytest.raises(CommandError, match="would be paid again") as refused:
            call_command("reconcile", explain=txid, reason="a present", stdout=StringIO())

        assert "vendor studio of vera-tv is paid there" in str(refused.value)
        assert ("waits for the same recipient" in str(refused.value)) == (moment == "queued")
        assert [each.txid for each in foreign.unexplained()] == [txid]
        call_command("reconcile", explain=txid, reason="a present", anyway=True, stdout=StringIO())
        assert not foreign.unexplained()

    def test_takes_turns_with_refunds(self, world: World, vendor: Vendor) -> None:
        let_wait(world, vendor)
        permission = SpendingPermission.objects.get(wallet_address=ALICE)
        world.revoke(permission)

        world.round(4)

        assert [each.payouts.count() for each in WalletSend.objects.order_by("id")] == [0, 1]


class TestWhoIsPaid:
    def test_nobody_without_an_address_or_before_its_delay_is_over(self, world: World) -> None:
        streamed(world, made_vendor(world, "nowhere", address=None))
        mature(world)

        assert rounds.payout_sweep() == 0
        with pytest.raises(PayoutNotPossible, match="no payout address"):
            payouts.request("nowhere", client_id=world.vera.pk, now=clock.now())
        set_terms(world, "nowhere", STUDIO)
        with pytest.raises(PayoutNotPossible, match="address is new"):
            payouts.request("nowhere", client_id=world.vera.pk, now=clock.now())
        assert rounds.payout_sweep() == 0
        world.hours_pass(24)
        assert rounds.payout_sweep() == 1

    def test_nobody_at_a_new_address_because_the_old_one_was_taken_away_first(
        self, world: World, vendor: Vendor
    ) -> None:
        streamed(world, vendor)
        mature(world)
        set_terms(world, "studio", None)
        world.hours_pass(48)

        set_terms(world, "studio", MALLORY)

        with pytest.raises(PayoutNotPossible, match="address is new"):
            payouts.request("studio", client_id=world.vera.pk, now=clock.now())
        set_terms(world, "studio", None)
        set_terms(world, "studio", STUDIO)
        assert rounds.payout_sweep() == 0
        world.hours_pass(24)
        assert rounds.payout_sweep() == 1

    def test_nobody_at_a_new_address_before_its_owner_was_told(self, world: World, vendor: Vendor) -> None:
        set_terms(world, "studio", STUDIO, minimum_zat=ZEC)
        assert not Event.objects.filter(kind__startswith="vendor.").exists()

        set_terms(world, "studio", MALLORY)

        told = Event.objects.get(kind="vendor.payout_address_changed")
        vendor.refresh_from_db()
        assert vendor.payout_not_before is not None
        assert (told.client_id, told.payload) == (
            world.vera.pk,
            {
                "vendor_id": "studio",
                "payout_address": MALLORY,
                "previous_address": STUDIO,
                "not_before": vendor.payout_not_before.isoformat(),
            },
        )

    def test_nobody_below_the_minimum_by_schedule(self, world: World, vendor: Vendor) -> None:
        streamed(world, vendor, hours=0.05)
        mature(world)

        assert rounds.payout_sweep() == 0
        assert payouts.request("studio", client_id=world.vera.pk, now=clock.now()).amount_zat > 0

    def test_nobody_twice_in_a_period_or_while_one_is_under_way(self, world: World, vendor: Vendor) -> None:
        world.float_money()
        streamed(world, vendor, hours=0.5)
        mature(world)
        rounds.payout_sweep()
        with pytest.raises(PayoutNotPossible):
            payouts.request("studio", client_id=world.vera.pk, now=clock.now())
        streamed(world, vendor, hours=0.5)
        mature(world)
        with pytest.raises(PayoutUnderWay):
            payouts.request("studio", client_id=world.vera.pk, now=clock.now())
        world.round(2)
        world.mine(REFUND_CONFIRMATIONS)
        world.round()

        assert rounds.payout_sweep() == 1
        assert rounds.payout_sweep() == 0
        assert [each.number for each in Payout.objects.order_by("id")] == [1, 2]

    def test_nobody_twice_in_a_period_though_the_first_one_is_over(
        self, world: World, vendor: Vendor
    ) -> None:
        world.settings.PAYOUT_HOLD_HOURS = 0
        world.float_money()
        streamed(world, vendor, hours=0.2)
        rounds.payout_sweep()
        world.round(2)
        world.confirm()
        first = Payout.objects.get(status="confirmed")
        streamed(world, vendor, hours=0.2)
        midnight = payouts.period_start(PayoutSchedule.DAILY, now=first.created_at + timedelta(days=1))
        assert midnight is not None

        assert payouts.queue_due(now=midnight - timedelta(milliseconds=1)) == 0
        assert payouts.queue_due(now=max(midnight, clock.now())) == 1

    def test_a_change_of_address_takes_back_what_waited_for_the_old_one(
        self, world: World, vendor: Vendor
    ) -> None:
        streamed(world, vendor)
        mature(world)
        available = earned(vendor).available_zat
        rounds.payout_sweep()

        set_terms(world, "studio", MALLORY)

        assert Payout.objects.get().status == "cancelled"
        assert earned(vendor).available_zat == available

    def test_a_change_of_address_is_refused_while_the_wallet_pays_the_old_one(
        self, world: World, vendor: Vendor
    ) -> None:
        let_wait(world, vendor)
        world.round()

        with pytest.raises(PayoutUnderWay):
            set_terms(world, "studio", MALLORY)

    def test_a_large_one_waits_for_two_operators(self, world: World, vendor: Vendor) -> None:
        world.settings.PAYOUT_APPROVAL_ABOVE = "0.5"
        let_wait(world, vendor)
        payout = Payout.objects.get()
        otto = word("otto")

        world.round(2)
        assert list(approvals.waiting(Payout.objects.all())) == [payout]
        assert approvals.approve(payout, address=payout.address, word=otto, now=clock.now()) == 1
        with pytest.raises(Conflict, match="another operator"):
            approvals.approve(payout, address=payout.address, word=otto, now=clock.now())
        world.round(2)
        assert send_statuses() == []
        approvals.approve(payout, address=payout.address, word=word("olga"), now=clock.now())
        world.round(2)

        assert Payout.objects.get().status == "sent"

    def test_many_small_ones_of_a_day_wait_for_two_operators_like_a_large_one(
        self, world: World, vendor: Vendor
    ) -> None:
        world.settings.PAYOUT_APPROVAL_ABOVE, world.settings.PAYOUT_HOLD_HOURS = "0.5", 0
        world.float_money()
        for _ in range(2):
            streamed(world, vendor, hours=0.4)
            payouts.request("studio", client_id=world.vera.pk, now=clock.now())
            world.round(2)
            world.confirm()
        first, second = Payout.objects.order_by("number")

        assert (first.status, second.status) == ("confirmed", "queued")
        assert list(approvals.waiting(Payout.objects.all())) == [second]
        Payout.objects.filter(pk=first.pk).update(created_at=first.created_at - timedelta(days=1))
        assert not approvals.waiting(Payout.objects.all()).exists()

    def test_nobody_while_the_books_are_wrong(self, world: World, vendor: Vendor) -> None:
        let_wait(world, vendor)
        Reconciliation.objects.create(at=clock.now(), owed_zat=1, booked_zat=1, findings=["something"])

        world.round(2)
        assert send_statuses() == []
        rounds.reconcile_round()
        world.round(2)

        assert send_statuses() == ["sent"]


@pytest.mark.parametrize(
    ("schedule", "start"),
    [
        (PayoutSchedule.DAILY, datetime(2026, 11, 28, tzinfo=UTC)),
        (PayoutSchedule.WEEKLY, datetime(2026, 11, 23, tzinfo=UTC)),
        (PayoutSchedule.MONTHLY, datetime(2026, 11, 1, tzinfo=UTC)),
        (PayoutSchedule.MANUAL, None),
    ],
)
def test_a_period_begins_at_midnight_utc(schedule: PayoutSchedule, start: datetime | None) -> None:
    now = datetime(2026, 11, 28, 23, 59, tzinfo=UTC)

    assert payouts.period_start(schedule, now=now) == start


def set_terms(world: World, slug: str, address: str | None, **changes: Any) -> Vendor:
    terms = {"schedule": PayoutSchedule.DAILY, "minimum_zat": None, **changes}
    return payouts.set_terms(slug, client_id=world.vera.pk, address=address, now=clock.now(), **terms)


def with_transfers_undone(payout: Payout) -> None:
    """Book back what left the wallet: a restored ledger does not have it."""
    before = RefundStatus(payout.status)
    payout.status = RefundStatus.QUEUED
    with operation():
        ledger.outgoing_moved(payout, before=before, now=clock.now())
