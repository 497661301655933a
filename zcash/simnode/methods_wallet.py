"""Methods about what the wallet received."""

from collections.abc import Iterable
from contextlib import suppress
from itertools import chain as concatenated

from zcash.addresses import AddressError, Receiver, encode_p2pkh, parse

from .amounts import Zec
from .errors import Code, RpcError
from .jsontext import Json
from .methods import Registry
from .node import Node
from .params import Params
from .receipts import Receipt, confirmations_of, receipts
from .wallet import NETWORK, WalletAddress

methods = Registry()

_MEMO_BYTES = 512
# ZIP-302: how a memo that is none begins, and the last first byte of a text.
_NO_MEMO = b"\xf6"
_LAST_TEXT_BYTE = 0xF4
_MAX_CONF = 9_999_999
_TXID_LENGTH = 64


@methods.method(
    "z_listreceivedbyaddress address ( minconf asOfHeight )",
    "Returns what an address of the wallet received, spent or not.",
    fewest=1,
    most=3,
)
def z_listreceivedbyaddress(node: Node, params: Params) -> Json:
    """Answer with one row for each output."""
    address = _own_address(node, params.text(0))
    minconf, as_of_height = _minconf(params, at=1), _as_of_height(params, at=2, minconf_at=1)
    found = receipts(node.chain, address.receivers, minconf=minconf, as_of_height=as_of_height)
    return [_received_row(receipt) for receipt in found]


def _own_address(node: Node, text: str) -> WalletAddress:
    try:
        parsed = parse(text, network=NETWORK)
    except AddressError as error:
        raise RpcError(Code.ADDRESS, "Invalid zaddr.") from error
    if address := node.wallet.address(parsed.canonical):
        return address
    if any(node.wallet.owner(receiver) for receiver in parsed.receivers):
        raise RpcError(
            Code.PARAMETER,
            "The provided address is a bare receiver from a Unified Address in this wallet."
            " Provide the full UA instead.",
        )
    raise RpcError(
        Code.ADDRESS,
        "From address does not belong to this node, zaddr spending key or viewing key not found.",
    )


def _minconf(params: Params, *, at: int) -> int:
    minconf = params.integer(at, default=1)
    if minconf < 0:
        raise RpcError(Code.PARAMETER, "Minimum number of confirmations cannot be less than 0")
    return minconf


def _as_of_height(params: Params, *, at: int, minconf_at: int) -> int | None:
    height = params.integer(at, default=-1)
    if height == -1:
        return None
    if height < 0:
        raise RpcError(Code.PARAMETER, "Can not perform the query as of a negative block height")
    if height == 0:
        raise RpcError(Code.PARAMETER, "Can not perform the query as of the genesis block")
    if params.integer(minconf_at, default=1) == 0:
        raise RpcError(Code.PARAMETER, "Require a minimum of 1 confirmation when `asOfHeight` is provided")
    return height


def _received_row(receipt: Receipt) -> Json:
    place, output = receipt.place, receipt.output
    row: dict[str, Json] = {
        "pool": output.pool,
        "txid": receipt.txid,
        "amount": Zec(output.amount_zat),
        "amountZat": output.amount_zat,
    }
    if output.pool != "transparent":
        row |= _memo_fields(output.memo)
    return row | {
        "outindex": receipt.output_index,
        "confirmations": receipt.confirmations,
        "blockheight": place.block.height if place else 0,
        "blockindex": place.index if place else -1,
        "blocktime": place.block.time if place else receipt.transaction.time,
        "change": False,
    }


def _memo_fields(memo: bytes) -> dict[str, Json]:
    fields: dict[str, Json] = {"memo": (memo or _NO_MEMO).ljust(_MEMO_BYTES, b"\0").hex()}
    if memo and memo[0] <= _LAST_TEXT_BYTE:
        with suppress(UnicodeDecodeError):
            fields["memoStr"] = memo.rstrip(b"\0").decode()
    return fields


@methods.method(
    "z_listunspent ( minconf maxconf includeWatchonly [address, ...] asOfHeight )",
    "Returns the wallet's unspent shielded notes.",
    most=5,
)
def z_listunspent(node: Node, params: Params) -> Json:
    """Answer with one row for each note."""
    minconf, as_of_height = _minconf(params, at=0), _as_of_height(params, at=4, minconf_at=0)
    maxconf = params.integer(1, default=_MAX_CONF)
    if maxconf < minconf:
        raise RpcError(
            Code.PARAMETER, "Maximum number of confirmations must be greater or equal to the minimum"
        )
    params.boolean(2, default=False)
    receivers = _receivers(_filtered_addresses(node, params.texts(3)))
    found = receipts(node.chain, receivers, minconf=minconf, as_of_height=as_of_height)
    return [_unspent_row(node, each) for each in found if _is_note(each) and each.confirmations <= maxconf]


