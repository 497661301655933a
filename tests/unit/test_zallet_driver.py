"""The zallet driver against scripted servers, a wallet and a node: what it asks, concludes and refuses."""

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from tests.unit.zallet_stack import (
    ACCOUNT,
    ADDRESS,
    HEIGHT,
    OTHER_ACCOUNT,
    OTHER_ADDRESS,
    OTHER_TXID,
    OURS_SAPLING,
    OURS_T,
    STRANGERS,
    TESTNET_GENESIS,
    TXID,
    WITH_T,
    Stack,
    chain_info,
    driver_on,
    received,
    refuse,
    row,
    sent,
    unified,
)
from zcash.addresses import (
    ORCHARD,
    SAPLING,
    Network,
    Receiver,
    encode_p2pkh,
    encode_tex,
)
from zcash.node import verify_chain
from zcash.node.port import (
    ChainTransaction,
    IndexUnusable,
    NodeNotReady,
    NodeRefused,
    NodeStatus,
    NodeUnavailable,
    Outgoing,
    Payment,
    Receipt,
    SentTransaction,
    WalletAddress,
)
from zcash.node.rpc import AnswerTooLarge
from zcash.node.zallet import ZalletWallet


@pytest.fixture
def stack(httpserver: HTTPServer) -> Stack:
    return Stack(httpserver)


@pytest.fixture
def wallet(stack: Stack) -> Iterator[ZalletWallet]:
    with driver_on(stack) as wallet:
        yield wallet


