"""What every driver promises, held to by each over HTTP: zcashd's and zallet's against the simulated node."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from zcash.addresses import Network, encode_p2pkh, encode_sapling
from zcash.node import WrongChain, connect, disconnect, verify_chain
from zcash.node.port import (
    ChainTransaction,
    IndexUnusable,
    NodeNotReady,
    NodeRefused,
    NodeUnavailable,
    OperationStatus,
    Payment,
    PrivacyPolicy,
    Receipt,
    SentTransaction,
    WalletAddress,
    WalletPort,
)
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode

ZEC = 100_000_000
TIMEOUT_SECONDS = 1.0
# Room for a busy machine.
SLACK_SECONDS = 3.0
EXPIRY_BLOCKS = 40
# As deep as zallet wants others' money before it spends it.
SPENDABLE_DEPTH = 10
ALICES_SHIELDED = encode_sapling(b"alice" + bytes(38), network=Network.REGTEST)
ALICES_T_ADDRESS = encode_p2pkh(b"a" * 20, network=Network.REGTEST)
UNKNOWN_TXID = "ab" * 32


class World:
    """A simulated node, the configured driver on it, and everybody else."""

    def __init__(self, simnode: SimNode, *, dialect: str, control: RpcClient) -> None:
        self.simnode = simnode
        self.dialect = dialect
        self._control = control

    @property
    def wallet(self) -> WalletPort:
        return connect()

    def do(self, method: str, *params: object) -> Any:
        return self._control.call(method, *params)

    def mine(self, blocks: int = 1) -> list[str]:
        hashes: list[str] = self.do("generate", blocks)
        return hashes

    def pay(self, address: str, amount: str = "1", memo: bytes = b"") -> str:
        return str(self.do("sim_pay", address, amount, memo.hex()))

    def address(self, *, start: int = 2**61) -> WalletAddress:
        for index in range(start, start + 64):
            try:
                return self.wallet.new_address(index)
            except IndexUnusable:
                continue
        raise AssertionError("64 indices in a row without an address")

    def address_of_another_account(self) -> str:
        self.do("z_getnewaccount", *(["another"] if self.dialect == "zallet" else []))
        address: str = self.do("z_getaddressforaccount", 1)["address"]
        return address

    def funded_address(self, *, amounts: tuple[str, ...] = ("10",)) -> str:
        """The service's own address, with notes deep enough to be spent."""
        address = self.address().address
        for amount in amounts:
            self.pay(address, amount)
        self.mine(SPENDABLE_DEPTH)
        return address

    def send(self, *payments: Payment, source: str, policy: str = "AllowRevealedRecipients") -> str:
        return self.wallet.send(payments, source=source, policy=PrivacyPolicy(policy))

    def sent_txid(self, operation_id: str) -> str:
        operation = self.wallet.operation(operation_id)
        assert operation is not None
        assert operation.status is OperationStatus.SUCCEEDED
        (txid,) = operation.txids
        return txid

    def balance_zat(self) -> int:
        account: Any = 0
        pools = self.do("z_getbalanceforaccount", account, 1)["pools"]
        return sum(pool["valueZat"] for pool in pools.values())