def _filtered_addresses(node: Node, texts: list[str]) -> list[WalletAddress]:
    if len(set(texts)) < len(texts):
        raise RpcError(Code.PARAMETER, "Invalid parameter, duplicated address")
    if texts:
        return [_own_address(node, text) for text in texts]
    return [address for addresses in node.wallet.accounts for address in addresses.values()]


def _receivers(addresses: Iterable[WalletAddress]) -> Iterable[Receiver]:
    return concatenated.from_iterable(address.receivers for address in addresses)


def _is_note(receipt: Receipt) -> bool:
    return receipt.output.pool != "transparent"


def _unspent_row(node: Node, receipt: Receipt) -> Json:
    row: dict[str, Json] = {
        "txid": receipt.txid,
        "pool": receipt.output.pool,
        "outindex": receipt.output_index,
        "confirmations": receipt.confirmations,
        "spendable": True,
    }
    if owner := node.wallet.owner(receipt.output.receiver):
        row |= {"account": owner.account, "address": owner.text}
    return row | {
        "amount": Zec(receipt.output.amount_zat),
        **_memo_fields(receipt.output.memo),
        "change": False,
    }


@methods.method(
    "z_getbalanceforaccount account ( minconf asOfHeight )",
    "Returns what an account can spend, pool by pool, in zatoshis.",
    fewest=1,
    most=3,
)
def z_getbalanceforaccount(node: Node, params: Params) -> Json:
    """Answer with the balance of each pool that has one."""
    account, minconf = params.integer(0), _minconf(params, at=1)
    if not 0 <= account < len(node.wallet.accounts):
        raise RpcError(Code.PARAMETER, f"Error: account {account} has not been generated by z_getnewaccount.")
    receivers = _receivers(node.wallet.accounts[account].values())
    as_of_height = _as_of_height(params, at=2, minconf_at=1)
    pools: dict[str, int] = {}
    for receipt in receipts(node.chain, receivers, minconf=minconf, as_of_height=as_of_height):
        pools[receipt.output.pool] = pools.get(receipt.output.pool, 0) + receipt.output.amount_zat
    answer: dict[str, Json] = {pool: {"valueZat": zat} for pool, zat in pools.items()}
    return {"pools": answer, "minimum_confirmations": minconf}


@methods.method(
    "gettransaction txid ( includeWatchonly verbose asOfHeight )",
    "Returns what is known of a transaction of the wallet; of its shielded parts, little.",
    fewest=1,
    most=4,
)
def gettransaction(node: Node, params: Params) -> Json:
    """Answer with a transaction that pays the wallet."""
    txid = _txid(params)
    params.boolean(1, default=False)
    params.boolean(2, default=False)
    _as_of_height(params, at=3, minconf_at=4)
    transaction = node.chain.transactions.get(txid)
    if transaction is None or not any(node.wallet.owner(each.receiver) for each in transaction.outputs):
        raise RpcError(Code.ADDRESS, "Invalid or non-wallet transaction id")
    details = _transparent_details(node, txid)
    amount_zat = sum(zat for _, zat in details)
    return {
        "amount": Zec(amount_zat),
        "amountZat": amount_zat,
        **_placed(node, txid),
        "txid": txid,
        "walletconflicts": [],
        "time": transaction.time,
        "timereceived": transaction.time,
        "vjoinsplit": [],
        "details": [row for row, _ in details],
        "hex": transaction.serialized(salt=node.chain.salt).hex(),
    }


def _txid(params: Params) -> str:
    txid = params.text(0)
    if len(txid) != _TXID_LENGTH or not set(txid) <= set("0123456789abcdefABCDEF"):
        raise RpcError(Code.PARAMETER, "parameter 1 must be hexadecimal string of length 64")
    return txid.lower()


def _placed(node: Node, txid: str) -> dict[str, Json]:
    place = node.chain.place(txid)
    if place is None and node.chain.has_expired(txid):
        return {"status": "expired", "confirmations": -1}
    if place is None:
        return {"status": "waiting", "confirmations": 0}
    return {
        "status": "mined",
        "confirmations": confirmations_of(node.chain, txid),
        "blockhash": place.block.hash,
        "blockindex": place.index,
        "blocktime": place.block.time,
        "expiryheight": node.chain.transactions[txid].expiry_height,
    }


def _transparent_details(node: Node, txid: str) -> list[tuple[Json, int]]:
    """Return the rows of the wallet's transparent outputs, and their zatoshis."""
    details: list[tuple[Json, int]] = []
    for index, output in enumerate(node.chain.transactions[txid].outputs):
        if output.pool == "transparent" and node.wallet.owner(output.receiver):
            row: dict[str, Json] = {
                "address": encode_p2pkh(output.receiver.data, network=NETWORK),
                "category": "receive",
                "amount": Zec(output.amount_zat),
                "amountZat": output.amount_zat,
                "vout": index,
            }
            details.append((row, output.amount_zat))
    return details
