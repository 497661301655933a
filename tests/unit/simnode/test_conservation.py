"""No zatoshi appears or vanishes in the simulated node, whatever happens in whatever order."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.simnode.client import NOW, STRANGER, T_ADDRESS, Client
from zcash.simnode.node import Node

AMOUNTS = st.integers(1, 300_000)
ANY = st.integers(0, 10**6)


class Conservation(RuleBasedStateMachine):
    """A book kept beside the node: what each transaction brings to account 0 or takes from it."""

    @initialize()
    def open(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.rpc = Client(Node(self.directory, clock=lambda: NOW))
        self.address = self.rpc.new_address()
        self.book: dict[str, int] = {}

    def teardown(self) -> None:
        self.rpc.node.close()
        shutil.rmtree(self.directory)

    @rule(amounts=st.lists(AMOUNTS, min_size=1, max_size=3))
    def receive(self, amounts: list[int]) -> None:
        rows = [{"address": self.address, "amount": _zec(each)} for each in amounts]
        txid = self.rpc("sim_pay_many", [*rows, {"address": STRANGER, "amount": 1}])
        self.book[txid] = sum(amounts)

    @rule(amount=AMOUNTS, to=st.sampled_from([STRANGER, T_ADDRESS]))
    def send(self, amount: int, to: str) -> None:
        rows = [{"address": to, "amount": _zec(amount)}]
        opid = self.rpc("z_sendmany", self.address, rows, 1, None, "AllowRevealedRecipients")
        (operation,) = self.rpc("z_getoperationresult", [opid])
        if operation["status"] == "success":
            txid = operation["result"]["txid"]
            spends = len(self.rpc("z_viewtransaction", txid)["spends"])
            fee_zat = 5000 * (max(2, spends) + (to == T_ADDRESS))
            self.book[txid] = -amount - fee_zat
        else:
            assert operation["error"]["code"] == -6

    @rule(count=st.sampled_from([1, 2, 15]))
    def mine(self, count: int) -> None:
        self.rpc("generate", count)

    @precondition(lambda self: self.rpc("getblockcount") > 0)
    @rule(depth=ANY, drop=st.booleans(), which=ANY)
    def reorg(self, depth: int, drop: bool, which: int) -> None:
        waiting = self.rpc("getrawmempool")
        lost = [waiting[which % len(waiting)]] if drop and waiting else []
        self.rpc("sim_reorg", 1 + depth % min(self.rpc("getblockcount"), 30), lost)

    @precondition(lambda self: self.rpc("getblockcount") > 0)
    @rule(height=ANY)
    def leave_a_block_and_come_back(self, height: int) -> None:
        block = self.rpc("getblockhash", 1 + height % self.rpc("getblockcount"))
        self.rpc("invalidateblock", block)
        self.balances_as_the_book_says()
        self.rpc("reconsiderblock", block)

    @precondition(lambda self: self.rpc("getrawmempool"))
    @rule(which=ANY, amount=AMOUNTS, held=st.booleans())
    def meddle(self, which: int, amount: int, held: bool) -> None:
        waiting = self.rpc("getrawmempool")
        txid = waiting[which % len(waiting)]
        if held or self.book[txid] < 0:
            self.rpc("sim_hold", txid)
        else:
            self.book[self.rpc("sim_replace", txid, self.address, _zec(amount))] = amount

    @rule()
    def crash(self) -> None:
        before = _picture(self.rpc.node)
        self.rpc.node.close()
        self.rpc = Client(Node(self.directory, clock=lambda: NOW))
        assert _picture(self.rpc.node) == before

    @invariant()
    def balances_as_the_book_says(self) -> None:
        standing = {txid: self.rpc.standing(txid)[1] for txid in self.book}
        alive = [txid for txid, confirmations in standing.items() if confirmations >= 0]
        assert self.rpc.balance_zat(0) == sum(self.book[txid] for txid in alive)

    @invariant()
    def pools_hold_what_is_mined_and_unspent(self) -> None:
        chain = self.rpc.node.chain
        mined = [chain.transactions[txid] for block in chain.blocks for txid in block.txids]
        assert len(mined) == len({chain.txid(each) for each in mined})
        spent = [point for each in mined for point in each.inputs]
        assert len(spent) == len(set(spent))
        total_zat = sum(each.paid_zat for each in mined)
        total_zat -= sum(chain.output(point).amount_zat for point in spent if not point.is_outside)
        assert sum(chain.mined_zat.values()) == total_zat
        assert all(zat >= 0 for zat in chain.mined_zat.values())


def _zec(zat: int) -> str:
    return f"{zat // 10**8}.{zat % 10**8:08d}"


def _picture(node: Node) -> list[Any]:
    chain = node.chain
    return [chain.blocks, chain.mempool, chain.held, chain.dropped, chain.mined_zat, chain.issued_zat]


TestConservation = Conservation.TestCase
TestConservation.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
