"""Sending on a real chain: killed, silent, stuck, reorged, reverted: each debt arrives exactly once."""

from typing import Any

import pytest
from django.db import connection

from billing.ethereum import abi, authorizing, debts, following, journal, readings
from billing.ethereum.errors import TokenUnfit
from billing.ethereum.fees import Fees
from billing.ethereum.rules import ChainSendStatus, CollectionStatus
from billing.models_ethereum import Authorization, ChainSend, Collection
from core.models import Event, User
from tests.concurrency.threads import elsewhere
from tests.evm.cutting import answering, killed_at, silent
from tests.evm.world import (
    ADMIN,
    BLOCKS,
    RETURNS_FALSE,
    RETURNS_NOTHING,
    TAKES_FEE,
    TREASURY,
    USD,
    World,
    viewer,
)

pytestmark = pytest.mark.django_db(transaction=True)
# With those of tests/evm/test_kills.py two hundred.
KILLS = 160


def states() -> list[str]:
    return list(Collection.objects.order_by("id").values_list("status", flat=True))


@pytest.mark.timeout(600)
def test_killed_at_every_step_it_collects_each_debt_once(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_token("PLAIN", RETURNS_NOTHING)
    world.configure()
    one = world.active(vera, viewer(1), money=90 * USD, limit_units=90 * USD)
    two = world.active(vera, viewer(2), money=90 * USD, limit_units=90 * USD, symbol="PLAIN")
    kills, last, owed = 0, 0, 0
    while kills < KILLS:
        last += 1
        owed += 1_000
        world.stream(one, 1_000)
        world.stream(two, 1_000)
        with killed_at(last, monkeypatch=monkeypatch) as steps:
            world.round()
            world.node.mine(2)
            world.round()
        if steps.count < last:
            # The whole of it took fewer steps: begin again at the first.
            last = 0
        else:
            kills += 1
        world.settle()

        for authorization, symbol in ((one, "USDT"), (two, "PLAIN")):
            authorization.refresh_from_db()
            assert authorization.collected_units == owed
            assert world.balance(TREASURY, symbol=symbol) == owed, f"step {last}"
    assert set(states()) == {CollectionStatus.CONFIRMED}
    nonces = list(ChainSend.objects.order_by("nonce").values_list("nonce", flat=True))
    assert nonces == list(range(nonces[0], nonces[0] + len(nonces)))


@pytest.mark.parametrize("after", [False, True], ids=["before the node has it", "after"])
def test_no_answer_is_unknown_until_the_chain_tells(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)

    with silent("eth_sendRawTransaction", after=after, monkeypatch=monkeypatch):
        assert "Local" in world.round()
    assert states() == ["unknown"]
    world.node.mine(2)
    world.settle()

    assert states() == ["confirmed"]
    assert world.balance(TREASURY) == USD
    assert ChainSend.objects.count() == 1


def test_a_stuck_transaction_is_replaced_under_its_own_nonce(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    world.round()
    first = ChainSend.objects.get()

    world.round(seconds=60)
    assert len(ChainSend.objects.get().hashes) == 1
    world.round(seconds=61)
    second = ChainSend.objects.get()
    world.node.mine(2)
    world.settle()

    assert (second.nonce, len(second.hashes)) == (first.nonce, 2)
    assert second.max_fee_wei > first.max_fee_wei * 1.12
    assert ChainSend.objects.get().mined_hash == second.hashes[1]
    assert world.balance(TREASURY) == USD
    # The first can never be mined: without a contract both would pay.
    assert int(world.node.ask("eth_getTransactionCount", world.service, "latest"), 16) == 1


def test_gas_above_the_cap_waits(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    world.node.ask("anvil_setNextBlockBaseFeePerGas", hex(200 * 10**9))
    world.node.mine()

    assert world.round() == {}
    assert not ChainSend.objects.exists()
    world.node.ask("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    world.node.mine()
    world.settle()

    assert world.balance(TREASURY) == USD


def test_transactions_of_one_round_have_one_nonce_after_the_other(world: World, vera: User) -> None:
    world.add_token("PLAIN", 0)
    world.configure()
    for number, symbol in enumerate(("USDT", "PLAIN")):
        world.stream(world.active(vera, viewer(number), symbol=symbol), USD)

    world.round()

    # The chain has counted neither yet.
    assert list(ChainSend.objects.order_by("nonce").values_list("nonce", flat=True)) == [0, 1]


def test_what_is_one_block_short_of_its_confirmations_is_not_final(world: World, vera: User) -> None:
    world.configure(confirmations=3)
    world.stream(world.active(vera, viewer(1)), USD)
    world.round()
    world.node.mine(2)
    world.round()
    short = states()

    world.node.mine()
    world.round()

    assert (short, states()) == (["submitted"], ["confirmed"])


@pytest.mark.parametrize("symbol", ["USDT", "PLAIN"])
def test_a_reorg_gives_a_collection_back_and_it_arrives_once(world: World, vera: User, symbol: str) -> None:
    world.add_token("PLAIN", 0)
    world.configure(confirmations=3)
    authorization = world.active(vera, viewer(1), symbol=symbol)
    world.stream(authorization, USD)
    world.round()
    world.node.mine()
    world.round()
    assert ChainSend.objects.get().status == ChainSendStatus.MINED

    world.node.ask("anvil_reorg", 1, [])
    assert world.balance(TREASURY, symbol=symbol) == 0
    world.round()
    given_back, collections = ChainSend.objects.get(), states()
    world.node.mine()
    world.settle(rounds=3)

    # It waits as any that is in no block: it may be stuck, and made dearer.
    assert (given_back.status, given_back.block_number) == (ChainSendStatus.SENT, None)
    assert collections in (["pending"], ["submitted"])
    assert states() == ["confirmed"]
    assert world.balance(TREASURY, symbol=symbol) == USD
    assert ChainSend.objects.count() == 1


def test_a_receipt_of_a_block_that_a_reorg_has_taken_away_counts_for_nothing(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    world.round()
    world.node.mine()
    (tx_hash,) = ChainSend.objects.get().hashes
    kept = {"result": world.node.ask("eth_getTransactionReceipt", tx_hash)}
    world.node.ask("anvil_reorg", 1, [])
    world.node.ask("anvil_dropAllTransactions")
    world.node.mine(3)

    with answering("eth_getTransactionReceipt", kept, monkeypatch=monkeypatch):
        world.round()
    authorization.refresh_from_db()
    # Nor has it moved what the wallet may owe on.
    assert (states(), authorization.collected_units) == (["submitted"], 0)
    assert authorization.cutoff_units == 2 * USD
    world.node.mine()
    world.settle()

    assert states() == ["confirmed"]
    assert world.balance(TREASURY) == USD


@pytest.mark.parametrize("symbol", ["USDT", "PLAIN"])
def test_a_nonce_that_somebody_else_used_is_lost_and_the_debt_is_sent_anew(
    world: World, vera: User, symbol: str
) -> None:
    world.add_token("PLAIN", 0)
    world.configure()
    authorization = world.active(vera, viewer(1), symbol=symbol)
    world.stream(authorization, USD)
    world.round()
    lost = ChainSend.objects.get()
    world.send_as_service(nonce=lost.nonce, to=ADMIN, value=1)
    world.node.mine(3)

    world.round()
    lost.refresh_from_db()
    assert (lost.status, states()) == ("lost", ["failed"])
    world.round(seconds=601)
    world.settle()

    assert states() == ["failed", "confirmed"]
    assert world.balance(TREASURY, symbol=symbol) == USD
    assert Authorization.objects.get().status == "active"


@pytest.mark.parametrize("symbol", ["USDT", "PLAIN"])
def test_a_wallet_that_takes_its_allowance_away_is_suspended_and_blocked_until_it_pays(
    world: World, vera: User, symbol: str
) -> None:
    world.add_token("PLAIN", 0)
    world.configure()
    who = viewer(1)
    authorization = world.active(vera, who, symbol=symbol)
    world.stream(authorization, USD)
    world.round()
    world.overtake(who.address, world.tokens[symbol], abi.APPROVE, world.spender(symbol), 0)
    world.node.mine(2)
    world.round()

    authorization.refresh_from_db()
    assert (states(), authorization.status) == (["failed"], "suspended")
    assert authorization.debt_units == USD
    world.approve(who.address, 50 * USD, symbol=symbol)
    world.round(seconds=601)
    world.node.mine(2)
    world.round()

    authorization.refresh_from_db()
    assert (states(), authorization.status) == (["failed", "confirmed"], "active")
    assert world.balance(TREASURY, symbol=symbol) == USD


@pytest.mark.parametrize("missing", ["allowance", "balance"])
def test_what_the_chain_would_refuse_is_not_sent(world: World, vera: User, missing: str) -> None:
    who = viewer(1)
    authorization = world.active(vera, who, money=5 * USD)
    world.stream(authorization, USD)
    if missing == "allowance":
        world.approve(who.address, 1)
    else:
        world.do(who.address, world.tokens["USDT"], "transfer(address,uint256)", ADMIN, 5 * USD)

    world.round()

    authorization.refresh_from_db()
    assert (authorization.status, authorization.suspended_for) == ("suspended", missing)
    assert (states(), ChainSend.objects.count()) == (["failed"], 0)


@pytest.mark.parametrize("symbol", ["ODD", "PLAIN ODD"])
@pytest.mark.parametrize("ways", [0, RETURNS_NOTHING, RETURNS_FALSE | BLOCKS])
def test_tokens_with_odd_answers(world: World, vera: User, ways: int, symbol: str) -> None:
    token = world.add_token(symbol[:8], ways)
    world.tokens = {symbol: token}
    world.configure()
    authorization = world.active(vera, viewer(1), symbol=symbol)
    if ways & BLOCKS:
        world.do(ADMIN, token, "block_wallet(address,bool)", viewer(1).address, True)
    world.stream(authorization, USD)

    world.settle()

    authorization.refresh_from_db()
    refused = bool(ways & BLOCKS)
    assert states() == (["failed"] if refused else ["confirmed"])
    assert authorization.status == ("suspended" if refused else "active")
    assert world.balance(TREASURY, symbol=symbol) == (0 if refused else USD)


@pytest.mark.parametrize("symbol", ["FEE", "PLAIN"])
def test_a_token_that_keeps_a_fee_has_paid_once_and_is_used_no_more(
    world: World, vera: User, symbol: str
) -> None:
    world.tokens = {symbol: world.add_token(symbol, TAKES_FEE)}
    world.configure()
    authorization = world.active(vera, viewer(1), symbol=symbol)
    world.stream(authorization, USD)

    world.settle()

    authorization.refresh_from_db()
    collection = Collection.objects.get()
    assert (collection.status, collection.received_units) == ("confirmed", USD - USD // 100)
    assert (authorization.status, authorization.suspended_for) == ("suspended", "token_keeps_fee")
    assert authorization.collected_units == USD


def test_a_token_that_keeps_a_fee_of_what_was_revoked_is_used_no_more(world: World, vera: User) -> None:
    world.tokens = {"FEE": world.add_token("FEE", TAKES_FEE)}
    world.configure()
    authorization = world.active(vera, viewer(1), symbol="FEE")
    world.stream(authorization, USD)
    authorizing.revoke(client_id=vera.pk, public_id=authorization.public_id, now=world.now)

    world.settle()

    with pytest.raises(TokenUnfit, match="keeps a fee"):
        world.asked(vera, viewer(1), symbol="FEE")


def test_a_database_older_than_the_chain_sends_nothing(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    world.settle()
    # As after a restore of a backup that was made before: the journal ends earlier than the chain.
    world.node.ask("anvil_setNonce", world.service, hex(9))
    world.stream(authorization, USD)

    wrong = world.round()

    assert "older than the chain" in wrong["Local"]
    assert ChainSend.objects.count() == 1


def test_two_collectors_at_once_write_one_transaction(world: World, vera: User) -> None:
    """Beside the lock that keeps a second one waiting: what one has written, another finds overtaken."""
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    draft = next(debts.batches([authorization]))
    offered = Fees(10**10, 10**9)

    journal.write(world.chain, world.key, draft, fees=offered, chain_nonce=0, now=world.now)
    with pytest.raises(journal.Overtaken):
        journal.write(world.chain, world.key, draft, fees=offered, chain_nonce=0, now=world.now)

    assert (ChainSend.objects.count(), states()) == (1, ["pending"])


def test_what_another_process_books_just_before_is_not_booked_again(world: World, vera: User) -> None:
    world.stream(world.active(vera, viewer(1)), USD)
    world.round()
    world.node.mine(2)
    others: list[int] = []

    def follow() -> int:
        return following.follow(readings.connect(world.chain), world.chain, world.key, now=world.now)

    def overtaken(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        if "FOR NO KEY UPDATE" in sql and not others:
            others.append(elsewhere(follow))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(overtaken):
        mine = follow()

    # Nor was it put aside, because the ledger refuses a second posting.
    assert (mine, others) == (1, [1])
    assert states() == ["confirmed"]
    assert Event.objects.filter(kind="collection.confirmed").count() == 1


def test_a_transaction_that_succeeds_while_the_token_returns_false_has_paid_nothing(
    world: World, vera: User
) -> None:
    world.tokens = {"PLAIN": world.add_token("PLAIN", RETURNS_FALSE | BLOCKS)}
    world.configure()
    authorization = world.active(vera, viewer(1), symbol="PLAIN")
    world.stream(authorization, USD)
    world.round()
    world.overtake(ADMIN, world.tokens["PLAIN"], "block_wallet(address,bool)", viewer(1).address, True)
    world.node.mine(2)
    world.round()

    authorization.refresh_from_db()
    assert ChainSend.objects.get().status == ChainSendStatus.CONFIRMED
    assert (states(), authorization.status) == (["failed"], "suspended")
    assert (authorization.collected_units, world.balance(TREASURY, symbol="PLAIN")) == (0, 0)
