"""The simulated node's memory: what the journal brings back, and what it refuses."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zcash.addresses import Network, encode_sapling, parse
from zcash.simnode.errors import DataDirError
from zcash.simnode.history import account_transactions
from zcash.simnode.node import Node
from zcash.simnode.spending import Recipient, Source, carry_out, plan
from zcash.simnode.transactions import Output

STRANGER = parse(encode_sapling(bytes(43), network=Network.REGTEST)).receivers[0]
SAPLING, ORCHARD = 2, 3


def opened(datadir: Path) -> Node:
    return Node(datadir, clock=lambda: 1_800_000_000)


def lived(datadir: Path) -> Node:
    """Return a node with an address, a mined payment and one that waits."""
    node = opened(datadir)
    address = node.new_address(0, 2**88 - 1, typecodes={ORCHARD})
    node.new_account()
    node.pay(address.receivers[0], amount_zat=5, memo=b"memo")
    node.mine(2)
    node.pay(STRANGER, amount_zat=7)
    return node


def lived_hard(datadir: Path) -> Node:
    """Return a node with branches, a payment of its own and one that is not sent, held and lost ones."""
    node = opened(datadir)
    address = node.new_address(0, 1, typecodes={ORCHARD})
    node.pay_many([Output(address.receivers[0], each) for each in (100_000, 200_000)])
    node.mine(3)
    for sent in (False, True):
        source = Source(0, (ORCHARD,), minconf=1)
        carry_out(node, plan(node, [Recipient(STRANGER, "stranger", 150_000)], source=source), sent=sent)
    node.invalidate(node.chain.blocks[2])
    node.mine(3)
    (lost, kept) = (node.pay(STRANGER, amount_zat=each) for each in (1, 2))
    node.mine(1, reference="mined")
    node.reorg(2, drop=[lost], reference="reorganised")
    node.hold(kept, held=True)
    node.replace(node.pay(STRANGER, amount_zat=3), output=Output(STRANGER, 4))
    node.reconsider(node.chain.blocks[1])
    return node


def picture(node: Node) -> dict[str, Any]:
    return {
        "blocks": list(node.chain.blocks),
        "transactions": dict(node.chain.transactions),
        "mempool": list(node.chain.mempool),
        "mined": dict(node.chain.mined_zat),
        "issued": node.chain.issued_zat,
        "held": set(node.chain.held),
        "dropped": set(node.chain.dropped),
        "references": dict(node.chain.references),
        "history": account_transactions(node, 0),
        "accounts": [dict(addresses) for addresses in node.wallet.accounts],
    }


@pytest.mark.parametrize(("life", "height"), [(lived, 2), (lived_hard, 6)])
def test_brings_everything_back(tmp_path: Path, life: Callable[[Path], Node], height: int) -> None:
    node = life(tmp_path)
    before = picture(node)
    node.close()

    again = opened(tmp_path)

    assert picture(again) == before
    assert again.chain.tip.height == height
    assert again.mine(1)[0].previous_hash == before["blocks"][-1].hash
    again.close()


def test_reads_a_journal_that_knows_no_inputs(tmp_path: Path) -> None:
    receiver = "1bba7b9cb04c24e82c501d5c4463e18bfb0566607bfc397fb267be10d70aa84f9f2e84a6eb53c3b13c5cc6"
    first = "a45cce94b99e9453cb4859ac66a91ca5e05c9986e6960f74dccc26139e5d8891"
    second = "0bcadcec9eb3da5fb79570e0c935f5b0c2052bbbb3df2fd802a16eb065ee760a"
    lines: list[dict[str, Any]] = [
        {"event": "created", "version": 1, "salt": "00" * 16, "seed": "11" * 32},
        {"event": "address", "account": 0, "index": 5, "typecodes": [3]},
        {"event": "transaction", "number": 0, "time": 1_800_000_000, "expiry": 40,
         "outputs": [[3, receiver, 5, "6d656d6f"]]},
        {"event": "block", "time": 1_800_000_000, "txids": [first]},
        {"event": "block", "time": 1_800_000_000, "txids": []},
        {"event": "transaction", "number": 1, "time": 1_800_000_000, "expiry": 42,
         "outputs": [[3, receiver, 7, ""]]},
    ]  # fmt: skip
    (tmp_path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    node = opened(tmp_path)

    assert list(node.chain.transactions) == [first, second]
    assert node.chain.tip.hash == "050c20a9cc3c87916078048562a10b70f910fcdde992e74cba76ef11ea299007"
    assert node.chain.waiting() == [second]
    node.close()


def test_goes_on_where_it_was(tmp_path: Path) -> None:
    node = lived(tmp_path)
    (waiting,) = node.chain.mempool
    node.close()

    again = opened(tmp_path)

    assert again.mine(1)[0].txids == (waiting,)
    assert again.pay(STRANGER, amount_zat=7) != waiting
    again.close()


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_torn_last_line_costs_only_itself(tmp_path: Path, cut: int) -> None:
    node = lived(tmp_path)
    before = picture(node)
    node.mine(1)
    node.close()
    journal = tmp_path / "journal.jsonl"
    os.truncate(journal, journal.stat().st_size - cut)

    again = opened(tmp_path)

    assert picture(again) == before
    again.mine(1)
    after = picture(again)
    again.close()
    third = opened(tmp_path)
    assert picture(third) == after
    third.close()


def test_a_data_directory_torn_at_its_foundation_is_founded_anew(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"event":"created","ver')

    node = opened(tmp_path)

    assert node.chain.tip.height == 0
    node.close()


def test_refuses_a_journal_damaged_in_the_middle(tmp_path: Path) -> None:
    lived(tmp_path).close()
    journal = tmp_path / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b'{"event":"acc\n', *lines[2:]]))

    with pytest.raises(DataDirError, match="line 2"):
        opened(tmp_path)


def test_refuses_a_journal_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text(json.dumps({"event": "created", "version": 99}) + "\n")

    with pytest.raises(DataDirError, match="version"):
        opened(tmp_path)


def test_refuses_a_data_directory_that_is_in_use(tmp_path: Path) -> None:
    node = opened(tmp_path)

    with pytest.raises(DataDirError, match="using"):
        opened(tmp_path)

    node.close()
    opened(tmp_path).close()


def test_refuses_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DataDirError, match="cannot open"):
        opened(tmp_path / "file")


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = lived(tmp_path)
    before = picture(node)
    real_write = os.write

    def half_a_write(descriptor: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return real_write(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", half_a_write)
        with pytest.raises(OSError, match="No space"):
            node.mine(1)

    assert picture(node) == before
    node.mine(1)
    after = picture(node)
    node.close()
    again = opened(tmp_path)
    assert picture(again) == after
    again.close()


def test_keeps_its_journal_to_itself(tmp_path: Path) -> None:
    opened(tmp_path / "chain").close()

    assert (tmp_path / "chain").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "chain" / "journal.jsonl").stat().st_mode & 0o777 == 0o600
