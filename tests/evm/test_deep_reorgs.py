"""Reorgs deeper than what counts as final: nothing is taken twice, and what is not true any more is told."""

import pytest

from billing.ethereum import abi
from billing.ethereum.rules import UNDONE_BY_REORG
from billing.models_ethereum import Authorization, ChainSend, Collection
from core.models import User
from tests.evm.world import ADMIN, RETURNS_NOTHING, TREASURY, USD, World, viewer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def collected(world: World, vera: User) -> Authorization:
    """Return an authorisation of which a collection is final in blocks that a reorg can take."""
    authorization = world.active(vera, viewer(1))
    world.node.mine(9)
    world.stream(authorization, USD)
    world.settle()
    assert (ChainSend.objects.get().status, world.balance(TREASURY)) == ("confirmed", USD)
    return authorization


def reorg(world: World) -> None:
    world.node.ask("anvil_reorg", 5, [])
    assert world.balance(TREASURY) == 0


def send_again(world: World) -> None:
    world.node.ask("eth_sendRawTransaction", "0x" + bytes(ChainSend.objects.get().raw).hex())
    world.node.mine()


def test_what_was_final_and_is_in_no_block_is_told_and_nothing_is_sent(
    world: World, collected: Authorization
) -> None:
    reorg(world)
    world.stream(collected, USD)

    wrong = world.round()

    assert "a reorg deeper than its 2 confirmations has undone what was final, nonce 0 to 0" in wrong["Local"]
    assert ChainSend.objects.count() == 1


def test_what_was_final_counts_again_once_it_is_deep_again(world: World, collected: Authorization) -> None:
    reorg(world)
    send_again(world)
    assert "a reorg deeper" in world.round()["Local"]
    world.node.mine()
    world.stream(collected, USD)
    world.settle()

    assert world.balance(TREASURY) == 2 * USD
    assert set(Collection.objects.values_list("status", "reason")) == {("confirmed", "")}


def test_what_comes_out_otherwise_in_its_new_block_is_written_on_the_collection(
    world: World, collected: Authorization
) -> None:
    reorg(world)
    world.do(viewer(1).address, world.tokens["USDT"], "transfer(address,uint256)", ADMIN, 100 * USD)
    send_again(world)
    world.node.mine()

    assert world.round() == {}

    undone = Collection.objects.get()
    assert (undone.status, undone.reason, world.balance(TREASURY)) == ("confirmed", UNDONE_BY_REORG, 0)
    # The contract takes what is missing to a total: it comes with what is collected next.
    world.give(viewer(1).address, 3 * USD)
    assert world.round(seconds=301) == {}
    world.stream(collected, USD)
    world.settle()
    assert world.balance(TREASURY) == 2 * USD


def test_a_transfer_that_had_failed_and_has_not_is_told(
    world: World, vera: User, caplog: pytest.LogCaptureFixture
) -> None:
    world.add_token("PLAIN", RETURNS_NOTHING)
    world.configure()
    authorization = world.active(vera, viewer(1), symbol="PLAIN")
    world.node.mine(9)
    world.stream(authorization, USD)
    world.round()
    world.overtake(viewer(1).address, world.tokens["PLAIN"], abi.APPROVE, world.service, 0)
    world.node.mine(2)
    world.round()
    assert Collection.objects.get().reason == "reverted"

    # The approval that was taken away before is, in the new blocks, still there.
    reorg(world)
    send_again(world)
    world.node.mine()
    world.round()

    assert world.balance(TREASURY, symbol="PLAIN") == USD
    assert "collection_paid_after_all" in caplog.text


def test_a_node_without_the_blocks_of_what_was_final_is_behind(
    world: World, collected: Authorization
) -> None:
    ChainSend.objects.update(block_number=10_000)
    world.node.ask("anvil_setNonce", world.service, "0x0")

    assert "is behind" in world.round()["Local"]
