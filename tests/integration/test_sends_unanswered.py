"""Outgoing transactions whose answer was lost: never another call until the chain has told."""

from typing import Any

import pytest

from billing import refunds
from billing.models import WalletSend
from core import clock, db
from tests.integration.sending import outlive, revoked_together, wait_for_another_try
from tests.refunding import (
    ALICE_T,
    EXPIRY_BLOCKS,
    MALLORY,
    MARGIN_BLOCKS,
    World,
    refund_of,
    send_statuses,
    statuses,
)
from zcash import queries
from zcash.models import SpendingPermission
from zcash.rules import FINAL_DEPTH

LOST_ANSWERS = ("reset_before", "reset_after", "hang", "half", "server_error", "not_json")
SENT_ALL_THE_SAME = ("reset_after", "half")


class TestALostAnswer:
    @pytest.mark.parametrize("kind", LOST_ANSWERS)
    def test_is_never_followed_by_another_call_until_the_chain_has_told(
        self, world: World, kind: str, settings: Any
    ) -> None:
        patience = settings.ZCASH_RPC_TIMEOUT_SECONDS
        permission = world.revoked()
        refunds.queue_due(now=clock.now())
        world.fault(kind)

        settings.ZCASH_RPC_TIMEOUT_SECONDS = 2.0 if kind == "hang" else patience
        world.round()
        settings.ZCASH_RPC_TIMEOUT_SECONDS = patience
        unknown = refund_of(permission).status
        world.round()

        assert unknown == "unknown"
        if kind in SENT_ALL_THE_SAME:
            assert (refund_of(permission).status, refund_of(permission).reason) == (
                "sent",
                "found on the chain",
            )
        else:
            self.fails_after_the_expiry_and_is_sent_once(world, permission)
        assert world.transactions() == 1

    def fails_after_the_expiry_and_is_sent_once(self, world: World, permission: SpendingPermission) -> None:
        world.mine(EXPIRY_BLOCKS + MARGIN_BLOCKS - 1)
        world.round(2)
        assert refund_of(permission).status == "unknown"
        world.mine()
        world.round()
        assert refund_of(permission).status == "failed"
        assert world.transactions() == 0
        wait_for_another_try(world)
        world.round(2)
        assert refund_of(permission).status == "sent"

    def test_is_found_where_it_was_mined_meanwhile(self, world: World) -> None:
        permission = world.revoked()
        world.fault("reset_after")
        world.round()
        world.mine(5)

        world.round()

        assert refund_of(permission).status == "sent"
        assert world.transactions() == 1

    @pytest.mark.parametrize("depth", [1, 20])
    def test_is_found_where_a_reorg_mined_it_below_the_tip_it_was_built_on(
        self, world: World, depth: int
    ) -> None:
        world.float_money()
        permission = world.revoked()
        fork = world.do("generate", depth)[0]
        world.fault("reset_after")
        world.round()
        world.do("sim_restart")

        world.do("invalidateblock", fork)
        world.mine(depth)
        outlive(world)
        world.round(2)

        assert refund_of(permission).status == "confirmed"
        assert world.transactions() == 1

    def test_is_not_sent_again_while_a_reorg_could_still_mine_it(self, world: World) -> None:
        world.float_money()
        permission = world.revoked()
        world.fault("reset_after")
        world.round()
        (lost,) = world.waiting()
        (mined_in,) = world.do("generate", 1)
        world.do("invalidateblock", mined_in)
        world.do("sim_hold", lost)
        other_branch = world.do("generate", EXPIRY_BLOCKS + MARGIN_BLOCKS)[0]
        world.mine()
        world.round()
        world.hours_pass(1)
        world.round(2)
        given_up = refund_of(permission).status, world.transactions()

        world.do("reconsiderblock", mined_in)
        world.do("invalidateblock", other_branch)
        world.mine(EXPIRY_BLOCKS + FINAL_DEPTH)
        world.round(3)

        assert given_up == ("failed", 1)
        assert refund_of(permission).status == "confirmed"
        assert world.transactions() == 1

    def test_another_refund_of_the_permission_waits_as_long(self, world: World) -> None:
        """A reversal cancels what waits: what is queued afterwards has the same money to pay."""
        world.float_money()
        permission = world.revoked()
        world.fault("reset_before")
        world.round()
        outlive(world)
        world.round()
        with db.operation():
            refunds.cancel_waiting(queries.lock(permission.pk), now=clock.now())
        world.round(2)
        waiting = statuses(), send_statuses()

        wait_for_another_try(world)
        world.round()

        assert waiting == (["cancelled", "queued"], ["failed"])
        assert send_statuses() == ["failed", "sending"]
        assert WalletSend.objects.filter(mineable_below__isnull=False).count() == 1

    def test_is_not_given_up_while_the_wallet_works_on_something(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"hold": True})
        world.fault("reset_after")
        world.round()
        outlive(world)
        world.round()
        held = refund_of(permission).status

        world.do("sim_operations", {"hold": False})
        world.round()

        # zallet had planned it before it was held: it is too late to be mined, and needs its own margin.
        late = {"zcashd": "sent", "zallet": "unknown"}[world.dialect]
        assert (held, refund_of(permission).status) == ("unknown", late)
        assert world.transactions() == 1

    def test_is_not_given_up_before_the_expiry_of_what_was_built_last(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"hold": True})
        world.fault("reset_after")
        world.round()
        world.mine(EXPIRY_BLOCKS)
        world.round()
        world.do("sim_restart")
        world.do("sim_operations", {"hold": False})

        world.mine(EXPIRY_BLOCKS + MARGIN_BLOCKS - 1)
        world.round()
        early = refund_of(permission).status
        world.mine()
        world.round()

        assert (early, refund_of(permission).status) == ("unknown", "failed")

    def test_is_no_evidence_while_the_wallet_rescans(self, world: World) -> None:
        world.float_money()
        permission = world.revoked()
        world.fault("reset_after")
        world.round()
        outlive(world)
        world.do("sim_wallet", {"blank": True})

        world.round(2)
        blank = refund_of(permission).status
        world.do("sim_wallet", {})
        world.round()

        assert (blank, refund_of(permission).status) == ("unknown", "sent")
        assert world.transactions() == 1

    def test_holds_everybody_elses_refund_back(self, world: World) -> None:
        world.revoked()
        world.fault("reset_before")
        world.round()
        world.revoked(MALLORY)

        world.round(3)

        assert statuses() == ["unknown", "queued"]
        assert world.transactions() == 0

    def test_is_not_taken_for_the_equal_payment_of_another_refund(self, world: World) -> None:
        _, second = revoked_together(world, [ALICE_T, ALICE_T])
        world.round()
        world.fault("reset_before")
        world.round()
        assert statuses() == ["sent", "unknown"]

        # The first one's transaction is still unmined: it is there to be found.
        world.round(2)

        assert refund_of(second).status == "unknown"
