"""Where refunds go: to the address of the permission, to another one, and to TEX addresses."""

from datetime import timedelta
from typing import Any

import pytest

from billing import refunds
from billing.errors import RefundUnderWay
from billing.models import WalletSend
from core import clock
from core.errors import Invalid
from core.models import Event
from tests.refunding import (
    ALICE,
    ALICE_T,
    ALICE_TEX,
    MALLORY,
    SHIELDED_FEE,
    TEX_FEE,
    TRANSPARENT_FEE,
    ZEC,
    World,
    fee_to,
    refund_of,
    set_address,
    statuses,
    view_of,
)
from zcash.errors import PermissionNotFound


class TestTex:
    def test_is_paid_by_zallet_in_two_transactions(self, world: World) -> None:
        if world.dialect == "zcashd":
            return
        permission = world.revoked(ALICE_TEX)

        world.round(2)
        world.confirm()

        refund = refund_of(permission)
        assert (refund.status, refund.fee_zat) == ("confirmed", TEX_FEE)
        assert len(WalletSend.objects.get().txids) == 2
        assert world.arrived_zat(ALICE_TEX) == ZEC - TEX_FEE

    def test_fails_for_good_on_zcashd_and_another_address_is_paid(self, world: World) -> None:
        if world.dialect == "zallet":
            return
        permission = world.revoked(ALICE_TEX)
        world.round(2)
        failed = refund_of(permission)
        assert failed.status == "failed"
        assert "unknown address format" in view_of(permission).reason

        set_address(world, permission, ALICE)
        world.hours_pass(24)
        world.round(3)

        refund = refund_of(permission)
        assert (refund.pk, refund.status, refund.fee_zat) == (failed.pk, "sent", SHIELDED_FEE)
        assert world.arrived_zat(ALICE) == ZEC - SHIELDED_FEE
        assert WalletSend.objects.get(status="sent").policy == "FullPrivacy"

    def test_redirects_every_refund_that_failed(self, world: World) -> None:
        if world.dialect == "zallet":
            return
        permission = world.revoked(ALICE_TEX)
        world.round(2)
        world.hours_pass(1.01)
        world.pay(permission, "0.5")
        world.round(4)
        assert statuses() == ["failed", "failed"]

        set_address(world, permission, ALICE)
        world.hours_pass(24)
        world.round(3)
        world.confirm()
        world.round(3)

        assert statuses() == ["confirmed", "sent"]
        assert world.arrived_zat(ALICE) == ZEC + ZEC // 2 - 2 * SHIELDED_FEE


class TestTheAddress:
    def test_goes_to_the_address_given_at_creation(self, world: World) -> None:
        world.revoked(MALLORY, refund_to=ALICE)

        world.round(2)

        assert world.arrived_zat(ALICE) == ZEC - fee_to(ALICE, world=world)
        assert world.arrived_zat(MALLORY) == 0

    def test_holds_a_refund_back_for_a_day_where_money_was_seen(self, world: World) -> None:
        permission = world.paid()
        set_address(world, permission, ALICE_T)
        world.revoke(permission)

        world.round(2)
        early = statuses()
        world.hours_pass(23.9)
        world.round(2)
        late = statuses()
        world.hours_pass(0.2)
        world.round(2)

        assert (early, late, statuses()) == (["queued"], ["queued"], ["sent"])
        assert world.arrived_zat(ALICE_T) == ZEC - TRANSPARENT_FEE

    def test_holds_back_what_is_queued_already(self, world: World) -> None:
        permission = world.revoked()
        refunds.queue_due(now=clock.now())

        set_address(world, permission, ALICE_T)
        world.round(2)

        refund = refund_of(permission)
        assert (refund.status, refund.address, refund.fee_zat) == ("queued", ALICE_T, TRANSPARENT_FEE)
        assert refund.not_before >= clock.now() + timedelta(hours=23.9)

    def test_takes_another_at_once_before_any_money_was_seen(self, world: World) -> None:
        permission = world.create()

        set_address(world, permission, ALICE_T)
        world.pay(permission, "1")
        world.revoke(permission)
        world.round(2)

        assert world.arrived_zat(ALICE_T) == ZEC - TRANSPARENT_FEE

    def test_changes_nothing_by_the_same_address(self, world: World) -> None:
        permission = world.paid()
        events = Event.objects.count()

        found = set_address(world, permission, ALICE)

        assert (found.refund_not_before, found.refund_address) == (None, None)
        assert Event.objects.count() == events

    def test_refuses_once_the_wallet_was_asked(self, world: World) -> None:
        permission = world.revoked()
        world.round()

        with pytest.raises(RefundUnderWay):
            set_address(world, permission, ALICE_T)

        assert refund_of(permission).address == ALICE

    def test_refuses_an_address_that_costs_more_than_the_refund(self, world: World, settings: Any) -> None:
        settings.REFUND_MINIMUM = "0.00000001"
        permission = world.revoked(ALICE_T, zec="0.0002")
        refunds.queue_due(now=clock.now())

        with pytest.raises(Invalid):
            set_address(world, permission, ALICE_TEX)

        permission.refresh_from_db()
        assert (refund_of(permission).address, permission.refund_address) == (ALICE_T, None)

    def test_is_nobody_elses_to_change(self, world: World) -> None:
        permission = world.paid()

        with pytest.raises(PermissionNotFound):
            refunds.set_address(
                client_id=world.vera.pk + 1,
                public_id=permission.public_id,
                address=MALLORY,
                now=clock.now(),
                actor="mallory",
            )
