"""The restore drill: the database set back while wallet and chain went on."""

from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import transaction

from billing import outgoing, refunds, rounds
from billing.models import ForeignSend, Refund, WalletSend
from core import clock, db
from tests.factories import make_vendor, stream
from tests.refunding import (
    ALICE,
    ALICE_O,
    ALICE_T,
    MALLORY,
    REFUND_CONFIRMATIONS,
    TRANSPARENT_FEE,
    ZEC,
    World,
    refund_of,
    send_statuses,
    statuses,
)
from zcash.models import Deposit, PermissionAudit, SpendingPermission


def backup() -> Callable[[], None]:
    """Remember the database as it is; return what sets it back. The clock alone goes on."""
    savepoint = transaction.savepoint()

    def restore() -> None:
        (offset_ms,) = db.row("SELECT offset_ms FROM core_clock")
        transaction.savepoint_rollback(savepoint)
        db.execute("UPDATE core_clock SET offset_ms = %(ms)s", {"ms": offset_ms})
        clock.forget()

    return restore


class TestPayments:
    def test_are_credited_again_and_once(self, world: World) -> None:
        permission = world.create()
        other = world.paid(MALLORY, zec="2")
        restore = backup()
        world.pay(permission, "1")
        world.pay(other, "0.5")

        restore()
        world.mine()
        rounds.deposit_round()

        permission.refresh_from_db()
        other.refresh_from_db()
        assert (permission.status, permission.credited_zat) == ("active", ZEC)
        assert other.credited_zat == 250_000_000
        assert Deposit.objects.filter(status="confirmed").count() == 3
        assert PermissionAudit.objects.filter(action="credited").count() == 3

    def test_that_were_made_hours_ago_are_credited_again(self, world: World) -> None:
        permission = world.create()
        world.mine()
        restore = backup()
        world.pay(permission, "1")
        world.mine(100)

        restore()
        world.mine()

        permission.refresh_from_db()
        assert permission.credited_zat == ZEC

    def test_to_forgotten_permissions_are_nobody_elses(self, world: World) -> None:
        restore = backup()
        lost = [world.create() for _ in range(5)]
        world.pay(lost[0], "1")

        restore()
        made = [world.create() for _ in range(5)]
        world.mine()

        assert {each.payment_address for each in lost}.isdisjoint(each.payment_address for each in made)
        assert {each.diversifier_index for each in lost}.isdisjoint(each.diversifier_index for each in made)
        assert not Deposit.objects.exists()
        assert set(SpendingPermission.objects.values_list("status", flat=True)) == {"pending"}


