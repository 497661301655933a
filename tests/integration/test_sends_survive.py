"""Outgoing transactions over restarts, expiries and reorgs."""

from typing import Any

import pytest
from django.core.management import call_command

from billing.models import WalletSend
from tests.integration.sending import outlive, wait_for_another_try
from tests.refunding import (
    ALICE,
    EXPIRY_BLOCKS,
    MARGIN_BLOCKS,
    REFUND_CONFIRMATIONS,
    World,
    refund_of,
    send_statuses,
)
from zcash.node import operations


class Killed(BaseException):
    """The process dies here."""


class TestARestart:
    def test_of_the_wallet_forgets_an_operation_that_had_not_begun(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"hold": True})
        world.round()
        world.do("sim_restart")
        world.do("sim_operations", {"hold": False})

        world.round()
        unknown = refund_of(permission)
        outlive(world)
        world.round()
        wait_for_another_try(world)
        world.round(2)

        assert (unknown.status, unknown.reason) == ("unknown", "the wallet has forgotten the operation")
        assert refund_of(permission).status == "sent"
        assert world.transactions() == 1

    def test_of_the_wallet_forgets_one_that_failed(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"fail": {"code": -6, "message": "cannot"}})
        world.round()
        world.do("sim_operations", {"fail": None})
        world.do("sim_restart")

        world.round()
        unknown = refund_of(permission).status
        outlive(world)
        world.round()

        assert (unknown, refund_of(permission).status) == ("unknown", "failed")
        assert world.transactions() == 0

    def test_of_the_wallet_forgets_one_that_succeeded(self, world: World) -> None:
        world.float_money()
        permission = world.revoked()
        world.round()
        world.do("sim_restart")

        world.round(2)

        assert refund_of(permission).status == "sent"
        assert world.transactions() == 1

    def test_of_zcashd_hides_what_gave_no_change_until_a_person_points_it_out(self, world: World) -> None:
        if world.dialect == "zallet":
            return
        permission = world.revoked()
        world.round()
        (operation,) = world.do("z_getoperationresult", [WalletSend.objects.get().operation_id])
        world.do("sim_restart")
        outlive(world)
        world.round(2)
        hidden = refund_of(permission).status
        assert hidden == "unknown"

        call_command("reconcile", explain=operation["result"]["txid"], reason="the refund of Alice")

        assert refund_of(permission).status in ("sent", "confirmed")
        assert world.transactions() == 1

    @pytest.mark.parametrize("place", ["before", "after"])
    def test_of_paygo_sends_nothing_twice(
        self, world: World, place: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        permission = world.revoked()
        ask = operations.send

        def dying(*arguments: Any, **how: Any) -> str:
            if place == "after":
                ask(*arguments, **how)
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(operations, "send", dying)
            with pytest.raises(Killed):
                world.round()
        assert send_statuses() == ["sending"]

        world.round(2)

        if place == "before":
            assert refund_of(permission).status == "unknown"
            outlive(world)
            world.round()
            wait_for_another_try(world)
            world.round(2)
        assert refund_of(permission).status == "sent"
        assert world.transactions() == 1


class TestWhatTheWalletBuilt:
    def test_is_not_taken_for_sent_where_it_was_not_broadcast(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"broadcast": False})
        world.round(2)
        built = WalletSend.objects.get()
        world.do("sim_operations", {"broadcast": True})

        outlive(world)
        world.round(2)
        wait_for_another_try(world)
        world.round(2)
        world.confirm()

        if world.dialect == "zallet":
            assert built.status in ("unknown", "sent")
        assert refund_of(permission).status == "confirmed"
        assert world.arrived_zat(ALICE) == refund_of(permission).paid_zat

    def test_fails_where_it_expired_unmined_and_is_sent_again(self, world: World) -> None:
        permission = world.revoked()
        world.round(2)
        (txid,) = WalletSend.objects.get().txids
        world.do("sim_hold", txid)
        assert world.transactions() == 1

        world.mine(EXPIRY_BLOCKS + MARGIN_BLOCKS - 1)
        world.round()
        early = refund_of(permission).status
        world.mine()
        world.round()
        failed = refund_of(permission)
        wait_for_another_try(world)
        world.round(2)

        assert (early, failed.status) == ("sent", "failed")
        assert failed.reason == "its transaction expired unmined"
        assert refund_of(permission).status == "sent"
        assert send_statuses() == ["failed", "sent"]
        assert world.arrived_zat(ALICE) == refund_of(permission).paid_zat

    def test_stays_sent_where_a_reorg_takes_it_and_it_is_mined_again(self, world: World) -> None:
        permission = world.revoked()
        world.round(2)
        world.mine(5)
        world.do("sim_reorg", 5)
        world.round()
        out = refund_of(permission).status

        world.mine(REFUND_CONFIRMATIONS)
        world.round()

        assert (out, refund_of(permission).status) == ("sent", "confirmed")
        assert world.transactions() == 1

    def test_fails_where_a_reorg_takes_it_for_good(self, world: World) -> None:
        permission = world.revoked()
        world.round(2)
        world.mine(5)
        world.do("sim_reorg", 5, WalletSend.objects.get().txids)

        outlive(world)
        world.round()
        wait_for_another_try(world)
        world.round(2)

        assert refund_of(permission).status == "sent"
        assert send_statuses() == ["failed", "sent"]
        assert world.arrived_zat(ALICE) == refund_of(permission).paid_zat

    def test_stays_sent_while_the_wallet_rescans(self, world: World) -> None:
        permission = world.revoked()
        world.round(2)
        world.do("sim_wallet", {"blank": True})
        outlive(world)

        world.round(2)
        blank = refund_of(permission).status
        world.do("sim_wallet", {})
        world.round()

        assert (blank, refund_of(permission).status) == ("sent", "confirmed")

    def test_is_one_of_fifty_kinds_of_failure_that_say_nothing(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"fail": {"code": -25, "message": "broadcast failed"}})

        world.round(2)

        assert refund_of(permission).status == "unknown"
