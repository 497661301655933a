"""What comes into every wallet: its addresses, receipts and transactions."""

from tests.unit.wallets.world import ALICES_SHIELDED, ALICES_T_ADDRESS, ZEC, World
from zcash.node.port import (
    ChainTransaction,
    Payment,
    Receipt,
)

EXPIRY_BLOCKS = 40
UNKNOWN_TXID = "ab" * 32


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
