"""Which money goes back to whom, and when, on the simulated node in either dialect."""

from typing import Any

import pytest

from billing import refunds, rounds
from billing.models import Refund, WalletSend
from core import clock
from core.models import Event
from tests.refunding import (
    ALICE,
    ALICE_O,
    ALICE_T,
    ALICE_U,
    MALLORY,
    REFUND_CONFIRMATIONS,
    SHIELDED_FEE,
    ZEC,
    World,
    fee_to,
    refund_of,
    send_statuses,
    set_address,
    statuses,
    view_of,
)
from zcash.models import Deposit, SpendingPermission, WatchedChain


class TestWhatIsRefunded:
    @pytest.mark.parametrize("address", [ALICE, ALICE_U, ALICE_T], ids=["sapling", "unified", "transparent"])
    def test_refunds_what_is_left_less_the_fee_to_the_zatoshi(self, world: World, address: str) -> None:
        permission = world.revoked(address, zec="1.00000001")
        fee = fee_to(address, world=world)

        world.round(2)

        refund = refund_of(permission)
        assert (refund.status, refund.amount_zat, refund.fee_zat) == ("sent", ZEC + 1, fee)
        assert world.arrived_zat(address) == ZEC + 1 - fee
        permission.refresh_from_db()
        assert (permission.remaining_zat, permission.refunded_zat) == (0, ZEC + 1)

    def test_costs_the_account_the_fee_and_no_more(self, world: World) -> None:
        other = world.paid(MALLORY, zec="3")
        world.revoked(ALICE_T, zec="1")

        world.round(2)
        world.confirm()

        assert statuses() == ["confirmed"]
        assert world.held_back_zat() == other.remaining_zat

    def test_is_final_after_its_confirmations_and_not_before(self, world: World) -> None:
        permission = world.revoked()
        world.round(2)

        world.mine(REFUND_CONFIRMATIONS - 1)
        world.round()
        before = refund_of(permission).status
        world.mine()
        world.round()

        assert (before, refund_of(permission).status) == ("sent", "confirmed")
        assert refund_of(permission).finished_at is not None

    def test_refunds_what_expires(self, world: World) -> None:
        permission = world.paid()

        world.hours_pass(30 * 24)
        rounds.expiry_round()
        world.round(2)

        assert (refund_of(permission).cause, refund_of(permission).status) == ("expired", "sent")

    def test_refunds_the_part_that_was_paid_of_what_lapses(self, world: World) -> None:
        permission = world.create(zec="2")
        world.pay(permission, "0.5")
        assert permission.status == "pending"

        world.hours_pass(25)
        world.mine()
        rounds.expiry_round()
        world.round(2)

        refund = refund_of(permission)
        assert (refund.cause, refund.amount_zat, refund.status) == ("lapsed", ZEC // 2, "sent")

    def test_refunds_nothing_while_the_permission_lives(self, world: World) -> None:
        world.paid()

        world.round(2)

        assert not Refund.objects.exists()
        assert world.transactions() == 0

    def test_refunds_a_late_payment_by_a_second_refund(self, world: World) -> None:
        permission = world.revoked(zec="1")
        world.round(2)
        world.confirm()

        world.hours_pass(1.01)
        world.pay(permission, "0.25")
        world.round(2)

        assert statuses() == ["confirmed", "sent"]
        assert [each.amount_zat for each in Refund.objects.order_by("id")] == [ZEC, ZEC // 4]
        assert len({each.public_id for each in Refund.objects.all()}) == 2

    def test_keeps_a_late_payment_until_the_refund_under_way_is_final(self, world: World) -> None:
        permission = world.revoked(zec="1")
        world.round(2)
        world.hours_pass(1.01)
        world.pay(permission, "0.25", blocks=5)
        world.round(2)
        before = statuses()
        permission.refresh_from_db()
        assert (permission.remaining_zat, permission.refund_due) == (ZEC // 4, True)

        world.mine(REFUND_CONFIRMATIONS)
        world.round(2)
        world.round(2)

        assert (before, statuses()) == (["sent"], ["confirmed", "sent"])

    def test_writes_an_event_for_every_state(self, world: World) -> None:
        world.revoked()

        world.round(2)
        world.confirm()

        kinds = Event.objects.filter(kind__startswith="refund.").order_by("id").values_list("kind", flat=True)
        assert list(kinds) == ["refund.queued", "refund.sending", "refund.sent", "refund.confirmed"]


class TestTheMinimum:
    def test_keeps_what_is_below_it_and_says_so(self, world: World) -> None:
        permission = world.revoked(zec="0.00105")

        world.round(2)

        view = view_of(permission)
        assert (view.status, view.refund_id, permission.remaining_zat) == ("below_minimum", None, 105_000)
        assert "below the minimum" in view.reason
        assert not Refund.objects.exists()

    def test_sends_it_together_with_what_comes_in_later(self, world: World) -> None:
        permission = world.revoked(zec="0.00105")
        world.round()

        world.hours_pass(1.01)
        world.pay(permission, "0.002")
        world.round(2)

        assert refund_of(permission).amount_zat == 305_000
        assert world.arrived_zat(ALICE) == 305_000 - fee_to(ALICE, world=world)

    def test_sends_exactly_the_minimum(self, world: World) -> None:
        fee = fee_to(ALICE, world=world)
        permission = world.revoked(zec=f"{(100_000 + fee) / ZEC:.8f}")

        world.round(2)

        assert refund_of(permission).paid_zat == 100_000

    def test_says_what_came_in_behind_a_refund_that_is_final(self, world: World) -> None:
        permission = world.revoked()
        world.round(2)
        world.confirm()
        world.hours_pass(1.01)
        world.pay(permission, "0.0001")

        waiting = view_of(permission).reason
        world.round()

        view = view_of(permission)
        assert (view.status, len(view.txids)) == ("confirmed", 1)
        assert waiting == "0.0001 ZEC came in later and is refunded next"
        assert view.reason.startswith("0.0001 ZEC came in later: ")
        assert "below the minimum" in view.reason

    def test_looks_again_where_another_address_costs_less(self, world: World) -> None:
        permission = world.revoked(ALICE_T, zec="0.00111")
        world.round()
        assert view_of(permission).status == "below_minimum"
        same_pool = ALICE_U if world.dialect == "zcashd" else ALICE_O

        set_address(world, permission, same_pool)
        world.hours_pass(24)
        world.round(2)

        assert refund_of(permission).fee_zat == SHIELDED_FEE


class TestWhatItWaitsFor:
    def test_waits_for_the_depth_of_its_payments(self, world: World) -> None:
        permission = world.create()
        world.pay(permission, "1", blocks=REFUND_CONFIRMATIONS - 1)
        world.revoke(permission)

        world.round(2)
        before = statuses()
        world.mine()
        world.round(2)

        assert (before, statuses()) == (["queued"], ["sent"])

    def test_waits_for_the_youngest_of_several_payments(self, world: World) -> None:
        permission = world.paid(zec="1")
        world.pay(permission, "1", blocks=5)
        world.revoke(permission)

        world.round(2)
        before = statuses()
        world.mine(5)
        world.round(2)

        assert (before, statuses()) == (["queued"], ["sent"])
        assert refund_of(permission).amount_zat == 2 * ZEC

    def test_sends_nothing_while_a_payment_is_lost(self, world: World) -> None:
        permission = world.revoked()
        Deposit.objects.update(lost_at=clock.now())

        world.round(2)

        assert refund_of(permission).status == "queued"
        assert world.transactions() == 0

    def test_sends_nothing_whose_payment_a_reorg_took_before_the_watcher_looked(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_reorg", REFUND_CONFIRMATIONS)
        # The watcher's own mark of the chain still stands where it was.
        assert Deposit.objects.get().lost_at is None

        world.round(2)

        assert refund_of(permission).status == "queued"
        assert world.transactions() == 0

    def test_sends_nothing_for_a_payment_that_was_reversed(self, world: World) -> None:
        permission = world.revoked()
        txid = Deposit.objects.get().txid
        refunds.queue_due(now=clock.now())
        world.do("sim_reorg", REFUND_CONFIRMATIONS, [txid])
        world.mine(3 * REFUND_CONFIRMATIONS)

        world.round(3)

        permission.refresh_from_db()
        assert Deposit.objects.get().status == "reversed"
        assert (refund_of(permission).status, permission.refunded_zat) == ("cancelled", 0)
        assert (permission.remaining_zat, permission.shortfall_zat) == (0, 0)
        assert world.transactions() == 0

    def test_sends_it_once_the_payment_is_mined_again(self, world: World) -> None:
        permission = world.revoked()
        refunds.queue_due(now=clock.now())
        world.do("sim_reorg", REFUND_CONFIRMATIONS)
        rounds.deposit_round()
        assert Deposit.objects.get().status == "reversed"

        world.hours_pass(1.01)
        world.mine(REFUND_CONFIRMATIONS)
        world.round(2)

        permission.refresh_from_db()
        assert (refund_of(permission).status, permission.shortfall_zat) == ("sent", 0)
        assert world.arrived_zat(ALICE) == refund_of(permission).paid_zat

    def test_says_that_refunds_wait_without_the_services_own_address(
        self, world: World, settings: Any
    ) -> None:
        world.revoked()
        settings.ZCASH_SERVICE_WALLET = ""

        world.round(2)
        world.hours_pass(1.1)

        assert statuses() == ["queued"]
        assert refunds.waiting_too_long(now=clock.now()) == 1


class TestTheReceipt:
    @pytest.mark.parametrize("address", [ALICE, ALICE_U], ids=["sapling", "unified"])
    def test_tells_a_shielded_recipient_what_it_is(self, world: World, address: str) -> None:
        permission = world.revoked(address, zec="1.5")
        fee = fee_to(address, world=world)

        world.round(2)

        (memo,) = world.memos(address)
        zec = f"{(150_000_000 - fee) / ZEC:.8f}".rstrip("0")
        assert memo.decode().splitlines() == [
            "PayGo refund",
            f"permission {permission.public_id}",
            "streamed 0 s",
            "rate 1 ZEC/h",
            f"refund {zec} ZEC",
        ]
        assert len(memo) <= 512

    def test_tells_nobody_on_the_public_chain(self, world: World) -> None:
        permission = world.revoked(ALICE_T)

        world.round(2)

        assert world.memos(ALICE_T) == [b""]
        assert WalletSend.objects.get().payments[0]["memo"] is None
        assert refund_of(permission).memo


def test_one_address_that_cannot_be_read_keeps_nobody_elses_money(world: World) -> None:
    unreadable = world.revoked()
    SpendingPermission.objects.filter(pk=unreadable.pk).update(wallet_address="of-older-rules")
    readable = world.revoked(ALICE_T)

    world.round(2)

    assert refund_of(readable).status == "sent"
    assert not Refund.objects.filter(permission=unreadable).exists()


def test_counts_what_fails_again_and_again_as_waiting_too_long(world: World) -> None:
    world.revoked()
    world.do("sim_operations", {"fail": {"code": -6, "message": "no"}})
    for _ in range(3):
        world.round(2)
        world.hours_pass(1)

    assert statuses() == ["failed"]
    assert refunds.waiting_too_long(now=clock.now()) == 1
    assert send_statuses() == ["failed"] * 3


def test_knows_the_chain_it_watches(world: World) -> None:
    world.paid()

    assert WatchedChain.objects.get().tip_height == world.simnode.height


def test_tells_what_is_left_where_a_reorg_took_a_part_and_the_refund_with_it(world: World) -> None:
    permission = world.paid(zec="0.0005")
    txid = world.pay(permission, "1", blocks=5)
    world.revoke(permission)
    refunds.queue_due(now=clock.now())
    world.do("sim_reorg", 5, [txid])
    world.mine(3)

    world.round(2)

    assert refund_of(permission).status == "cancelled"
    assert (view_of(permission).status, permission.remaining_zat) == ("below_minimum", 50_000)
