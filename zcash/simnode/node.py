"""Chain, wallet and journal as one: every change is an event, written down first and then applied."""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from zcash.addresses import Receiver

from . import events
from .blocks import Block, next_time
from .chain import Chain
from .condition import Condition
from .errors import DataDirError
from .journal import Event, Journal
from .operations import Operations
from .transactions import Output, Transaction
from .wallet import Wallet, WalletAddress

Clock = Callable[[], int]

_VERSION = 1


def unix_now() -> int:
    """Return the time in unix seconds."""
    return int(time.time())


class Node:
    """The state behind the RPC. Whoever reads or changes it holds `lock`.

    `operations` and `condition` live in memory alone. `on_restart` is called when the wallet restarts.
    """

    def __init__(self, datadir: Path, *, clock: Clock) -> None:
        """Bring back the state of a data directory, or found a new one: salt, seed, account 0.

        Raises:
            DataDirError: the directory cannot be used.
        """
        self.lock = threading.Lock()
        self.operations = Operations()
        self.condition = Condition()
        self.on_restart: Callable[[], None] = _nothing
        self._clock = clock
        self._journal = Journal(datadir)
        try:
            self._load()
        except BaseException:
            self._journal.close()
            raise

    def _load(self) -> None:
        found = self._journal.read()
        if not found:
            found = [_founding()]
            self._journal.append(found)
        created, *rest = found
        if created.get("event") != "created" or created.get("version") != _VERSION:
            raise DataDirError("the data directory is of another version; remove it to start anew")
        self.chain = Chain(salt=bytes.fromhex(created["salt"]))
        self.wallet = Wallet(seed=bytes.fromhex(created["seed"]))
        # As an operator leaves a wallet after setting it up.
        self.wallet.add_account()
        self._apply(rest)

    def close(self) -> None:
        """Let go of the data directory."""
        self._journal.close()

    def now(self) -> int:
        """Return the time in unix seconds."""
        return self._clock()

    def restart(self) -> None:
        """Restart the wallet: its operations are forgotten, chain and notes stay."""
        self.operations.forget()
        self.on_restart()

    def new_account(self) -> int:
        """Add an account to the wallet and return its number."""
        self._record([{"event": "account"}])
        return len(self.wallet.accounts) - 1

    def new_address(self, account: int, index: int, *, typecodes: Iterable[int]) -> WalletAddress:
        """Hand out the address at an unused, valid index."""
        typecodes = sorted(typecodes)
        self._record([{"event": "address", "account": account, "index": index, "typecodes": typecodes}])
        return self.wallet.accounts[account][index]

    def pay(self, receiver: Receiver, *, amount_zat: int, memo: bytes = b"") -> str:
        """Put a payment by somebody else into the mempool and return its txid."""
        return self.pay_many([Output(receiver, amount_zat, memo)])

    def pay_many(self, outputs: Sequence[Output], *, reference: str | None = None) -> str:
        """Put one transaction by somebody else with all these outputs into the mempool; return its txid.

        It is found again by its reference, if it has one: the caller has looked that there is none yet.
        """
        transaction = self.chain.new_transaction(tuple(outputs), now=self._clock())
        self._record([events.transaction(transaction, reference=reference)])
        return self.chain.txid(transaction)

    def add(self, transactions: Sequence[Transaction], *, sent: bool = True) -> list[str]:
        """Take transactions of the wallet, parents first, and return their txids; unsent ones only wait.

        Their inputs must be unspent: the caller holds the lock since it chose them, or looks again.
        """
        self._record([events.transaction(each, sent=sent) for each in transactions])
        return [self.chain.txid(each) for each in transactions]

    def hold(self, txid: str, *, held: bool) -> None:
        """Make the miners leave a transaction out, or take it again."""
        self._record([{"event": "hold", "txid": txid, "held": held}])

    def replace(self, txid: str, *, output: Output | None) -> str | None:
        """Let the money of an unmined transaction be spent elsewhere; return the txid of what pays `output`.

        Without an output nobody here sees where the money went.
        """
        drop: Event = {"event": "drop", "txid": txid}
        if output is None:
            self._record([drop])
            return None
        inputs = self.chain.transactions[txid].inputs
        transaction = self.chain.new_transaction((output,), now=self._clock(), inputs=inputs)
        self._record([drop, events.transaction(transaction)])
        return self.chain.txid(transaction)

    def mine(
        self, count: int, *, only: Iterable[str] | None = None, reference: str | None = None
    ) -> list[Block]:
        """Mine blocks and return them; the first takes the mempool, or only the transactions named.

        The last is found again by the reference, if there is one: see `pay_many`.
        """
        first = list(self.chain.waiting() if only is None else only)
        blocks = self._new_blocks(count, height=self.chain.tip.height, first=first)
        mined = [events.block(block) for block in blocks]
        if mined:
            mined[-1]["reference"] = reference
        self._record(mined)
        return blocks

    def reorg(self, depth: int, *, drop: Iterable[str] = (), reference: str | None = None) -> Block:
        """Replace the last `depth` blocks by one more, all empty, and return the new tip.

        The transactions of the replaced blocks go back to the mempool, but those of `drop` never return.
        The tip is found again by the reference, if there is one: see `pay_many`.
        """
        blocks = self._new_blocks(depth + 1, height=self.chain.tip.height - depth, first=[])
        self._record([events.reorg(blocks, drop=drop, reference=reference)])
        return self.chain.tip

    def invalidate(self, block: Block) -> None:
        """Leave a block and all upon it; their transactions go back to the mempool."""
        self._record([{"event": "invalidate", "hash": block.hash}])

    def reconsider(self, block: Block) -> None:
        """Forget that a block, or any below or upon it, was invalidated."""
        self._record([{"event": "reconsider", "hash": block.hash}])

    def _new_blocks(self, count: int, *, height: int, first: list[str]) -> list[Block]:
        blocks: list[Block] = []
        times, now = self.chain.recent_times(height=height), self._clock()
        previous = self.chain.blocks[height]
        for txids in [first, *[[]] * (count - 1)][:count]:
            times.append(next_time(times, now=now))
            previous = self.chain.new_block(previous, time=times[-1], txids=txids)
            blocks.append(previous)
        return blocks

    def _record(self, new: list[Event]) -> None:
        self._journal.append(new)
        self._apply(new)

    def _apply(self, these: list[Event]) -> None:
        for event in these:
            events.apply(event, chain=self.chain, wallet=self.wallet)


def _nothing() -> None:
    pass


def _founding() -> Event:
    salt, seed = secrets.token_hex(16), secrets.token_hex(32)
    return {"event": "created", "version": _VERSION, "salt": salt, "seed": seed}
