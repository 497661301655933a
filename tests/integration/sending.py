"""Refunds that are sent, and what passes meanwhile."""

from tests.refunding import (
    EXPIRY_BLOCKS,
    MARGIN_BLOCKS,
    REFUND_CONFIRMATIONS,
    World,
)
from zcash.models import SpendingPermission
from zcash.rules import FINAL_DEPTH


def revoked_together(world: World, wallets: list[str], *, zec: str = "0.01") -> list[SpendingPermission]:
    """Return permissions paid by one transaction and revoked; nothing is refunded yet."""
    created = [world.create(wallet, zec=zec) for wallet in wallets]
    world.do("sim_pay_many", [{"address": each.payment_address, "amount": zec} for each in created])
    world.mine(REFUND_CONFIRMATIONS)
    return [world.revoke(each) for each in created]


def outlive(world: World) -> None:
    """Mine until nothing that was built now could be mined, with the margin."""
    world.mine(EXPIRY_BLOCKS + MARGIN_BLOCKS)


def wait_for_another_try(world: World) -> None:
    """Let no reorg be deep enough any more to mine what was given up."""
    world.mine(FINAL_DEPTH)
    world.hours_pass(1)
