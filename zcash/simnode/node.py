"""Chain, wallet and journal as one: every change is an event, written down first and then applied."""

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from zcash.addresses import Receiver

from .chain import Block, Chain, Output, Transaction, next_time
from .errors import DataDirError
from .journal import Event, Journal
from .wallet import Wallet, WalletAddress

Clock = Callable[[], int]

_VERSION = 1


def unix_now() -> int:
    """Return the time in unix seconds."""
    return int(time.time())


class Node:
    """The state behind the RPC. Whoever reads or changes it holds `lock`."""

    def __init__(self, datadir: Path, *, clock: Clock) -> None:
        """Bring back the state of a data directory, or found a new one: salt, seed, account 0.

        Raises:
            DataDirError: the directory cannot be used.
        """
        self.lock = threading.Lock()
        self._clock = clock
        self._journal = Journal(datadir)
        try:
            self._load()
        except BaseException:
            self._journal.close()
            raise

    def _load(self) -> None:
        events = self._journal.read()
        if not events:
            events = [_founding()]
            self._journal.append(events)
        created, *rest = events
        if created.get("event") != "created" or created.get("version") != _VERSION:
            raise DataDirError("the data directory is of another version; remove it to start anew")
        self.chain = Chain(salt=bytes.fromhex(created["salt"]))
        self.wallet = Wallet(seed=bytes.fromhex(created["seed"]))
        # As an operator leaves a wallet after setting it up.
        self.wallet.add_account()
        self._appliers = {
            "account": self._apply_account,
            "address": self._apply_address,
            "transaction": self._apply_transaction,
            "block": self._apply_block,
        }
        self._apply(rest)

    def close(self) -> None:
        """Let go of the data directory."""
        self._journal.close()

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
        outputs = (Output(receiver, amount_zat, memo),)
        transaction = self.chain.new_transaction(outputs, now=self._clock())
        self._record([_transaction_event(transaction)])
        return self.chain.txid(transaction)

    def mine(self, count: int, *, only: Iterable[str] | None = None) -> list[Block]:
        """Mine blocks and return them; the first takes the mempool, or only the transactions named."""
        first = list(self.chain.waiting() if only is None else only)
        blocks: list[Block] = []
        previous, times, now = self.chain.tip, self.chain.recent_times(), self._clock()
        for txids in [first, *[[]] * (count - 1)][:count]:
            times.append(next_time(times, now=now))
            previous = self.chain.block_upon(previous, time=times[-1], txids=txids)
            blocks.append(previous)
        self._record([{"event": "block", "time": block.time, "txids": block.txids} for block in blocks])
        return blocks

    def _record(self, events: list[Event]) -> None:
        self._journal.append(events)
        self._apply(events)

    def _apply(self, events: list[Event]) -> None:
        for event in events:
            self._appliers[event["event"]](event)

    def _apply_account(self, _event: Event) -> None:
        self.wallet.add_account()

    def _apply_address(self, event: Event) -> None:
        self.wallet.add_address(event["account"], event["index"], typecodes=event["typecodes"])

    def _apply_transaction(self, event: Event) -> None:
        outputs = tuple(_output(each) for each in event["outputs"])
        self.chain.add_transaction(Transaction(event["number"], event["time"], event["expiry"], outputs))

    def _apply_block(self, event: Event) -> None:
        block = self.chain.block_upon(self.chain.tip, time=event["time"], txids=event["txids"])
        self.chain.add_block(block)


def _founding() -> Event:
    salt, seed = secrets.token_hex(16), secrets.token_hex(32)
    return {"event": "created", "version": _VERSION, "salt": salt, "seed": seed}


def _transaction_event(transaction: Transaction) -> Event:
    return {
        "event": "transaction",
        "number": transaction.number,
        "time": transaction.time,
        "expiry": transaction.expiry_height,
        "outputs": [
            [each.receiver.typecode, each.receiver.data.hex(), each.amount_zat, each.memo.hex()]
            for each in transaction.outputs
        ],
    }


def _output(fields: list[Any]) -> Output:
    typecode, data, amount_zat, memo = fields
    return Output(Receiver(typecode, bytes.fromhex(data)), amount_zat, bytes.fromhex(memo))
