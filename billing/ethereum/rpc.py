"""The node of an EVM chain, through web3: what it answers is checked before anybody believes it."""

import re
from dataclasses import dataclass
from typing import Any

import requests
from django.conf import settings

from billing.ethereum.chains import Chain
from billing.ethereum.errors import CallUnanswered, ChainUnavailable
from billing.ethereum.libraries import loading
from core.deadline import DeadlineAdapter, deadline

_QUANTITY = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,63})")
_HASH = re.compile(r"0x[0-9a-f]{64}")
_BYTES = re.compile(r"0x([0-9a-f]{2})*")
_MOST_BYTES = 1 << 20
_COUNT_END = 1 << 63
# How nodes say that the code was at fault, not they: geth, erigon, nethermind, besu, reth and anvil.
_REVERTS = (
    "revert",
    "invalid opcode",
    "undefined instruction",
    "invalid jump",
    "jump destination",
    "out of gas",
    "outofgas",
    "gas uint64 overflow",
    "stack underflow",
    "stack overflow",
    "stack limit",
    "badinstruction",
    "return data out of bounds",
    "returndata",
    "write protection",
    "static call",
    "call depth",
    "insufficient balance for transfer",
    "code size",
    "invalid code",
    "memory limit",
    "precompile",
    "evm error",
    "vm execution error",
)
# In the words of geth, erigon, nethermind, besu, reth and anvil: JSON-RPC has no codes for these.
_KNOWN = re.compile(r"already (known|imported|exists)|known ?transaction", re.IGNORECASE)
_FEE_TOO_LOW = re.compile(r"underpriced|fee.* (too low|below|less than)|feetoolow", re.IGNORECASE)


class CallReverted(Exception):
    """The contract refused the call; the text is what the node says of it."""


class SendRefused(Exception):
    """The node took the transaction not; the text says why."""


def is_for_its_fee(refusal: str) -> bool:
    """Whether a node refuses a transaction because it offers too little for its gas."""
    return bool(_FEE_TOO_LOW.search(refusal))


@dataclass(frozen=True)
class Log:
    """One event of a contract in a receipt."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class ChainReceipt:
    """What became of a mined transaction."""

    tx_hash: str
    block_number: int
    block_hash: str
    succeeded: bool
    gas_used: int
    logs: tuple[Log, ...]


@dataclass(frozen=True)
class ChainTransaction:
    """A transaction in a block: whom it calls (None: it makes a contract), and with what."""

    tx_hash: str
    to: str | None
    data: bytes


@dataclass(frozen=True)
class Block:
    """A block's place and what it asks for gas."""

    number: int
    block_hash: str
    base_fee_wei: int
    timestamp: int


class Rpc:
    """Calls to the node of one chain; each raises ChainUnavailable where it is away or answers nonsense."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._provider: Any = None

    def chain_id(self) -> int:
        return _quantity(self._ask("eth_chainId", []))

    def latest_block(self) -> Block:
        return _block(self._ask("eth_getBlockByNumber", ["latest", False]))

    def block_hash(self, number: int) -> str | None:
        """Return the hash of the block at a height of the best chain, None above its tip."""
        found = self._ask("eth_getBlockByNumber", [hex(number), False])
        return None if found is None else _block(found).block_hash

    def has_code(self, address: str) -> bool:
        return bool(_bytes(self._ask("eth_getCode", [address, "latest"])))

    def nonce(self, address: str) -> int:
        """Return how many transactions of a key are mined."""
        return _count(self._ask("eth_getTransactionCount", [address, "latest"]))

    def nonce_at(self, address: str, *, block: int) -> int:
        """Return how many transactions of a key are mined up to a block."""
        return _count(self._ask("eth_getTransactionCount", [address, hex(block)]))

    def transaction_of(self, sender: str, nonce: int, *, block: int) -> ChainTransaction | None:
        """Return a key's transaction of one nonce, where it is in this block of the best chain."""
        found = self._ask("eth_getBlockByNumber", [hex(block), True])
        transactions = _dict(found).get("transactions")
        if not isinstance(transactions, list):
            raise _nonsense("a list of transactions", transactions)
        for each in map(_dict, transactions):
            if str(each.get("from")).lower() == sender.lower() and _quantity(each.get("nonce")) == nonce:
                return _transaction(each)
        return None

    def priority_fee_wei(self) -> int:
        return _quantity(self._ask("eth_maxPriorityFeePerGas", []))

    def call(
        self,
        to: str,
        data: bytes,
        *,
        sender: str | None = None,
        gas: int | None = None,
        block: int | None = None,
    ) -> bytes:
        """Return what a contract answers; `gas` is all that it may use, beside what any call costs.

        Raises:
            CallReverted: it refuses, or needs more.
            CallUnanswered: the node says something else of it.
        """
        request = {"to": to, "data": "0x" + data.hex(), **({"from": sender} if sender else {})}
        if gas is not None:
            request["gas"] = hex(gas + _intrinsic_gas(data))
        return _bytes(
            self._ask("eth_call", [request, "latest" if block is None else hex(block)], reverts=True)
        )

    def receipt(self, tx_hash: str) -> ChainReceipt | None:
        """Return what became of a transaction, None while it is in no block."""
        found = self._ask("eth_getTransactionReceipt", [tx_hash])
        return None if found is None else _receipt(found, tx_hash=tx_hash)

    def broadcast(self, raw: bytes) -> None:
        """Hand a signed transaction to the node; to do it twice does no harm.

        Raises:
            SendRefused: the node does not want it; one that has it already has taken it.
        """
        answer = self._request("eth_sendRawTransaction", ["0x" + raw.hex()])
        if error := answer.get("error"):
            if _KNOWN.search(_message(error)):
                return
            raise SendRefused(_message(error))
        _hash(answer.get("result"))

    def _ask(self, method: str, params: list[Any], *, reverts: bool = False) -> Any:
        answer = self._request(method, params)
        if error := answer.get("error"):
            # 3: EIP-1474's "execution reverted"; geth says -32000 of a failed estimate.
            if reverts and isinstance(error, dict) and _is_revert(error):
                raise CallReverted(_message(error))
            away = self._away(f"{method}: {_message(error)}")
            raise CallUnanswered(away.detail) if reverts else away
        if "result" not in answer:
            raise self._away(f"{method}: neither a result nor an error")
        return answer["result"]

    def _request(self, method: str, params: list[Any]) -> dict[str, Any]:
        try:
            provider = self._connected()
            with deadline(settings.ETHEREUM_RPC_TIMEOUT_SECONDS):
                answer = provider.make_request(method, params)
        except Exception as error:  # web3 lets through whatever requests, json and its own checks raise
            raise self._away(f"{method}: {type(error).__name__}") from error
        if not isinstance(answer, dict):
            raise self._away(f"{method}: not a JSON-RPC answer")
        return answer

    def _connected(self) -> Any:
        if self._provider is None:
            with loading():
                from web3 import HTTPProvider

            session = requests.Session()
            for scheme in ("http://", "https://"):
                # The time-out alone would let a node go on for ever that sends a byte now and then.
                session.mount(scheme, DeadlineAdapter())
            timeout = settings.ETHEREUM_RPC_TIMEOUT_SECONDS
            self._provider = HTTPProvider(
                self._chain.rpc_url,
                request_kwargs={"timeout": timeout, "allow_redirects": False},
                session=session,
                exception_retry_configuration=None,
            )
        return self._provider

    def _away(self, what: str) -> ChainUnavailable:
        return ChainUnavailable(f"the node of {self._chain.name} does not answer as it should ({what[:200]})")


