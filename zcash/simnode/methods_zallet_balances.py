"""zallet's balances and unspent outputs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from zcash.addresses import ORCHARD, SAPLING, Address, AddressError, encode_sapling, encode_unified, parse

from .amounts import Zec
from .errors import Code, RpcError
from .jsontext import Json
from .memos import memo_fields
from .methods_transactions import t_address
from .methods_zallet_accounts import account_at, account_uuid
from .methods_zallet_status import check_unlocked, wallet_tip
from .node import Node
from .openrpc import OpenRegistry
from .params import Params
from .pools import pool_name
from .receipts import Receipt, unspent
from .transactions import Output
from .wallet import NETWORK

methods = OpenRegistry()

# What a note is worth that costs as much to spend (ZIP-317).
_DUST_ZAT = 5000
_MAX_CONF = 2**32 - 1
_COUNTS = range(2**32)
# zallet lists the transparent outputs of an account first, then one shielded pool after the other.
_POOLS = ("transparent", "sapling", "ironwood")


@methods.method("z_getbalances ( minconf )", "Returns the balances of every account.")
def z_getbalances(node: Node, params: Params) -> Json:
    """Answer with what can be spent at `minconf`, what cannot yet, and what never can, in zatoshis."""
    check_unlocked(node)
    minconf = _minconf(params, at=0)
    accounts = range(len(node.wallet.accounts))
    return {"accounts": [_account_balance(node, each, minconf=minconf) for each in accounts]}


def _account_balance(node: Node, account: int, *, minconf: int) -> Json:
    pools: defaultdict[str, list[Receipt]] = defaultdict(list)
    for receipt in _unspent(node, account, minconf=0):
        pools[pool_name(receipt.output.pool)].append(receipt)
    row: dict[str, Json] = {"account_uuid": account_uuid(node.wallet, account)}
    for pool, found in pools.items():
        balance = _balance(found, minconf=minconf)
        # Nobody mines to this wallet: none of its transparent money is a coinbase's.
        row[pool] = {"regular": balance} if pool == "transparent" else balance
    everything = [receipt for found in pools.values() for receipt in found]
    return row | {"total": _balance(everything, minconf=minconf)}


def _balance(found: list[Receipt], *, minconf: int) -> Json:
    dust = [each for each in found if each.output.amount_zat <= _DUST_ZAT]
    rest = [each for each in found if each.output.amount_zat > _DUST_ZAT]
    pending_zat = _sum_zat(each for each in rest if each.confirmations < minconf)
    spendable: Json = {"valueZat": _sum_zat(rest) - pending_zat}
    others = {"pending": pending_zat, "dust": _sum_zat(dust)}
    return {"spendable": spendable} | {name: {"valueZat": zat} for name, zat in others.items() if zat}


def _sum_zat(found: Iterable[Receipt]) -> int:
    return sum(each.output.amount_zat for each in found)


def _minconf(params: Params, *, at: int) -> int:
    # None is as good as one here: zallet spends nothing that is unmined.
    return max(1, params.integer(at, default=1, bounds=_COUNTS))


def _unspent(node: Node, account: int, *, minconf: int) -> Iterator[Receipt]:
    for receipt in unspent(node, node.wallet.receivers(account), minconf=minconf):
        if receipt.place is None or receipt.place.block.height <= wallet_tip(node).height:
            yield receipt


@methods.method(
    "z_getbalanceforaccount account ( minconf )", "Returns what an account can spend, in zatoshis.", fewest=1
)
def z_getbalanceforaccount(node: Node, params: Params) -> Json:
    """Answer with the balance of each pool that has one."""
    check_unlocked(node)
    account, minconf = account_at(node, params, at=0), _minconf(params, at=1)
    pools: dict[str, int] = {}
    for receipt in _unspent(node, account, minconf=minconf):
        pool = pool_name(receipt.output.pool)
        pools[pool] = pools.get(pool, 0) + receipt.output.amount_zat
    answer: Json = {pool: {"valueZat": zat} for pool, zat in pools.items()}
    return {"pools": answer, "minimum_confirmations": minconf}


@methods.method(
    "z_gettotalbalance ( minconf include_watchonly )", "Returns the balance of the wallet, as texts in ZEC."
)
def z_gettotalbalance(node: Node, params: Params) -> Json:
    """Answer with what is public, what is shielded, and both."""
    check_unlocked(node)
    if not params.boolean(1, default=False):
        raise RpcError(Code.PARAMETER, "include_watchonly argument must be set to true (for now)")
    minconf = _minconf(params, at=0)
    found = [
        each
        for account in range(len(node.wallet.accounts))
        for each in _unspent(node, account, minconf=minconf)
    ]
    public_zat = _sum_zat(each for each in found if each.output.pool == "transparent")
    total_zat = _sum_zat(found)
    parts = {"transparent": public_zat, "private": total_zat - public_zat, "total": total_zat}
    return {name: str(Zec(zat)) for name, zat in parts.items()}


@methods.method(
    "z_listunspent ( minconf maxconf include_watchonly addresses as_of_height )",
    "Returns the wallet's unspent outputs.",
)
def z_listunspent(node: Node, params: Params) -> Json:
    """Answer with one row for each, with all of zallet's oddities.

    `addresses` keeps the notes that all of them received, and leaves transparent outputs alone (zcash/zallet
    issue 595); of these, what is worth no more than its fee is not shown (issue 594).
    """
    check_unlocked(node)
    minconf = params.integer(0, default=1, bounds=_COUNTS)
    maxconf = params.integer(1, default=_MAX_CONF, bounds=_COUNTS)
    params.boolean(2, default=False)
    wanted = [_address(text) for text in params.texts(3)]
    return [
        _unspent_row(node, each, account=account)
        for account in range(len(node.wallet.accounts))
        for each in sorted(_unspent(node, account, minconf=minconf), key=_pool_order)
        if each.confirmations <= maxconf and _is_shown(each.output, wanted)
    ]


def _pool_order(receipt: Receipt) -> int:
    return _POOLS.index(pool_name(receipt.output.pool))


def _address(text: str) -> Address:
    try:
        return parse(text, network=NETWORK)
    except AddressError as error:
        raise RpcError(Code.PARAMETER, "Not a valid Zcash address") from error


def _is_shown(output: Output, wanted: list[Address]) -> bool:
    if output.pool == "transparent":
        return output.amount_zat > _DUST_ZAT
    return all(output.receiver in address.receivers for address in wanted)


def _unspent_row(node: Node, receipt: Receipt, *, account: int) -> Json:
    output = receipt.output
    is_internal = node.wallet.is_internal(output.receiver)
    row: dict[str, Json] = {
        "txid": receipt.txid,
        "pool": pool_name(output.pool),
        "outindex": receipt.pool_index,
        "confirmations": receipt.confirmations,
        "is_watch_only": False,
        "account_uuid": account_uuid(node.wallet, account),
        "walletInternal": is_internal,
        "value": Zec(output.amount_zat),
        "valueZat": output.amount_zat,
    }
    if not is_internal:
        row["address"] = single_receiver(output)
    return row | ({"generated": False} if output.pool == "transparent" else memo_fields(output.memo))


def single_receiver(output: Output) -> str:
    """Return the address of an output's receiver alone, which is not what was handed out."""
    receiver = output.receiver
    if receiver.typecode == SAPLING:
        return encode_sapling(receiver.data, network=NETWORK)
    if receiver.typecode == ORCHARD:
        return encode_unified([receiver], network=NETWORK)
    return t_address(receiver)