class TestARefund:
    @pytest.mark.parametrize("address", [ALICE, ALICE_T], ids=["shielded", "transparent"])
    @pytest.mark.parametrize("moment", ["revoked", "queued", "journaled", "handed in"])
    def test_is_found_on_the_chain_and_not_sent_twice(self, world: World, address: str, moment: str) -> None:
        world.float_money()
        permission = world.revoked(address)
        if moment != "revoked":
            refunds.queue_due(now=clock.now())
        if moment == "journaled":
            refunds._journal_batch(tip_height=world.simnode.height, moved=set(), now=clock.now())
            restore = backup()
            Refund.objects.update(status="queued")
            WalletSend.objects.all().update(status="failed")
        elif moment == "handed in":
            world.round()
            restore = backup()
        else:
            restore = backup()
        world.round(2)
        world.mine(REFUND_CONFIRMATIONS)
        world.round()
        txids = WalletSend.objects.exclude(status="failed").get().txids
        world.do("sim_restart")

        restore()
        world.round(3)
        world.confirm()

        assert refund_of(permission).status == "confirmed"
        assert WalletSend.objects.get().txids == txids
        assert world.transactions() == 1
        permission.refresh_from_db()
        assert (permission.remaining_zat, permission.refunded_zat) == (0, ZEC)

    @pytest.mark.parametrize("age", [REFUND_CONFIRMATIONS, 200])
    def test_that_gave_no_change_is_not_sent_twice(self, world: World, age: int) -> None:
        permission = world.revoked(ALICE if world.dialect == "zcashd" else ALICE_O)
        world.mine(age)
        restore = backup()
        world.round(2)
        (txid,) = WalletSend.objects.get().txids
        world.mine(REFUND_CONFIRMATIONS)
        world.do("sim_restart")
        world.paid(MALLORY, zec="3")

        restore()
        world.mine()
        world.round(3)
        if world.dialect == "zcashd":
            # Nothing but a person, or its txid, can tell where the money went.
            assert (refund_of(permission).status, bool(outgoing.halted())) == ("queued", True)
            call_command("reconcile", explain=txid, reason="it is Alice's")
        world.round(2)

        assert refund_of(permission).status in ("sent", "confirmed")
        assert world.transactions() == 1

    def test_of_a_batch_is_found_once_all_of_it_is_known_again(self, world: World) -> None:
        world.float_money()
        first, second = world.revoked(ALICE_T), world.create(MALLORY)
        mallory_t = "tmTGxF2krB6EgUzKFzcQhKboyFnUxjYiZM8"
        refunds.set_address(
            client_id=world.vera.pk,
            public_id=second.public_id,
            address=mallory_t,
            now=clock.now(),
            actor="tests",
        )
        restore = backup()
        world.pay(second, "2")
        world.revoke(second)
        world.round(2)
        assert [len(each.payments) for each in WalletSend.objects.all()] == [2]

        restore()
        world.round(2)
        halted, waiting = outgoing.halted(), statuses()
        world.mine()
        second.refresh_from_db()
        world.revoke(second)
        world.round(3)

        assert halted
        assert waiting == ["queued"]
        assert outgoing.halted() == ""
        assert (refund_of(first).status, refund_of(second).status) == ("sent", "sent")
        assert ForeignSend.objects.get().explanation == "it pays refunds or payouts"
        assert world.transactions() == 1

    def test_that_the_database_has_no_reason_for_halts_all_others(self, world: World) -> None:
        world.float_money()
        permission = world.paid(ALICE_T)
        restore = backup()
        world.revoke(permission)
        world.round(2)
        (txid,) = WalletSend.objects.get().txids

        restore()
        world.mine()
        other = world.revoked(MALLORY)
        world.round(3)
        halted = outgoing.halted()
        permission.refresh_from_db()
        world.revoke(permission)
        world.round(3)

        assert txid in halted
        assert refund_of(permission).status in ("sent", "confirmed")
        assert refund_of(other).status == "sent"
        assert world.arrived_zat(ALICE_T) == ZEC - TRANSPARENT_FEE

    def test_of_another_amount_halts_and_is_not_guessed_at(self, world: World) -> None:
        world.float_money()
        make_vendor(world.vera)
        permission = world.paid(ALICE_T)
        restore = backup()
        stream(world.vera, wallet=ALICE_T, now=clock.now())
        world.hours_pass(0.5)
        rounds.interval_round()
        world.revoke(permission)
        world.round(2)
        assert refund_of(permission).status == "sent"

        restore()
        world.by_hand = world.sent()
        world.revoke(permission)
        world.round(3)

        # What was streamed is forgotten: the refund asked for now is the whole.
        assert (refund_of(permission).status, refund_of(permission).amount_zat) == ("queued", ZEC)
        assert outgoing.halted()
        assert world.transactions() == 1

    def test_that_failed_in_the_backup_is_found_as_well(self, world: World) -> None:
        world.float_money()
        permission = world.revoked(ALICE_T)
        world.do("sim_operations", {"fail": {"code": -6, "message": "cannot"}})
        world.round(2)
        world.do("sim_operations", {"fail": None})
        restore = backup()
        world.hours_pass(1)
        world.round(2)

        restore()
        world.round(3)

        assert refund_of(permission).status == "sent"
        assert send_statuses() == ["failed", "sent"]
        assert world.transactions() == 1
