"""What the zcashd driver sends, and finds that was sent."""

import pytest

from tests.unit.zcashd.scripted import ADDRESS, BARE_SAPLING, HEIGHT, OTHER_ADDRESS, TXID, Node, mined, refuse
from zcash.node.port import (
    NodeRefused,
    NodeUnavailable,
    Outgoing,
    Payment,
    PrivacyPolicy,
    SentTransaction,
)
from zcash.node.zcashd import ZcashdWallet


def note(txid: str, **fields: object) -> dict[str, object]:
    unspent = {"txid": txid, "pool": "sapling", "outindex": 1, "account": 3, "confirmations": 50}
    return unspent | {"change": False} | fields


class TestSending:
    def test_names_minconf_fee_and_policy(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_sendmany"] = "opid-1"

        wallet.send([Payment(OTHER_ADDRESS, 150_000_000, b"hi")], source=ADDRESS, policy=PrivacyPolicy.FULL)

        recipient = {"address": OTHER_ADDRESS, "amount": "1.50000000", "memo": "6869"}
        assert node.calls[1:] == [("z_sendmany", ADDRESS, [recipient], 3, None, "FullPrivacy")]

    def test_does_not_pay_from_another_account_of_the_wallet(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_sendmany"] = "opid-1"

        with pytest.raises(NodeRefused, match=r"ZCASH_SERVICE_WALLET.*ZCASH_ACCOUNT"):
            wallet.send([Payment(ADDRESS, 1)], source=OTHER_ADDRESS, policy=PrivacyPolicy.FULL)

        assert node.count("z_sendmany") == 0

    def test_passes_on_that_nothing_was_sent(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["z_sendmany"] = refuse(-8, "duplicated recipient address")

        with pytest.raises(NodeRefused):
            wallet.send([Payment(OTHER_ADDRESS, 1)], source=ADDRESS, policy=PrivacyPolicy.FULL)

        assert node.count("z_sendmany") == 1


class TestOutgoing:
    """The account had note A and got note B; a transaction spent A, paid somebody and gave change."""

    NOTE_A, NOTE_B, SPENDER = "1a" * 32, "1b" * 32, "2c" * 32

    @pytest.fixture(autouse=True)
    def _history(self, node: Node) -> None:
        self.before = [note(self.NOTE_A), note("99" * 32, account=0)]
        self.now = [note(self.NOTE_B, confirmations=1), note(self.SPENDER, confirmations=2, change=True)]
        self.spends = [{"pool": "sapling", "spend": 0, "txidPrev": self.NOTE_A, "outputPrev": 1}]
        self.outputs = [
            {"pool": "sapling", "output": 0, "outgoing": True, "address": BARE_SAPLING, "valueZat": 7},
            {"pool": "sapling", "output": 1, "outgoing": False, "walletInternal": True, "valueZat": 8},
        ]
        node.answers |= {
            "z_listunspent": lambda *params: self.before if len(params) > 3 else self.now,
            "gettransaction": lambda txid: mined(node, txid=txid, confirmations=2),
            "z_viewtransaction": lambda txid: {
                "txid": txid,
                "spends": self.spends if txid == self.SPENDER else [],
                "outputs": self.outputs,
            },
            "getrawtransaction": {"vout": [{"valueZat": 5, "scriptPubKey": {"addresses": ["tmX"]}}]},
            "z_getoperationstatus": [],
        }

    def test_finds_the_transaction_that_gave_change(self, node: Node, wallet: ZcashdWallet) -> None:
        outgoing = wallet.outgoing(since_height=100)

        payments = (Payment(BARE_SAPLING, 7), Payment("tmX", 5))
        assert outgoing == Outgoing(
            (SentTransaction(self.SPENDER, HEIGHT - 1, expired=False, payments=payments),), complete=True
        )
        assert ("z_listunspent", 1, 9_999_999, False, [], 100) in node.calls
        assert ("z_listunspent", 0, 9_999_999, False) in node.calls
        assert ("getrawtransaction", self.SPENDER, 1, node.block_hash(HEIGHT - 1)) in node.calls
        assert ("z_viewtransaction", self.NOTE_B) not in node.calls

    def test_is_not_complete_while_a_note_is_missing_that_nothing_spent(self, wallet: ZcashdWallet) -> None:
        self.before.append(note("3d" * 32))

        outgoing = wallet.outgoing(since_height=100)

        assert not outgoing.complete
        assert len(outgoing.transactions) == 1

    def test_is_not_complete_in_a_wallet_that_shows_no_notes_at_all(self, wallet: ZcashdWallet) -> None:
        self.before.clear()
        with_notes = wallet.outgoing(since_height=100)

        self.now.clear()

        assert with_notes.complete
        assert wallet.outgoing(since_height=100) == Outgoing((), complete=False)
        assert wallet.outgoing(since_height=0) == Outgoing((), complete=False)

    def test_takes_what_another_account_lost_for_its_own_affair(self, wallet: ZcashdWallet) -> None:
        self.before.append(note("3d" * 32, account=4))

        assert wallet.outgoing(since_height=100).complete

    def test_looks_behind_change_that_was_spent_again(self, node: Node, wallet: ZcashdWallet) -> None:
        between = "2b" * 32
        views = {
            self.SPENDER: [{"pool": "sapling", "txidPrev": between, "outputPrev": 1}],
            between: self.spends,
        }
        node.answers["z_viewtransaction"] = lambda txid: {
            "txid": txid,
            "spends": views[txid],
            "outputs": self.outputs,
        }

        outgoing = wallet.outgoing(since_height=100)

        assert [each.txid for each in outgoing.transactions] == [between, self.SPENDER]
        assert outgoing.complete

    def test_looks_at_what_an_operation_names(self, node: Node, wallet: ZcashdWallet) -> None:
        self.now = [note(self.NOTE_B, confirmations=1)]
        node.answers["z_getoperationstatus"] = [
            {"id": "opid-1", "status": "executing"},
            {"id": "opid-2", "status": "success", "result": {"txid": self.SPENDER}},
        ]

        outgoing = wallet.outgoing(since_height=100)

        assert [each.txid for each in outgoing.transactions] == [self.SPENDER]
        assert outgoing.complete

    def test_misses_a_note_that_came_and_went_since(self, node: Node, wallet: ZcashdWallet) -> None:
        listed = node.answers["z_listunspent"]
        came = [note("3d" * 32)]
        node.answers["z_listunspent"] = lambda *params: (
            came if len(params) > 3 and HEIGHT - 6 <= params[4] < HEIGHT - 3 else listed(*params)
        )

        assert not wallet.outgoing(since_height=100).complete

    def test_looks_at_what_the_caller_knows_of(self, wallet: ZcashdWallet) -> None:
        self.now = [note(self.NOTE_B, confirmations=1)]

        blind = wallet.outgoing(since_height=100)
        told = wallet.outgoing(since_height=100, known_txids=[self.SPENDER])

        assert blind == Outgoing((), complete=False)
        assert [each.txid for each in told.transactions] == [self.SPENDER]
        assert told.complete

    @pytest.mark.parametrize("answer", ["expired", "waiting", None])
    def test_takes_a_transaction_that_is_gone_for_no_explanation(
        self, node: Node, wallet: ZcashdWallet, answer: str | None
    ) -> None:
        self.now = [note(self.NOTE_B, confirmations=1)]
        gone = {"txid": self.SPENDER, "status": answer, "confirmations": -1}
        node.answers["gettransaction"] = gone if answer else refuse(-5)

        assert wallet.outgoing(since_height=100, known_txids=[self.SPENDER]) == Outgoing((), complete=False)

    def test_does_not_look_at_more_than_it_can(
        self, wallet: ZcashdWallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("zcash.node.zcashd_outgoing._MAX_CANDIDATES", 0)

        assert not wallet.outgoing(since_height=100).complete

    def test_gives_up_when_the_chain_never_stands_still(self, node: Node, wallet: ZcashdWallet) -> None:
        node.answers["getbestblockhash"] = "f" * 64

        with pytest.raises(NodeUnavailable, match="moved each time"):
            wallet.outgoing(since_height=100)

    @pytest.mark.parametrize(
        "fields",
        [
            {"txid": None},
            {"pool": "ironwood"},
            {"outindex": -1},
            {"account": "3"},
            {"confirmations": None},
            {"change": "yes"},
        ],
        ids=repr,
    )
    def test_refuses_a_note_that_cannot_be_trusted(
        self, wallet: ZcashdWallet, fields: dict[str, object]
    ) -> None:
        self.now.append(note("3d" * 32) | fields)

        with pytest.raises(NodeUnavailable, match="z_listunspent"):
            wallet.outgoing(since_height=100)

    @pytest.mark.parametrize(
        ("method", "answer"),
        [
            ("z_viewtransaction", {"txid": TXID, "spends": [], "outputs": []}),
            ("z_viewtransaction", {"txid": SPENDER, "spends": None, "outputs": []}),
            ("z_viewtransaction", {"txid": SPENDER, "spends": [{"pool": "sapling"}], "outputs": []}),
            ("getrawtransaction", {"vout": None}),
            ("getrawtransaction", {"vout": [{"valueZat": -1, "scriptPubKey": {}}]}),
            ("getrawtransaction", {"vout": [{"valueZat": 1, "scriptPubKey": None}]}),
        ],
        ids=repr,
    )
    def test_refuses_a_transaction_that_cannot_be_trusted(
        self, node: Node, wallet: ZcashdWallet, method: str, answer: object
    ) -> None:
        node.answers[method] = answer

        with pytest.raises(NodeUnavailable, match=method):
            wallet.outgoing(since_height=100)