@pytest.fixture(params=["zcashd", "zallet"])
def world(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Iterator[World]:
    dialect = request.param
    simnode = SimNode(
        datadir=tmp_path / "node", dialect=dialect, node_port=0 if dialect == "zallet" else None
    )
    settings.ZCASH_NETWORK, settings.ZCASH_ACCOUNT = "regtest", "0"
    settings.ZCASH_WALLET_DIALECT, settings.ZCASH_RPC_TIMEOUT_SECONDS = "auto", TIMEOUT_SECONDS
    settings.ZCASH_RPC_USER = settings.ZCASH_RPC_PASSWORD = ""
    with ExitStack() as cleanup:
        cleanup.enter_context(simnode)
        settings.ZCASH_RPC_URL = simnode.url
        settings.ZCASH_RPC_COOKIE_FILE = str(simnode.cookie_file)
        settings.ZCASH_NODE_URL = simnode.node_url or ""
        settings.ZCASH_NODE_COOKIE_FILE = str(simnode.node_cookie_file or "")
        control = RpcClient(simnode.url, cookie_file=str(simnode.cookie_file))
        cleanup.enter_context(closing(control))
        cleanup.callback(disconnect)
        yield World(simnode, dialect=dialect, control=control)


class TestStatus:
    def test_follows_the_tip(self, world: World) -> None:
        before = world.wallet.status()

        hashes = world.mine(3)

        after = world.wallet.status()
        assert (after.height, after.tip_hash) == (before.height + 3, hashes[-1])
        assert after.genesis_hash == before.genesis_hash == world.wallet.block_hash(0)
        assert (after.synced, after.locked, after.reason) == (True, False, "")
        verify_chain(after, network="regtest", genesis_hash=before.genesis_hash)

    def test_tells_a_node_that_is_syncing(self, world: World) -> None:
        world.mine()
        world.do("sim_fault", {"kind": "syncing"})

        status = world.wallet.status()

        assert not status.synced
        assert "block 1 of" in status.reason

    def test_does_not_take_another_chain_for_its_own(self, world: World) -> None:
        genesis_hash = world.wallet.status().genesis_hash
        world.do("sim_fault", {"kind": "wrong_chain"})

        status = world.wallet.status()

        with pytest.raises(WrongChain):
            verify_chain(status, network="regtest", genesis_hash=genesis_hash)
        with pytest.raises(WrongChain):
            verify_chain(status, network=status.chain, genesis_hash=genesis_hash)

    def test_is_not_ready_while_the_wallet_warms_up(self, world: World) -> None:
        world.do("sim_fault", {"kind": "warming_up"})

        with pytest.raises(NodeNotReady):
            world.wallet.status()

    def test_knows_each_blocks_hash_and_none_above_the_tip(self, world: World) -> None:
        hashes = world.mine(2)

        assert [world.wallet.block_hash(height) for height in (1, 2, 3)] == [*hashes, None]


class TestAddresses:
    def test_gives_the_same_address_for_the_same_index(self, world: World) -> None:
        first = world.address()

        again = world.wallet.new_address(first.diversifier_index)

        assert again == first
        assert world.wallet.owns(first.address)

    def test_gives_another_address_for_another_index(self, world: World) -> None:
        assert world.address().address != world.address(start=2**60).address

    def test_owns_no_foreign_address(self, world: World) -> None:
        assert not world.wallet.owns(ALICES_SHIELDED)

    def test_owns_no_address_of_another_account(self, world: World) -> None:
        assert not world.wallet.owns(world.address_of_another_account())

    def test_reads_the_public_balance_of_anybodys_address(self, world: World) -> None:
        world.do("sim_fund_address", ALICES_T_ADDRESS, "0.00000007")

        assert world.wallet.transparent_balance(ALICES_T_ADDRESS) == 7


class TestReceipts:
    def test_follows_a_payment_from_the_mempool_to_its_confirmations(self, world: World) -> None:
        address = world.address().address
        txid = world.pay(address, "2.50000001", b"hello")
        (unmined,) = world.wallet.receipts([address])

        hashes = world.mine(3)

        (mined,) = world.wallet.receipts([address])
        assert unmined == Receipt(
            address, txid, unmined.pool, unmined.output_index, 250_000_001, None, None, 0, b"hello"
        )
        assert mined == Receipt(
            address, txid, unmined.pool, unmined.output_index, 250_000_001, 1, hashes[0], 3, b"hello"
        )

    def test_shows_both_outputs_of_one_transaction(self, world: World) -> None:
        address = world.address().address
        world.do("sim_pay_many", [{"address": address, "amount": "1"}, {"address": address, "amount": "2"}])
        world.mine()

        found = world.wallet.receipts([address])

        assert sorted(receipt.amount_zat for receipt in found) == [ZEC, 2 * ZEC]
        assert len({(each.txid, each.pool, each.output_index) for each in found}) == 2

    def test_keeps_addresses_apart(self, world: World) -> None:
        first, second = world.address().address, world.address(start=2**60).address
        world.do("sim_pay_many", [{"address": first, "amount": "1"}, {"address": second, "amount": "2"}])

        found = world.wallet.receipts([first, second])

        assert sorted((each.address == first, each.amount_zat) for each in found) == [
            (False, 2 * ZEC),
            (True, ZEC),
        ]
        assert [each.amount_zat for each in world.wallet.receipts([second])] == [2 * ZEC]

    def test_shows_a_payment_unmined_after_a_reorg_and_mined_again_elsewhere(self, world: World) -> None:
        address = world.address().address
        world.pay(address)
        world.mine(2)
        (before,) = world.wallet.receipts([address])
        world.do("sim_reorg", 2)
        (between,) = world.wallet.receipts([address])

        (block_hash,) = world.mine()

        (after,) = world.wallet.receipts([address])
        assert (before.height, before.confirmations) == (1, 2)
        assert (between.height, between.block_hash, between.confirmations) == (None, None, 0)
        assert (after.height, after.block_hash, after.confirmations) == (4, block_hash, 1)
        assert world.wallet.block_hash(1) != before.block_hash

    def test_leaves_out_what_expired(self, world: World) -> None:
        address = world.address().address
        world.do("sim_hold", world.pay(address))

        world.mine(EXPIRY_BLOCKS + 1)

        assert world.wallet.receipts([address]) == []

    def test_shows_what_was_spent_and_not_the_change(self, world: World) -> None:
        address = world.funded_address()
        world.send(Payment(ALICES_SHIELDED, ZEC), source=address)
        world.mine()

        found = world.wallet.receipts([address])

        assert [receipt.amount_zat for receipt in found] == [10 * ZEC]

    def test_lists_everything_received_since_a_height_or_nothing_at_all(self, world: World) -> None:
        first, second = world.address().address, world.address(start=2**60).address
        world.pay(first, "1")
        world.mine()
        world.pay(second, "2")
        world.mine()
        world.pay(first, "3")

        listed = world.wallet.all_receipts(since_height=2)

        if world.dialect == "zcashd":
            assert listed is None
        else:
            assert listed is not None
            assert [(each.address, each.amount_zat, each.height) for each in listed] == [
                (second, 2 * ZEC, 2),
                (first, 3 * ZEC, None),
            ]

    def test_lists_a_whole_history_page_by_page(self, world: World) -> None:
        address = world.address().address
        for number in range(1, 105):
            world.pay(address, f"0.{number:08d}")
        world.mine()

        found = world.wallet.receipts([address])

        assert sorted(each.amount_zat for each in found) == list(range(1, 105))

    def test_shows_nothing_of_a_foreign_address(self, world: World) -> None:
        assert world.wallet.receipts([ALICES_SHIELDED]) == []


class TestTransactions:
    def test_places_a_mined_transaction(self, world: World) -> None:
        txid = world.pay(world.address().address)
        waiting = world.wallet.transaction(txid)

        hashes = world.mine(2)

        assert waiting == ChainTransaction(txid, None, None, 0, expired=False)
        assert world.wallet.transaction(txid) == ChainTransaction(txid, 1, hashes[0], 2, expired=False)

    def test_knows_nothing_of_others_transactions(self, world: World) -> None:
        assert world.wallet.transaction(UNKNOWN_TXID) is None

    def test_tells_that_one_has_expired(self, world: World) -> None:
        txid = world.pay(world.address().address)
        world.do("sim_hold", txid)

        world.mine(EXPIRY_BLOCKS + 1)

        assert world.wallet.transaction(txid) == ChainTransaction(txid, None, None, 0, expired=True)

    def test_tells_of_spent_money_as_far_as_the_wallet_knows(self, world: World) -> None:
        txid = world.pay(world.address().address)
        world.do("sim_replace", txid, ALICES_SHIELDED, "0.5")
        world.mine()

        found = world.wallet.transaction(txid)

        # zallet does not know of transactions that are not its own.
        is_told = world.dialect == "zcashd"
        assert found == ChainTransaction(txid, None, None, 0, expired=False, conflicted=is_told)

    def test_finds_a_transaction_where_it_was_mined_again(self, world: World) -> None:
        txid = world.pay(world.address().address)
        world.mine(2)
        world.do("sim_reorg", 2)
        unmined = world.wallet.transaction(txid)

        (block_hash,) = world.mine()

        assert unmined == ChainTransaction(txid, None, None, 0, expired=False)
        assert world.wallet.transaction(txid) == ChainTransaction(txid, 4, block_hash, 1, expired=False)


class TestSending:
    def test_pays_a_shielded_address_with_a_memo(self, world: World) -> None:
        source = world.funded_address()
        height, before_zat = world.wallet.status().height, world.balance_zat()
        operation_id = world.send(
            Payment(ALICES_SHIELDED, 150_000_001, b"refund"), source=source, policy="AllowRevealedAmounts"
        )

        txid = world.sent_txid(operation_id)
        (block_hash,) = world.mine()

        outgoing = world.wallet.outgoing(since_height=height)
        paid = Payment(ALICES_SHIELDED, 150_000_001, b"refund")
        assert outgoing.complete
        assert outgoing.transactions == (SentTransaction(txid, height + 1, False, (paid,)),)
        assert world.wallet.transaction(txid) == ChainTransaction(txid, height + 1, block_hash, 1, False)
        assert 0 < before_zat - world.balance_zat() - 150_000_001 <= 25_000

    def test_pays_several_recipients_in_one_transaction(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        payments = (Payment(ALICES_SHIELDED, ZEC, b"\xff\x00\x01"), Payment(ALICES_T_ADDRESS, 7))

        txid = world.sent_txid(world.send(*payments, source=source))

        outgoing = world.wallet.outgoing(since_height=height)
        world.mine()
        (sent,) = outgoing.transactions
        assert (sent.txid, sent.height, sent.expired, outgoing.complete) == (txid, None, False, True)
        assert {(each.address, each.amount_zat) for each in sent.payments} == {
            (ALICES_SHIELDED, ZEC),
            (ALICES_T_ADDRESS, 7),
        }
        assert world.wallet.transparent_balance(ALICES_T_ADDRESS) == 7

    def test_finds_a_chain_of_payments_out_of_change(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        txids = []
        for amount_zat in (1, 2, 3):
            txids.append(world.sent_txid(world.send(Payment(ALICES_SHIELDED, amount_zat), source=source)))
            world.mine(3)

        outgoing = world.wallet.outgoing(since_height=height)
        later = world.wallet.outgoing(since_height=height + 3)

        assert [each.txid for each in outgoing.transactions] == txids
        assert [each.txid for each in later.transactions] == txids[1:]
        assert outgoing.complete
        assert later.complete

    def test_does_not_call_complete_what_it_cannot_prove(self, world: World) -> None:
        """A payment of all there is gives no change, which is how zcashd's payments are found."""
        source = world.funded_address(amounts=("1.00015",))
        height = world.wallet.status().height
        payment = Payment(ALICES_T_ADDRESS, ZEC)

        txid = world.sent_txid(world.send(payment, source=source))
        world.mine()
        # The operation names it, until the wallet restarts.
        found = world.wallet.outgoing(since_height=height)
        assert [each.txid for each in found.transactions] == [txid]
        world.do("sim_restart")

        assert world.balance_zat() == 0
        blind = world.wallet.outgoing(since_height=height)
        told = world.wallet.outgoing(since_height=height, known_txids=[txid])
        assert blind.complete is (world.dialect == "zallet")
        assert told.complete
        assert [each.txid for each in told.transactions] == [txid]

    def test_calls_nothing_complete_while_the_wallet_rescans(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        txid = world.sent_txid(world.send(Payment(ALICES_SHIELDED, ZEC), source=source))
        world.mine()
        world.do("sim_wallet", {"blank": True})

        outgoing = world.wallet.outgoing(since_height=height)

        assert not outgoing.complete
        assert world.wallet.receipts([source]) == []
        assert world.wallet.transaction(txid) is None

    def test_tells_no_unknown_payment_where_none_was_made(self, world: World) -> None:
        world.funded_address()

        outgoing = world.wallet.outgoing(since_height=world.wallet.status().height)

        assert (outgoing.transactions, outgoing.complete) == ((), True)

    def test_is_sending_until_the_operation_is_over(self, world: World) -> None:
        source = world.funded_address()
        world.do("sim_operations", {"hold": True})
        operation_id = world.send(Payment(ALICES_SHIELDED, ZEC), source=source)
        while_held = (world.wallet.is_sending(), world.wallet.operation(operation_id))

        world.do("sim_operations", {"hold": False})

        is_sending, running = while_held
        assert is_sending
        assert running is not None
        assert (running.status, running.txids) == (OperationStatus.RUNNING, ())
        assert not world.wallet.is_sending()
        assert world.sent_txid(operation_id)

    def test_tells_why_an_operation_failed(self, world: World) -> None:
        source = world.funded_address()
        world.do("sim_operations", {"fail": {"code": -26, "message": "tx-expiring-soon"}})

        operation = world.wallet.operation(world.send(Payment(ALICES_SHIELDED, ZEC), source=source))

        assert operation is not None
        assert operation.status is OperationStatus.FAILED
        assert (operation.error_code, operation.error, operation.txids) == (-26, "tx-expiring-soon", ())

    def test_forgets_operations_at_a_restart_and_finds_the_payment_all_the_same(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        operation_id = world.send(Payment(ALICES_SHIELDED, ZEC), source=source)
        txid = world.sent_txid(operation_id)

        world.do("sim_restart")

        assert world.wallet.operation(operation_id) is None
        assert [each.txid for each in world.wallet.outgoing(since_height=height).transactions] == [txid]

    def test_does_not_know_an_operation_of_another_life(self, world: World) -> None:
        assert world.wallet.operation("opid-00000000-0000-4000-8000-000000000000") is None

    def test_tells_of_a_transaction_that_was_never_sent_out(self, world: World) -> None:
        source = world.funded_address()
        world.do("sim_operations", {"broadcast": False})

        operation = world.wallet.operation(world.send(Payment(ALICES_SHIELDED, ZEC), source=source))

        assert operation is not None
        # zcashd does not tell.
        assert operation.broadcast is (world.dialect == "zcashd")
        world.mine()
        found = world.wallet.transaction(operation.txids[0])
        assert found is not None
        assert found.height is None

    def test_sends_nothing_that_it_does_not_have(self, world: World) -> None:
        source = world.funded_address()
        payment = Payment(ALICES_SHIELDED, 100 * ZEC)

        if world.dialect == "zallet":
            with pytest.raises(NodeRefused) as caught:
                world.send(payment, source=source)
            assert caught.value.rpc_code == -4
        else:
            operation = world.wallet.operation(world.send(payment, source=source))
            assert operation is not None
            assert (operation.status, operation.error_code) == (OperationStatus.FAILED, -6)

    def test_lets_no_other_account_pay(self, world: World) -> None:
        source = world.address_of_another_account()
        world.pay(source, "10")
        world.mine(SPENDABLE_DEPTH)

        with pytest.raises(NodeRefused, match="ZCASH_SERVICE_WALLET"):
            world.send(Payment(ALICES_SHIELDED, ZEC), source=source)

        assert world.do("z_listoperationids") == []

    def test_reveals_no_more_than_it_was_allowed_to(self, world: World) -> None:
        source = world.funded_address()
        payment = Payment(ALICES_T_ADDRESS, ZEC)

        if world.dialect == "zallet":
            with pytest.raises(NodeRefused) as caught:
                world.send(payment, source=source, policy="FullPrivacy")
            assert caught.value.rpc_code == -8
        else:
            operation = world.wallet.operation(world.send(payment, source=source, policy="FullPrivacy"))
            assert operation is not None
            assert (operation.status, operation.error_code) == (OperationStatus.FAILED, -8)

    def test_says_nothing_of_what_was_sent_when_the_answer_was_lost(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        world.do("sim_fault", {"kind": "reset_after", "method": "z_sendmany", "times": 1})

        with pytest.raises(NodeUnavailable):
            world.send(Payment(ALICES_SHIELDED, ZEC), source=source)

        outgoing = world.wallet.outgoing(since_height=height)
        assert [each.payments for each in outgoing.transactions] == [(Payment(ALICES_SHIELDED, ZEC),)]

    def test_sends_nothing_when_the_connection_was_cut_before(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        world.do("sim_fault", {"kind": "reset_before", "method": "z_sendmany", "times": 1})

        with pytest.raises(NodeUnavailable):
            world.send(Payment(ALICES_SHIELDED, ZEC), source=source)

        outgoing = world.wallet.outgoing(since_height=height)
        assert (outgoing.transactions, outgoing.complete) == ((), True)


class TestFaults:
    @pytest.mark.parametrize(
        "kind",
        [
            "hang",
            "slow",
            "half",
            "not_json",
            "huge",
            "redirect",
            "reset_before",
            "reset_after",
            "server_error",
        ],
    )
    def test_reports_every_fault_as_unavailable_within_the_deadline(self, world: World, kind: str) -> None:
        address = world.address().address
        world.do("sim_fault", {"kind": kind, "seconds": 10})
        started = time.monotonic()

        with pytest.raises(NodeUnavailable):
            world.wallet.receipts([address])

        seconds = time.monotonic() - started
        world.do("sim_fault", None)
        assert seconds < TIMEOUT_SECONDS + SLACK_SECONDS
        assert world.wallet.receipts([address]) == []

    def test_gets_in_with_the_new_cookies_after_a_restart(self, world: World) -> None:
        before = world.wallet.status()

        world.do("sim_restart")

        assert world.wallet.status() == before

    def test_asks_the_wallet_who_it_is_again_when_it_did_not_answer(self, world: World) -> None:
        world.do("sim_fault", {"kind": "server_error", "times": 1})

        with pytest.raises(NodeUnavailable):
            connect().status()

        assert connect().status().synced


class TestTheWalletsOwnView:
    """zcashd is node and wallet in one; zallet follows a node, and says how far."""

    @pytest.mark.parametrize(("behind", "synced"), [(0, True), (2, True), (3, False)])
    def test_stands_where_the_wallet_stands(self, world: World, behind: int, synced: bool) -> None:
        hashes = world.mine(10)
        world.do("sim_wallet", {"behind": behind})

        status = world.wallet.status()

        if world.dialect == "zcashd":
            behind, synced = 0, True
        assert (status.height, status.tip_hash) == (10 - behind, hashes[9 - behind])
        assert status.synced is synced
        assert bool(status.reason) is not synced

    def test_counts_confirmations_from_where_it_stands(self, world: World) -> None:
        address = world.address().address
        world.pay(address)
        world.mine(10)
        world.do("sim_wallet", {"behind": 2})

        (receipt,) = world.wallet.receipts([address])

        assert receipt.height == 1
        assert receipt.confirmations == world.wallet.status().height

    def test_tells_that_the_wallet_locked_itself(self, world: World) -> None:
        source = world.funded_address()
        world.do("sim_wallet", {"recovering": True})

        assert world.wallet.status().locked is (world.dialect == "zallet")
        if world.dialect == "zallet":
            with pytest.raises(NodeNotReady):
                world.send(Payment(ALICES_SHIELDED, ZEC), source=source)