class TestStatus:
    def test_tells_where_the_wallet_stands_on_the_nodes_chain(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.status["height"] = HEIGHT - 1

        status = wallet.status()

        assert status == NodeStatus(
            chain="regtest",
            height=HEIGHT - 1,
            tip_hash=stack.block_hash(HEIGHT - 1),
            genesis_hash="0" * 64,
            synced=True,
            reason="",
        )

    @pytest.mark.parametrize(("missing", "synced"), [(2, True), (3, False)])
    def test_is_synced_up_to_two_blocks_that_the_wallet_has_not_read(
        self, stack: Stack, wallet: ZalletWallet, missing: int, synced: bool
    ) -> None:
        stack.status["fully_synced_height"] = HEIGHT - missing

        status = wallet.status()

        expected = "" if synced else "The wallet is 3 blocks behind the node: block 117 of 120."
        assert (status.synced, status.reason) == (synced, expected)

    def test_is_not_synced_where_the_wallet_has_read_nothing(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.status["fully_synced_height"] = None

        assert wallet.status().reason == "The wallet is 120 blocks behind the node: block 0 of 120."

    def test_is_not_synced_while_the_node_is_not(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.node.answers["getblockchaininfo"] = chain_info(headers=HEIGHT + 9)

        assert wallet.status().reason == "The node is 9 blocks behind: block 120 of 129."

    def test_is_not_synced_on_a_branch_that_the_node_has_left(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.status["wallet_tip"] = {"height": HEIGHT, "blockhash": "e" * 64}

        status = wallet.status()

        assert not status.synced
        assert "not on the node's best chain" in status.reason

    def test_is_not_ready_before_the_wallet_begins(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.status["wallet_tip"] = None

        with pytest.raises(NodeNotReady):
            wallet.status()

    @pytest.mark.parametrize("code", [-10, -2, -28])
    def test_is_not_ready_while_the_wallet_says_so(
        self, stack: Stack, wallet: ZalletWallet, code: int
    ) -> None:
        stack.wallet.answers["getwalletstatus"] = refuse(code)

        with pytest.raises(NodeNotReady):
            wallet.status()

    def test_tells_that_the_wallet_locked_itself(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.status["locked"] = True

        assert wallet.status().locked

    def test_tells_the_testnet_from_a_chain_that_zebrad_calls_the_same(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.genesis_hash = TESTNET_GENESIS

        assert wallet.status().chain == "test"
        verify_chain(wallet.status(), network="test", genesis_hash=None)

    @pytest.mark.parametrize(
        ("answer", "height"),
        [
            ({"end_of_service": {"block_height": 3_500_000, "estimated_time": 1_800_000_000}}, 3_500_000),
            ({}, None),
            (refuse(-32601), None),
        ],
        ids=["main", "test", "older"],
    )
    def test_tells_where_the_node_stops_by_itself(
        self, stack: Stack, wallet: ZalletWallet, answer: object, height: int | None
    ) -> None:
        stack.node.answers["getdeprecationinfo"] = answer

        assert wallet.status().end_of_service_height == height

    @pytest.mark.parametrize(
        "fields",
        [
            {"wallet_tip": "a" * 64},
            {"wallet_tip": {"height": HEIGHT}},
            {"wallet_tip": {"height": -1, "blockhash": "a" * 64}},
            {"wallet_tip": {"height": HEIGHT, "blockhash": "A" * 64}},
            {"fully_synced_height": "120"},
            {"fully_synced_height": -1},
            {"locked": "no"},
        ],
        ids=repr,
    )
    def test_refuses_a_status_that_cannot_be_trusted(
        self, stack: Stack, wallet: ZalletWallet, fields: dict[str, object]
    ) -> None:
        stack.status |= fields

        with pytest.raises(NodeUnavailable, match=f"getwalletstatus.{next(iter(fields))}"):
            wallet.status()


class TestNewAddress:
    def test_asks_for_an_orchard_receiver_alone(self, stack: Stack, wallet: ZalletWallet) -> None:
        index = 2**87
        stack.wallet.answers["z_getaddressforaccount"] = {"diversifier_index": index, "address": ADDRESS}

        assert wallet.new_address(index) == WalletAddress(ADDRESS, index)
        assert stack.wallet.calls == [("z_getaddressforaccount", ACCOUNT, ["orchard"], index)]

    @pytest.mark.parametrize(
        "message",
        [
            "Error: diversifier index 7 cannot generate an address with the requested receivers.",
            "Error: address at diversifier index 7 was already generated with different receiver types.",
        ],
    )
    def test_asks_for_another_index_where_this_one_is_taken(
        self, stack: Stack, wallet: ZalletWallet, message: str
    ) -> None:
        stack.wallet.answers["z_getaddressforaccount"] = refuse(-4, message)

        with pytest.raises(IndexUnusable):
            wallet.new_address(7)

    @pytest.mark.parametrize(
        ("code", "message"),
        [(-4, "Error: account 7 has not been generated by z_getnewaccount."), (-18, "backup not confirmed")],
    )
    def test_does_not_blame_the_index_for_anything_else(
        self, stack: Stack, wallet: ZalletWallet, code: int, message: str
    ) -> None:
        stack.wallet.answers["z_getaddressforaccount"] = refuse(code, message)

        with pytest.raises(NodeRefused) as caught:
            wallet.new_address(7)

        assert not isinstance(caught.value, IndexUnusable)

    @pytest.mark.parametrize(
        "fields",
        [
            {"diversifier_index": 8},
            {"address": unified(Receiver(SAPLING, b"s" * 43))},
            {"address": WITH_T},
            {"address": unified(Receiver(ORCHARD, b"o" * 43), network=Network.MAIN)},
            {"address": None},
        ],
        ids=lambda fields: repr(fields)[:40],
    )
    def test_refuses_an_address_that_was_not_asked_for(
        self, stack: Stack, wallet: ZalletWallet, fields: dict[str, object]
    ) -> None:
        answer = {"diversifier_index": 7, "address": ADDRESS} | fields
        stack.wallet.answers["z_getaddressforaccount"] = answer

        with pytest.raises(NodeUnavailable):
            wallet.new_address(7)


class TestReceipts:
    def test_lists_mined_and_unmined_receipts(self, stack: Stack, wallet: ZalletWallet) -> None:
        unmined = row(received(output_index=0, memo="hi"), txid=OTHER_TXID, mined_height=None)
        stack.rows = [row(received()), unmined]

        receipts = wallet.receipts([ADDRESS], since_height=7)

        mined_hash = stack.block_hash(HEIGHT - 2)
        assert receipts == [
            Receipt(ADDRESS, TXID, "orchard", 1, 250_000_000, HEIGHT - 2, mined_hash, 3, None),
            Receipt(ADDRESS, OTHER_TXID, "orchard", 0, 250_000_000, None, None, 0, b"hi"),
        ]
        assert ("z_listtransactions", ACCOUNT, 7, None, 0, 100) in stack.wallet.calls

    def test_asks_nothing_for_no_address(self, stack: Stack, wallet: ZalletWallet) -> None:
        assert wallet.receipts([]) == []
        assert stack.wallet.calls == []

    def test_asks_for_the_hash_of_each_block_once_and_of_no_others(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        strangers = row(received(to_address=OTHER_ADDRESS), txid=OTHER_TXID, mined_height=50)
        stack.rows = [strangers, row(received(), received(output_index=2))]

        wallet.receipts([ADDRESS])

        assert [call[1] for call in stack.node.calls] == [HEIGHT - 2, HEIGHT]

    @pytest.mark.parametrize(
        "fields",
        [
            {"is_change": True},
            {"value": 0},
            {"to_account": None},
            {"to_account": OTHER_ACCOUNT},
            {"to_address": None},
            {"to_address": OTHER_ADDRESS},
        ],
        ids=repr,
    )
    def test_leaves_out_what_is_no_payment_to_the_address(
        self, stack: Stack, wallet: ZalletWallet, fields: dict[str, object]
    ) -> None:
        stack.rows = [row(received(**fields), received(output_index=5))]

        assert [receipt.output_index for receipt in wallet.receipts([ADDRESS])] == [5]

    @pytest.mark.parametrize("fields", [{"account_uuid": OTHER_ACCOUNT}, {"mined_height": None}], ids=repr)
    def test_leaves_out_rows_of_others_and_expired_ones(
        self, stack: Stack, wallet: ZalletWallet, fields: dict[str, object]
    ) -> None:
        stack.rows = [row(received(), **({"expired_unmined": True} | fields))]

        assert wallet.all_receipts(since_height=0) == []

    @pytest.mark.parametrize(
        ("others", "is_own"),
        [
            ([], False),
            ([sent(output_index=2)], True),
            ([received(is_change=True, to_address=None, output_index=2)], True),
            # Somebody else's account of the same wallet, and its change.
            ([received(is_change=True, to_account=OTHER_ACCOUNT, to_address=None, output_index=2)], False),
        ],
        ids=["alone", "beside a payment", "beside change", "beside another's change"],
    )
    def test_says_what_the_account_has_made_itself(
        self, stack: Stack, wallet: ZalletWallet, others: list[dict[str, object]], is_own: bool
    ) -> None:
        stack.rows = [row(received(), *others)]

        listed = wallet.all_receipts(since_height=0)

        assert listed is not None
        assert [each.is_own for each in listed] == [is_own]

    def test_shows_public_money_under_the_address_that_was_asked_for(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.rows = [row(received(pool="transparent", to_address=OURS_T))]

        asked, listed = wallet.receipts([WITH_T]), wallet.all_receipts(since_height=0)

        assert [(each.address, each.pool) for each in asked] == [(WITH_T, "transparent")]
        assert listed is not None
        assert [each.address for each in listed] == [OURS_T]

    def test_takes_an_address_in_capitals_for_the_same(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.rows = [row(received(pool="ironwood"))]

        (receipt,) = wallet.receipts([ADDRESS.upper()])

        assert (receipt.address, receipt.pool) == (ADDRESS.upper(), "ironwood")

    @pytest.mark.parametrize(
        ("listed", "memo"),
        [
            (None, None),
            ("", None),
            ("thanks \u20ac", "thanks \u20ac".encode()),
            # A text like any other, whatever it could be the hex of.
            ("cafe", b"cafe"),
            ("f" * 512, b"f" * 512),
            ("ab" * 511, b"\xff" + b"\xab" * 511),
            ("00" + "01" * 510, b"\xff\x00" + b"\x01" * 510),
            ("f7" * 300, b"\xf7" * 300),
            ("01" * 512, b"\x01" * 512),
        ],
        ids=lambda value: repr(value)[:16],
    )
    def test_reads_a_memo_that_may_be_text_or_hex(
        self, stack: Stack, wallet: ZalletWallet, listed: str | None, memo: bytes | None
    ) -> None:
        stack.rows = [row(received(memo=listed))]

        assert [receipt.memo for receipt in wallet.receipts([ADDRESS])] == [memo]

    @pytest.mark.parametrize(
        "fields",
        [
            {"pool": "sprout"},
            {"output_index": -1},
            {"output_index": None},
            {"output_index": 2**32},
            {"to_account": 5},
            {"to_address": 5},
            {"to_address": "u1nonsense"},
            {"to_address": unified(Receiver(ORCHARD, b"o" * 43), network=Network.MAIN)},
            {"value": None},
            {"value": -1},
            {"value": 2.5},
            {"value": True},
            {"value": 2_100_000_000_000_001},
            {"is_change": None},
            {"memo": 5},
            {"memo": "x" * 513},
            {"memo": "00" * 513},
        ],
        ids=lambda fields: repr(fields)[:40],
    )
    def test_refuses_an_output_that_cannot_be_trusted(
        self, stack: Stack, wallet: ZalletWallet, fields: dict[str, object]
    ) -> None:
        stack.rows = [row(received(**fields))]

        with pytest.raises(NodeUnavailable, match=f"z_listtransactions.*{next(iter(fields))}"):
            wallet.all_receipts(since_height=0)

    @pytest.mark.parametrize(
        "fields",
        [
            {"txid": "AB" * 32},
            {"account_uuid": None},
            {"mined_height": "7"},
            {"mined_height": -1},
            {"mined_height": None, "expired_unmined": "no"},
            {"outputs": None},
            {"outputs": [5]},
        ],
        ids=repr,
    )
    def test_refuses_a_row_that_cannot_be_trusted(
        self, stack: Stack, wallet: ZalletWallet, fields: dict[str, object]
    ) -> None:
        stack.rows = [row(received(), **fields)]

        with pytest.raises(NodeUnavailable, match="z_listtransactions"):
            wallet.receipts([ADDRESS])

    def test_reads_page_by_page(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.rows = [row(received(value=number + 1), txid=f"{number:064x}") for number in range(250)]

        receipts = wallet.receipts([ADDRESS])

        assert sorted(each.amount_zat for each in receipts) == list(range(1, 251))
        pages = [call[4:] for call in stack.wallet.calls if call[0] == "z_listtransactions"]
        assert pages == [(0, 100), (100, 100), (200, 100)]

    def test_asks_for_half_a_page_of_rows_that_are_too_much_at_once(
        self, stack: Stack, wallet: ZalletWallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The 120th to 122nd transaction have two hundred outputs each; two of them fill an answer."""
        monkeypatch.setattr("zcash.node.rpc.MAX_BODY_BYTES", 120_000)
        sizes = [200 if 120 <= number < 123 else 1 for number in range(250)]
        stack.rows = [
            row(*(received(output_index=index) for index in range(size)), txid=f"{number:064x}")
            for number, size in enumerate(sizes)
        ]

        receipts = wallet.receipts([ADDRESS])

        assert len(receipts) == sum(sizes)
        assert len({(each.txid, each.output_index) for each in receipts}) == sum(sizes)
        pages = [call[4:] for call in stack.wallet.calls if call[0] == "z_listtransactions"]
        assert pages[:6] == [(0, 100), (100, 100), (100, 50), (100, 25), (100, 12), (112, 24)]
        assert len(pages) < 30

    def test_gives_up_on_a_single_row_that_is_too_much(
        self, stack: Stack, wallet: ZalletWallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("zcash.node.rpc.MAX_BODY_BYTES", 20_000)
        stack.rows = [row(*[received()] * 200)] * 2

        with pytest.raises(AnswerTooLarge):
            wallet.receipts([ADDRESS])

        pages = [call[4:] for call in stack.wallet.calls if call[0] == "z_listtransactions"]
        assert pages == [(0, size) for size in (100, 50, 25, 12, 6, 3, 1)]

    def test_takes_a_row_on_two_pages_for_one(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.rows = [row(received(), txid=f"{number:064x}") for number in range(100)] + [row(received())]
        stack.rows[100]["txid"] = stack.rows[99]["txid"]

        assert len(wallet.receipts([ADDRESS])) == 100

    def test_does_not_read_a_list_without_end(
        self, stack: Stack, wallet: ZalletWallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("zcash.node.zallet_rows._MAX_ROWS", 300)
        stack.wallet.answers["z_listtransactions"] = [row(received())] * 100

        with pytest.raises(NodeUnavailable, match="does not end"):
            wallet.receipts([ADDRESS])

        assert stack.wallet.count("z_listtransactions") == 3

    def test_reads_again_when_a_block_came_meanwhile(self, stack: Stack, wallet: ZalletWallet) -> None:
        def rows(*params: object) -> object:
            if stack.status["height"] == HEIGHT - 1:
                stack.status["height"] = HEIGHT
                return []
            return [row(received())]

        stack.status["height"] = HEIGHT - 1
        stack.wallet.answers["z_listtransactions"] = rows

        assert [receipt.confirmations for receipt in wallet.receipts([ADDRESS])] == [3]

    def test_reads_again_when_a_reorg_came_meanwhile(self, stack: Stack, wallet: ZalletWallet) -> None:
        def rows(*params: object) -> object:
            found = [row(received())] if stack.branch == "a" else [row(received(), txid=OTHER_TXID)]
            stack.branch = "b"
            return found

        stack.wallet.answers["z_listtransactions"] = rows

        (receipt,) = wallet.receipts([ADDRESS])

        assert (receipt.txid, receipt.block_hash) == (OTHER_TXID, f"b{HEIGHT - 2:063x}")

    def test_lists_nothing_while_the_wallet_stands_on_another_branch(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        stack.status["wallet_tip"] = {"height": HEIGHT, "blockhash": "e" * 64}

        with pytest.raises(NodeUnavailable, match="moved each time"):
            wallet.receipts([ADDRESS])

    def test_refuses_a_row_above_the_wallets_own_tip(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.status["height"] = HEIGHT - 1
        stack.rows = [row(received(), mined_height=HEIGHT)]

        with pytest.raises(NodeUnavailable, match="moved each time"):
            wallet.receipts([ADDRESS])


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


class TestBalanceAndOwnership:
    @pytest.fixture(autouse=True)
    def _accounts(self, stack: Stack) -> None:
        ours = [
            {"diversifier_index": 5, "ua": WITH_T},
            {"sapling": OURS_SAPLING},
            {"transparent": encode_p2pkh(b"i" * 20, network=Network.REGTEST)},
            {"ua": "zu1of-a-later-revision"},
        ]
        stack.wallet.answers["z_listaccounts"] = [
            {"account_uuid": OTHER_ACCOUNT, "addresses": [{"ua": OTHER_ADDRESS}]},
            {"account_uuid": ACCOUNT, "addresses": ours},
        ]

    @pytest.mark.parametrize(
        "address",
        [
            WITH_T,
            WITH_T.upper(),
            OURS_T,
            OURS_SAPLING,
            unified(Receiver(ORCHARD, b"q" * 43)),
            unified(Receiver(ORCHARD, b"q" * 43), Receiver(SAPLING, b"s" * 43)),
            encode_tex(b"t" * 20, network=Network.REGTEST),
        ],
        ids=lambda address: address[:16],
    )
    def test_owns_every_receiver_of_its_account(self, wallet: ZalletWallet, address: str) -> None:
        assert wallet.owns(address)

    @pytest.mark.parametrize(
        "address",
        [
            OTHER_ADDRESS,
            STRANGERS,
            # The other receiver is somebody else's: half of what is paid there would not be seen.
            unified(Receiver(ORCHARD, b"q" * 43), Receiver(SAPLING, b"x" * 43)),
            unified(Receiver(ORCHARD, b"q" * 43), network=Network.MAIN),
            "nonsense",
        ],
        ids=lambda address: address[:16],
    )
    def test_owns_no_other(self, wallet: ZalletWallet, address: str) -> None:
        assert not wallet.owns(address)

    def test_asks_for_each_address_until_it_is_found_and_never_again(
        self, stack: Stack, wallet: ZalletWallet
    ) -> None:
        assert wallet.owns(WITH_T)
        assert not wallet.owns(OTHER_ADDRESS)
        listed = stack.wallet.answers["z_listaccounts"]
        stack.wallet.answers["z_listaccounts"] = [listed[0] | {"account_uuid": ACCOUNT}]

        assert wallet.owns(OTHER_ADDRESS)
        assert wallet.owns(WITH_T)
        assert wallet.owns(OTHER_ADDRESS)
        assert stack.wallet.calls == [("z_listaccounts", True)] * 3

    def test_owns_nothing_in_a_wallet_without_the_account(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.wallet.answers["z_listaccounts"] = []

        assert not wallet.owns(WITH_T)

    def test_reads_a_transparent_balance_from_the_node(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.node.answers["getaddressbalance"] = {"balance": 12_345, "received": 99_999}

        assert wallet.transparent_balance(OURS_T) == 12_345
        assert stack.node.calls == [("getaddressbalance", {"addresses": [OURS_T]})]

    def test_knows_no_block_above_the_tip(self, stack: Stack, wallet: ZalletWallet) -> None:
        assert wallet.block_hash(HEIGHT) == stack.block_hash(HEIGHT)
        assert wallet.block_hash(HEIGHT + 1) is None


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
