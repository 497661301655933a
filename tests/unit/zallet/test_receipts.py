"""What the zallet driver finds that came in."""

import pytest

from tests.unit.zallet.stack import (
    ACCOUNT,
    ADDRESS,
    HEIGHT,
    OTHER_ACCOUNT,
    OTHER_ADDRESS,
    OTHER_TXID,
    OURS_T,
    TXID,
    WITH_T,
    Stack,
    received,
    row,
    sent,
    unified,
)
from zcash.addresses import (
    ORCHARD,
    Network,
    Receiver,
)
from zcash.node.port import (
    NodeUnavailable,
    Receipt,
)
from zcash.node.rpc import AnswerTooLarge
from zcash.node.zallet import ZalletWallet


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