def connect(chain: Chain) -> Rpc:
    """Return the node of a chain; nothing is asked yet."""
    return Rpc(chain)


def _intrinsic_gas(data: bytes) -> int:
    """Return what a transaction pays before any of its code runs (EIP-2028)."""
    zeros = data.count(0)
    return 21_000 + 4 * zeros + 16 * (len(data) - zeros)


def _is_revert(error: dict[str, Any]) -> bool:
    message = _message(error).lower()
    return error.get("code") == 3 or any(each in message for each in _REVERTS)


def _message(error: Any) -> str:
    """Return what a node says, or a contract by it, in characters that databases and terminals take."""
    said = str(error.get("message", error) if isinstance(error, dict) else error)[:200]
    return "".join(each if each.isprintable() else " " for each in said)


def _nonsense(what: str, value: object) -> ChainUnavailable:
    return ChainUnavailable(f"the node answers {str(value)[:80]!r} where {what} belongs")


def _quantity(value: Any) -> int:
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise _nonsense("a number", value)
    return int(value, 16)


def _count(value: Any) -> int:
    """Return a number of blocks, transactions or gas: those have 63 bits."""
    number = _quantity(value)
    if number >= _COUNT_END:
        raise _nonsense("a count", value)
    return number


def _hash(value: Any) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise _nonsense("a hash", value)
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str) or len(value) > 2 * _MOST_BYTES or not _BYTES.fullmatch(value.lower()):
        raise _nonsense("bytes", value)
    return bytes.fromhex(value[2:])


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _nonsense("an object", value)
    return value


def _block(value: Any) -> Block:
    found = _dict(value)
    return Block(
        number=_count(found.get("number")),
        block_hash=_hash(found.get("hash")),
        # Chains without EIP-1559 have none.
        base_fee_wei=_quantity(found.get("baseFeePerGas", "0x0")),
        timestamp=_count(found.get("timestamp")),
    )


def _transaction(found: dict[str, Any]) -> ChainTransaction:
    to = found.get("to")
    return ChainTransaction(
        tx_hash=_hash(found.get("hash")),
        to=None if to is None else "0x" + _bytes(to).hex(),
        data=_bytes(found.get("input")),
    )


def _receipt(value: Any, *, tx_hash: str) -> ChainReceipt:
    found = _dict(value)
    if _hash(found.get("transactionHash")) != tx_hash:
        raise _nonsense(f"the receipt of {tx_hash}", found.get("transactionHash"))
    logs = found.get("logs")
    if not isinstance(logs, list):
        raise _nonsense("a list of logs", logs)
    return ChainReceipt(
        tx_hash=tx_hash,
        block_number=_count(found.get("blockNumber")),
        block_hash=_hash(found.get("blockHash")),
        succeeded=_quantity(found.get("status")) == 1,
        gas_used=_count(found.get("gasUsed")),
        logs=tuple(_log(each) for each in logs),
    )


def _log(value: Any) -> Log:
    found = _dict(value)
    topics = found.get("topics")
    if not isinstance(topics, list):
        raise _nonsense("topics", topics)
    return Log(
        address="0x" + _bytes(found.get("address")).hex(),
        topics=tuple(bytes.fromhex(_hash(each)[2:]) for each in topics),
        data=_bytes(found.get("data")),
    )
