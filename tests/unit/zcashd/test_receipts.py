"""What the zcashd driver finds that came in, and where its transactions are."""

import pytest

from tests.unit.zcashd.scripted import ADDRESS, HEIGHT, OTHER_ADDRESS, TXID, Node, RefusalError, refuse
from zcash.node.port import (
    ChainTransaction,
    NodeRefused,
    NodeUnavailable,
    Receipt,
)
from zcash.node.zcashd import ZcashdWallet


def row(**fields: object) -> dict[str, object]:
    received = {
        "pool": "sapling",
        "txid": TXID,
        "amount": 2.5,
        "amountZat": 250_000_000,
        "memo": "f6" + "00" * 511,
        "outindex": 1,
        "confirmations": 3,
        "blockheight": HEIGHT - 2,
        "blockindex": 1,
        "blocktime": 1_700_000_000,
        "change": False,
    }
    return received | fields


class TestReceipts:
    def test_lists_mined_and_unmined_receipts(self, node: Node, wallet: ZcashdWallet) -> None:
        unmined = row(outindex=2, confirmations=0, blockheight=0, blockindex=-1, memo="6869" + "00" * 510)
        node.answers["z_listreceivedbyaddress"] = [row(), unmined]

        receipts = wallet.receipts([ADDRESS])

        mined_hash = node.block_hash(HEIGHT - 2)
        assert receipts == [
            Receipt(ADDRESS, TXID, "sapling", 1, 250_000_000, HEIGHT - 2, mined_hash, 3, None),
            Receipt(ADDRESS, TXID, "sapling", 2, 250_000_000, None, None, 0, b"hi"),
        ]
        assert ("z_listreceivedbyaddress", ADDRESS, 0) in node.calls

    def test_asks_for_a_block_hash_once_per_scan(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_listreceivedbyaddress"] = [row(), row(outindex=2)]

        wallet.receipts([ADDRESS, OTHER_ADDRESS])

        assert node.count("getblockhash") == 1
        assert node.count("getblockchaininfo") == 1

    @pytest.mark.parametrize(
        "fields",
        [{"change": True}, {"amount": 0, "amountZat": 0}, {"confirmations": -1}],
        ids=["change", "no value", "conflicted"],
    )
    def test_leaves_out_what_is_no_payment(
        self, node: Node, wallet: ZcashdWallet, fields: dict[str, object]
    ) -> None:
        node.answers["z_listreceivedbyaddress"] = [row(**fields), row(outindex=5)]

        assert [receipt.output_index for receipt in wallet.receipts([ADDRESS])] == [5]

    def test_takes_a_view_only_row_without_change(self, node: Node, wallet: ZcashdWallet) -> None:
        received = row(pool="transparent")
        del received["change"], received["memo"]
        node.answers["z_listreceivedbyaddress"] = [received]

        (receipt,) = wallet.receipts([ADDRESS])

        assert receipt.memo is None
        assert receipt.pool == "transparent"

    @pytest.mark.parametrize(
        ("fields", "amount_zat"),
        [
            ({"amount": 0.1, "amountZat": None}, 10_000_000),
            ({"amount": 3, "amountZat": None}, 300_000_000),
            ({"amount": 21_000_000, "amountZat": 2_100_000_000_000_000}, 2_100_000_000_000_000),
            ({"amount": None, "amountZat": 1}, 1),
            ({"amount": 1e-8, "amountZat": 1}, 1),
        ],
    )
    def test_reads_the_amount_from_either_field(
        self, node: Node, wallet: ZcashdWallet, fields: dict[str, object], amount_zat: int
    ) -> None:
        node.answers["z_listreceivedbyaddress"] = [row(**fields)]

        assert [receipt.amount_zat for receipt in wallet.receipts([ADDRESS])] == [amount_zat]

    @pytest.mark.parametrize(
        "fields",
        [
            {"amountZat": 250_000_001},
            {"amountZat": -1},
            {"amountZat": True},
            {"amountZat": "250000000"},
            {"amountZat": 2.5},
            {"amountZat": 2_100_000_000_000_001, "amount": None},
            {"amountZat": None, "amount": None},
            {"amountZat": None, "amount": "2.5"},
            {"amountZat": None, "amount": True},
            {"amountZat": None, "amount": -0.1},
            {"amountZat": None, "amount": 1e-9},
            {"amountZat": None, "amount": 21_000_000.00000001},
            {"amountZat": None, "amount": 10**30},
            {"txid": "AB" * 32},
            {"txid": None},
            {"pool": "sprout"},
            {"pool": ["sapling"]},
            {"outindex": -1},
            {"outindex": None},
            {"confirmations": "3"},
            {"confirmations": None},
            {"blockheight": None},
            {"change": "no"},
            {"memo": "xyz"},
            {"memo": "0"},
            {"memo": "00" * 513},
            {"memo": 5},
        ],
        ids=repr,
    )
    def test_refuses_a_row_that_cannot_be_trusted(
        self, node: Node, wallet: ZcashdWallet, fields: dict[str, object]
    ) -> None:
        node.answers["z_listreceivedbyaddress"] = [row(**fields)]

        with pytest.raises(NodeUnavailable, match="z_listreceivedbyaddress"):
            wallet.receipts([ADDRESS])

    @pytest.mark.parametrize("answer", [None, {}, "[]", [5], [[]]])
    def test_refuses_an_answer_that_is_no_list_of_rows(
        self, node: Node, wallet: ZcashdWallet, answer: object
    ) -> None:
        node.answers["z_listreceivedbyaddress"] = answer

        with pytest.raises(NodeUnavailable, match="z_listreceivedbyaddress"):
            wallet.receipts([ADDRESS])

    def test_refuses_confirmations_that_contradict_the_height(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_listreceivedbyaddress"] = [row(confirmations=50)]

        with pytest.raises(NodeUnavailable, match="contradicts itself"):
            wallet.receipts([ADDRESS])

    def test_reads_an_address_again_when_a_reorg_came_between(self, node: Node, wallet: ZcashdWallet) -> None:
        def list_received(address: str, minconf: int) -> object:
            if address == ADDRESS:
                return [row()]
            rows = [row()] if node.branch == "a" else [row(txid="cd" * 32)]
            node.branch = "b"
            return rows

        node.answers["z_listreceivedbyaddress"] = list_received

        before, after = wallet.receipts([ADDRESS, OTHER_ADDRESS])

        assert (before.txid, before.block_hash) == (TXID, f"a{HEIGHT - 2:063x}")
        assert (after.txid, after.block_hash) == ("cd" * 32, f"b{HEIGHT - 2:063x}")

    def test_reads_an_address_again_when_the_chain_became_shorter(
        self, node: Node, wallet: ZcashdWallet
    ) -> None:
        tries: list[int] = []

        def block_hash(height: int) -> str:
            tries.append(height)
            if len(tries) == 1:
                raise RefusalError(-8, "Block height out of range")
            return node.block_hash(height)

        node.answers["getblockhash"] = block_hash
        node.answers["z_listreceivedbyaddress"] = [row()]

        assert len(wallet.receipts([ADDRESS])) == 1

    def test_gives_up_when_the_chain_never_stands_still(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_listreceivedbyaddress"] = [row()]
        node.answers["getbestblockhash"] = "f" * 64

        with pytest.raises(NodeUnavailable, match="moved each time"):
            wallet.receipts([ADDRESS])

    def test_goes_on_behind_an_address_that_the_wallet_does_not_know(
        self, node: Node, wallet: ZcashdWallet
    ) -> None:
        def list_received(address: str, minconf: int) -> object:
            if address == OTHER_ADDRESS:
                raise RefusalError(-5, "From address does not belong to this node")
            return [row()]

        node.answers["z_listreceivedbyaddress"] = list_received

        assert [receipt.address for receipt in wallet.receipts([OTHER_ADDRESS, ADDRESS])] == [ADDRESS]

    def test_stops_at_any_other_refusal(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_listreceivedbyaddress"] = refuse(-8, "minconf")

        with pytest.raises(NodeRefused):
            wallet.receipts([ADDRESS])


class TestTransaction:
    def test_places_a_mined_transaction_on_the_best_chain(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["gettransaction"] = {
            "txid": TXID,
            "status": "mined",
            "confirmations": 3,
            "blockhash": node.block_hash(HEIGHT - 2),
        }

        placed = wallet.transaction(TXID)

        assert placed == ChainTransaction(TXID, HEIGHT - 2, node.block_hash(HEIGHT - 2), 3, False)

    @pytest.mark.parametrize(
        ("status", "confirmations", "expired", "conflicted"),
        [
            ("waiting", 0, False, False),
            ("expiringsoon", 0, False, False),
            ("expired", 0, True, False),
            ("expired", -1, True, False),
            ("waiting", -1, False, True),
            ("expiringsoon", -3, False, True),
        ],
    )
    def test_tells_unmined_transactions_from_expired_and_conflicted_ones(
        self,
        node: Node,
        wallet: ZcashdWallet,
        status: str,
        confirmations: int,
        expired: bool,
        conflicted: bool,
    ) -> None:
        node.answers["gettransaction"] = {"txid": TXID, "status": status, "confirmations": confirmations}

        assert wallet.transaction(TXID) == ChainTransaction(TXID, None, None, 0, expired, conflicted)

    def test_knows_nothing_of_a_foreign_transaction(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["gettransaction"] = refuse(-5, "Invalid or non-wallet transaction id")

        assert wallet.transaction(TXID) is None

    @pytest.mark.parametrize(
        "fields",
        [
            {"txid": "cd" * 32},
            {"txid": None},
            {"confirmations": None},
            {"confirmations": 500},
            {"confirmations": 0, "status": "lost"},
            {"confirmations": 0, "status": None},
            {"blockhash": None},
            {"blockhash": "e" * 64},
        ],
        ids=repr,
    )
    def test_refuses_a_transaction_that_cannot_be_placed(
        self, node: Node, wallet: ZcashdWallet, fields: dict[str, object]
    ) -> None:
        mined = {
            "txid": TXID,
            "status": "mined",
            "confirmations": 3,
            "blockhash": node.block_hash(HEIGHT - 2),
        }
        node.answers["gettransaction"] = mined | fields

        with pytest.raises(NodeUnavailable):
            wallet.transaction(TXID)
