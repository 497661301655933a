"""Where the zallet driver finds a transaction, and what it finds that was sent."""

import pytest

from tests.unit.zallet.stack import (
    ACCOUNT,
    HEIGHT,
    OTHER_ACCOUNT,
    OTHER_TXID,
    STRANGERS,
    TXID,
    Stack,
    chain_info,
    received,
    refuse,
    row,
    sent,
)
from zcash.node.port import (
    ChainTransaction,
    NodeUnavailable,
    Outgoing,
    Payment,
    SentTransaction,
)
from zcash.node.zallet import ZalletWallet


class TestTransaction:
    @pytest.fixture
    def viewed(self, stack: Stack) -> dict[str, object]:
        answer: dict[str, object] = {"txid": TXID, "status": "mined", "confirmations": -1}
        stack.wallet.answers["z_viewtransaction"] = answer
        return answer

    @pytest.mark.parametrize("status", ["mined", "waiting", "expired"])
    def test_takes_the_nodes_word_for_where_it_is_mined(
        self, stack: Stack, wallet: ZalletWallet, viewed: dict[str, object], status: str
    ) -> None:
        viewed["status"] = status
        stack.node.answers["getrawtransaction"] = stack.mined(HEIGHT - 2)

        block_hash = stack.block_hash(HEIGHT - 2)
        assert wallet.transaction(TXID) == ChainTransaction(TXID, HEIGHT - 2, block_hash, 3, expired=False)

    @pytest.mark.parametrize(
        "raw",
        [{"txid": TXID}, {"txid": TXID, "height": -1, "confirmations": 0}, refuse(-5)],
        ids=["mempool", "side chain", "unknown"],
    )
    @pytest.mark.parametrize(
        ("status", "expired"), [("waiting", False), ("expiringsoon", False), ("expired", True)]
    )
    def test_tells_an_unmined_transaction_from_an_expired_one(
        self,
        stack: Stack,
        wallet: ZalletWallet,
        viewed: dict[str, object],
        raw: object,
        status: str,
        expired: bool,
    ) -> None:
        viewed["status"] = status
        stack.node.answers["getrawtransaction"] = raw

        assert wallet.transaction(TXID) == ChainTransaction(TXID, None, None, 0, expired)

    def test_says_nothing_while_the_wallet_has_not_noticed_a_reorg(
        self, stack: Stack, wallet: ZalletWallet, viewed: dict[str, object]
    ) -> None:
        stack.node.answers["getrawtransaction"] = refuse(-5)

        with pytest.raises(NodeUnavailable, match="moved each time"):
            wallet.transaction(TXID)

    def test_does_not_count_confirmations_from_a_tip_below_the_block(
        self, stack: Stack, wallet: ZalletWallet, viewed: dict[str, object]
    ) -> None:
        stack.node.answers["getblockchaininfo"] = chain_info(blocks=HEIGHT - 1)
        stack.node.answers["getrawtransaction"] = stack.mined(HEIGHT)

        with pytest.raises(NodeUnavailable, match="moved each time"):
            wallet.transaction(TXID)

    def test_knows_nothing_of_a_foreign_transaction(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.wallet.answers["z_viewtransaction"] = refuse(-5, "Invalid or non-wallet transaction id")

        assert wallet.transaction(TXID) is None
        assert stack.node.calls == []

    @pytest.mark.parametrize("fields", [{"txid": OTHER_TXID}, {"status": "lost"}, {"status": None}], ids=repr)
    def test_refuses_a_view_that_cannot_be_trusted(
        self, wallet: ZalletWallet, viewed: dict[str, object], fields: dict[str, object]
    ) -> None:
        viewed |= fields

        with pytest.raises(NodeUnavailable, match="z_viewtransaction"):
            wallet.transaction(TXID)

    @pytest.mark.parametrize(
        "fields",
        [
            {"txid": OTHER_TXID},
            {"height": HEIGHT + 1},
            {"height": -2},
            {"height": "5"},
            {"blockhash": None},
            {"blockhash": "e" * 64},
        ],
        ids=repr,
    )
    def test_refuses_a_place_that_cannot_be_trusted(
        self, stack: Stack, wallet: ZalletWallet, viewed: dict[str, object], fields: dict[str, object]
    ) -> None:
        stack.node.answers["getrawtransaction"] = stack.mined(HEIGHT - 2) | fields

        with pytest.raises(NodeUnavailable):
            wallet.transaction(TXID)


class TestOutgoing:
    def test_lists_what_went_to_others(self, stack: Stack, wallet: ZalletWallet) -> None:
        change = received(from_account=ACCOUNT, is_change=True, to_address=None, output_index=2)
        stack.rows = [
            row(received()),
            row(sent(memo="refund"), change, mined_height=HEIGHT - 1, txid=OTHER_TXID),
            row(sent(to_account=OTHER_ACCOUNT), txid="1" * 64, mined_height=None, expired_unmined=True),
            row(change, txid="2" * 64),
        ]

        outgoing = wallet.outgoing(since_height=50)

        paid, moved = Payment(STRANGERS, 250_000_000, b"refund"), Payment(STRANGERS, 250_000_000)
        assert outgoing == Outgoing(
            (
                SentTransaction(OTHER_TXID, HEIGHT - 1, False, (paid,)),
                SentTransaction("1" * 64, None, True, (moved,)),
            ),
            complete=True,
        )
        assert ("z_listtransactions", ACCOUNT, 51, None, 0, 100) in stack.wallet.calls

    @pytest.mark.parametrize(
        "fields", [{"locked": True}, {"fully_synced_height": HEIGHT - 1}, {"fully_synced_height": None}]
    )
    def test_is_not_complete_while_the_wallet_has_something_to_read(
        self, stack: Stack, wallet: ZalletWallet, fields: dict[str, object]
    ) -> None:
        stack.status |= fields

        assert wallet.outgoing(since_height=50) == Outgoing((), complete=False)

    @pytest.mark.parametrize(
        ("answer", "complete"), [({"txid": TXID, "status": "mined"}, True), (refuse(-5), False)]
    )
    def test_is_not_complete_in_a_wallet_that_has_lost_what_it_paid(
        self, stack: Stack, wallet: ZalletWallet, answer: object, complete: bool
    ) -> None:
        stack.wallet.answers["z_viewtransaction"] = answer

        assert wallet.outgoing(since_height=50, known_txids=[TXID]).complete is complete

    def test_shows_that_money_left_to_an_address_that_has_no_text(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.rows = [row(sent(to_address=None))]

        (transaction,) = wallet.outgoing(since_height=50).transactions

        assert transaction.payments == (Payment("", 250_000_000),)
