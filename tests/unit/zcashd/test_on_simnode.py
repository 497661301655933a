"""The zcashd driver and the simulated node speak the same dialect, over HTTP."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from zcash.addresses import Network, encode_p2pkh, parse
from zcash.node import verify_chain
from zcash.node.port import IndexUnusable, NodeRefused, NodeUnavailable, WalletAddress
from zcash.node.rpc import RpcClient
from zcash.node.zcashd import ZcashdWallet
from zcash.simnode import SimNode

ALICES_T_ADDRESS = encode_p2pkh(b"a" * 20, network=Network.REGTEST)


@pytest.fixture
def simnode(tmp_path: Path) -> Iterator[SimNode]:
    with SimNode(datadir=tmp_path / "node", user="paygo", password="s3cret") as running:
        yield running


@pytest.fixture
def rpc(simnode: SimNode) -> Iterator[RpcClient]:
    with closing(RpcClient(simnode.url, user="paygo", password="s3cret")) as client:
        yield client


@pytest.fixture
def wallet(rpc: RpcClient) -> ZcashdWallet:
    return ZcashdWallet(rpc, network=Network.REGTEST, account=0)


def fresh_address(wallet: ZcashdWallet, *, start: int = 2**61) -> WalletAddress:
    for index in range(start, start + 64):
        try:
            return wallet.new_address(index)
        except IndexUnusable:
            continue
    raise AssertionError("64 indices in a row without an address")


def test_is_synced_on_regtest(wallet: ZcashdWallet, simnode: SimNode) -> None:
    status = wallet.status()

    assert (status.chain, status.height, status.synced) == ("regtest", simnode.height, True)
    verify_chain(status, network="regtest", genesis_hash=status.genesis_hash)


def test_follows_the_tip(wallet: ZcashdWallet, rpc: RpcClient) -> None:
    before = wallet.status()

    hashes = rpc.call("generate", 3)

    after = wallet.status()
    assert isinstance(hashes, list)
    assert (after.height, after.tip_hash) == (before.height + 3, hashes[-1])
    assert after.genesis_hash == before.genesis_hash


def test_gives_the_same_shielded_address_for_the_same_index(wallet: ZcashdWallet) -> None:
    first = fresh_address(wallet)

    again = wallet.new_address(first.diversifier_index)

    assert again == first
    assert parse(first.address, network=Network.REGTEST).is_shielded


def test_finds_about_half_of_the_indices_unusable(wallet: ZcashdWallet) -> None:
    unusable = 0
    for index in range(64):
        try:
            wallet.new_address(2**61 + index)
        except IndexUnusable:
            unusable += 1

    assert 10 < unusable < 54


def test_does_not_blame_the_index_for_an_account_that_is_not_there(rpc: RpcClient) -> None:
    with pytest.raises(NodeRefused) as caught:
        ZcashdWallet(rpc, network=Network.REGTEST, account=7).new_address(1)

    assert not isinstance(caught.value, IndexUnusable)


def test_follows_a_payment_from_mempool_to_confirmations(wallet: ZcashdWallet, rpc: RpcClient) -> None:
    address = fresh_address(wallet).address
    txid = rpc.call("sim_pay", address, "2.50000001", b"hello".hex())
    (unmined,) = wallet.receipts([address])
    hashes = rpc.call("generate", 3)

    (mined,) = wallet.receipts([address])

    assert isinstance(hashes, list)
    assert (unmined.txid, unmined.amount_zat, unmined.memo) == (txid, 250_000_001, b"hello")
    assert (unmined.confirmations, unmined.height, unmined.block_hash) == (0, None, None)
    assert (mined.confirmations, mined.height) == (3, wallet.status().height - 2)
    assert mined.block_hash == hashes[0]
    assert (mined.txid, mined.pool, mined.output_index) == (txid, "sapling", unmined.output_index)


def test_keeps_the_receipts_of_each_address_apart(wallet: ZcashdWallet, rpc: RpcClient) -> None:
    first, second = fresh_address(wallet).address, fresh_address(wallet, start=2**60).address
    rpc.call("sim_pay", first, 1)
    rpc.call("sim_pay", first, 2)
    rpc.call("sim_pay", second, 4)
    rpc.call("generate", 1)

    receipts = wallet.receipts([first, second])

    assert sorted((each.address == first, each.amount_zat) for each in receipts) == [
        (False, 400_000_000),
        (True, 100_000_000),
        (True, 200_000_000),
    ]


def test_places_a_transaction(wallet: ZcashdWallet, rpc: RpcClient) -> None:
    txid = str(rpc.call("sim_pay", fresh_address(wallet).address, 1))
    waiting = wallet.transaction(txid)
    hashes = rpc.call("generate", 2)

    mined = wallet.transaction(txid)

    assert isinstance(hashes, list)
    assert waiting is not None
    assert (waiting.height, waiting.confirmations, waiting.expired) == (None, 0, False)
    assert mined is not None
    assert (mined.block_hash, mined.confirmations) == (hashes[0], 2)
    assert mined.height == wallet.status().height - 1
    assert wallet.transaction("ab" * 32) is None


def test_reads_the_public_balance_of_anybodys_transparent_address(
    wallet: ZcashdWallet, rpc: RpcClient
) -> None:
    rpc.call("sim_fund_address", ALICES_T_ADDRESS, "0.00000007")

    assert wallet.transparent_balance(ALICES_T_ADDRESS) == 7


def test_owns_its_addresses_and_no_others(wallet: ZcashdWallet, tmp_path: Path) -> None:
    own = fresh_address(wallet).address
    with (
        SimNode(datadir=tmp_path / "other", user="u", password="p") as other,
        closing(RpcClient(other.url, user="u", password="p")) as client,
    ):
        foreign = fresh_address(ZcashdWallet(client, network=Network.REGTEST, account=0)).address

    assert wallet.owns(own)
    assert not wallet.owns(foreign)
    assert wallet.receipts([foreign]) == []


def test_is_refused_with_a_wrong_password(simnode: SimNode) -> None:
    with (
        closing(RpcClient(simnode.url, user="paygo", password="wrong")) as client,
        pytest.raises(NodeUnavailable, match="ZCASH_RPC_PASSWORD"),
    ):
        client.call("getblockcount")


def test_gets_in_with_the_new_cookie_after_a_restart(tmp_path: Path) -> None:
    datadir, cookie = tmp_path / "node", tmp_path / "node" / ".cookie"
    with SimNode(datadir=datadir) as first:
        port = int(first.url.rpartition(":")[2])
        with closing(RpcClient(first.url, cookie_file=str(cookie))) as client:
            height = client.call("getblockcount")
            first.stop()
            with pytest.raises(NodeUnavailable):
                client.call("getblockcount")
            with SimNode(datadir=datadir, port=port):
                assert client.call("getblockcount") == height


def test_reads_a_fractional_amount_exactly(wallet: ZcashdWallet, rpc: RpcClient) -> None:
    address = fresh_address(wallet).address
    rpc.call("sim_pay", address, "0.1")

    rows = rpc.call("z_listreceivedbyaddress", address, 0)

    assert isinstance(rows, list)
    assert rows[0]["amount"] == Decimal("0.1")
    assert isinstance(rows[0]["amount"], Decimal)


def test_is_told_of_an_unknown_method(rpc: RpcClient) -> None:
    with pytest.raises(NodeRefused) as caught:
        rpc.call("getwalletstatus")

    assert caught.value.rpc_code == -32601
