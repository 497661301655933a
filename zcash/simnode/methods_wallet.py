"""Methods of zcashd about what the wallet received and holds."""

from collections.abc import Iterable
from itertools import chain as concatenated

from zcash.addresses import AddressError, Receiver, parse

from .amounts import Zec
from .errors import Code, RpcError
from .jsontext import Json
from .memos import memo_fields
from .methods import Registry
from .node import Node
from .params import Params
from .receipts import Receipt, receipts, unspent
from .wallet import NETWORK, WalletAddress

methods = Registry()

_MAX_CONF = 9_999_999


@methods.method(
    "z_listreceivedbyaddress address ( minconf asOfHeight )",
    "Returns what an address of the wallet received, spent or not.",
    fewest=1,
    most=3,
)
def z_listreceivedbyaddress(node: Node, params: Params) -> Json:
    """Answer with one row for each output."""
    address = _own_address(node, params.text(0))
    minconf, as_of_height = _minconf(params, at=1), as_of_height_param(params, at=2, minconf_at=1)
    found = receipts(node, address.receivers, minconf=minconf, as_of_height=as_of_height)
    return [_received_row(receipt) | {"change": _is_change(node, receipt, address)} for receipt in found]


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


def as_of_height_param(params: Params, *, at: int, minconf_at: int) -> int | None:
    """Return the height to answer as of, None for now.

    Raises:
        RpcError: -8: no height that zcashd looks back to, or unmined transactions asked for at it.
    """
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


def _received_row(receipt: Receipt) -> dict[str, Json]:
    place, output = receipt.place, receipt.output
    row: dict[str, Json] = {
        "pool": output.pool,
        "txid": receipt.txid,
        "amount": Zec(output.amount_zat),
        "amountZat": output.amount_zat,
    }
    if output.pool != "transparent":
        row |= memo_fields(output.memo)
    return row | {
        "outindex": receipt.pool_index,
        "confirmations": receipt.confirmations,
        "blockheight": place.block.height if place else 0,
        "blockindex": place.index if place else -1,
        "blocktime": place.block.time if place else receipt.transaction.time,
    }


def _is_change(node: Node, receipt: Receipt, address: WalletAddress) -> bool:
    # zcashd's notion: what was paid to an address out of its own notes.
    spent = [each for each in receipt.transaction.inputs if not each.is_outside]
    return any(node.chain.output(each).receiver in address.receivers for each in spent)


@methods.method(
    "z_listunspent ( minconf maxconf includeWatchonly [address, ...] asOfHeight )",
    "Returns the wallet's unspent shielded notes.",
    most=5,
)
def z_listunspent(node: Node, params: Params) -> Json:
    """Answer with one row for each note."""
    minconf, as_of_height = _minconf(params, at=0), as_of_height_param(params, at=4, minconf_at=0)
    maxconf = params.integer(1, default=_MAX_CONF)
    if maxconf < minconf:
        raise RpcError(
            Code.PARAMETER, "Maximum number of confirmations must be greater or equal to the minimum"
        )
    params.boolean(2, default=False)
    receivers = _filtered_receivers(node, params.texts(3))
    found = unspent(node, receivers, minconf=minconf, as_of_height=as_of_height)
    return [_unspent_row(node, each) for each in found if _is_note(each) and each.confirmations <= maxconf]


def _filtered_receivers(node: Node, texts: list[str]) -> Iterable[Receiver]:
    if len(set(texts)) < len(texts):
        raise RpcError(Code.PARAMETER, "Invalid parameter, duplicated address")
    if texts:
        return concatenated.from_iterable(_own_address(node, text).receivers for text in texts)
    return concatenated.from_iterable(map(node.wallet.receivers, range(len(node.wallet.accounts))))


def _is_note(receipt: Receipt) -> bool:
    return receipt.output.pool != "transparent"


def _unspent_row(node: Node, receipt: Receipt) -> Json:
    receiver = receipt.output.receiver
    row: dict[str, Json] = {
        "txid": receipt.txid,
        "pool": receipt.output.pool,
        "outindex": receipt.pool_index,
        "confirmations": receipt.confirmations,
        "spendable": True,
        "account": node.wallet.account_of(receiver),
    }
    # Change is at an internal address, which zcashd does not show.
    if owner := node.wallet.owner(receiver):
        row["address"] = owner.text
    return row | {
        "amount": Zec(receipt.output.amount_zat),
        **memo_fields(receipt.output.memo),
        "change": node.wallet.is_internal(receiver),
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
    receivers = node.wallet.receivers(account)
    as_of_height = as_of_height_param(params, at=2, minconf_at=1)
    pools: dict[str, int] = {}
    for receipt in unspent(node, receivers, minconf=minconf, as_of_height=as_of_height):
        pools[receipt.output.pool] = pools.get(receipt.output.pool, 0) + receipt.output.amount_zat
    answer: dict[str, Json] = {pool: {"valueZat": zat} for pool, zat in pools.items()}
    return {"pools": answer, "minimum_confirmations": minconf}
