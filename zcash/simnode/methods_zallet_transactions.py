"""zallet's list of an account's transactions."""

from datetime import UTC, datetime

from . import methods_mempool
from .errors import Code, RpcError
from .history import AccountTransaction, account_transactions
from .jsontext import Json
from .memos import memo_fields
from .methods_transactions import t_address
from .methods_zallet_accounts import account_named, account_uuid
from .methods_zallet_status import is_seen
from .node import Node
from .openrpc import OpenRegistry
from .params import Params
from .pools import pool_name
from .transactions import Output

methods = OpenRegistry()

_HEIGHTS = range(2**32)
_BINARY_MEMO = "ff"
_NO_MEMO = "f6"


@methods.method(
    "z_listtransactions ( account_uuid start_height end_height offset limit )",
    "Returns the transactions of an account, or of all, in the order of their heights.",
)
def z_listtransactions(node: Node, params: Params) -> Json:
    """Answer with what was mined in a range of heights; without its end, with unmined transactions too."""
    accounts = list(range(len(node.wallet.accounts)))
    if params.get(0) is not None:
        accounts = [account_named(node, params.text(0))]
    start, end, offset, limit = (_number(params, at=at) for at in (1, 2, 3, 4))
    found = [
        (each, account)
        for account in accounts
        for each in account_transactions(node, account)
        if is_seen(node, each) and _is_between(each, start=start, end=end)
    ]
    # An unmined one takes its place by the height at which it expires: last, until others are mined there.
    found.sort(key=lambda pair: _sort_height(pair[0]))
    page = found[offset or 0 :][:limit]
    return [_row(node, each, account=account) for each, account in page]


def _sort_height(each: AccountTransaction) -> int:
    return each.place.block.height if each.place else each.transaction.expiry_height


def _number(params: Params, *, at: int) -> int | None:
    if params.get(at) is None:
        return None
    return params.integer(at, bounds=_HEIGHTS)


def _is_between(each: AccountTransaction, *, start: int | None, end: int | None) -> bool:
    if each.place is None:
        return end is None
    height = each.place.block.height
    return (start is None or height >= start) and (end is None or height < end)


def _row(node: Node, each: AccountTransaction, *, account: int) -> Json:
    block = each.place.block if each.place else None
    outputs = each.transaction.outputs
    changes = [index for index in each.received if node.wallet.is_internal(outputs[index].receiver)]
    return {
        "account_uuid": account_uuid(node.wallet, account),
        "mined_height": block.height if block else None,
        "txid": each.txid,
        "expiry_height": each.transaction.expiry_height,
        "account_balance_delta": each.delta_zat,
        "fee_paid": each.fee_zat,
        "sent_note_count": len(outputs) - len(each.received) if each.spent else 0,
        "received_note_count": len(each.received) - len(changes),
        "block_time": block.time if block else None,
        "block_datetime": _datetime(block.time) if block else None,
        "expired_unmined": each.is_expired,
        "outputs": [
            _output_row(node, each, index)
            for index, output in enumerate(outputs)
            if each.is_own or node.wallet.account_of(output.receiver) is not None
        ],
    }


def _datetime(unix_seconds: int) -> str:
    return datetime.fromtimestamp(unix_seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _output_row(node: Node, each: AccountTransaction, index: int) -> Json:
    output = each.transaction.outputs[index]
    payer, payee = each.transaction.account, node.wallet.account_of(output.receiver)
    is_change = node.wallet.is_internal(output.receiver)
    return {
        "pool": pool_name(output.pool),
        "output_index": each.transaction.pool_index(index),
        "from_account": None if payer is None else account_uuid(node.wallet, payer),
        "to_account": None if payee is None else account_uuid(node.wallet, payee),
        "to_address": None if is_change else _address(node, output),
        "value": output.amount_zat,
        "is_change": is_change,
        "memo": _memo(output),
    }


def _address(node: Node, output: Output) -> str:
    owner = node.wallet.owner(output.receiver)
    # Of money in the open the wallet knows the t-address alone, whatever unified address was handed out.
    if owner and output.pool == "transparent":
        return t_address(output.receiver)
    return owner.text if owner else output.address


def _memo(output: Output) -> str | None:
    """Return a memo's text, or its bytes in hex: nothing says which of them it is."""
    fields = memo_fields(output.memo)
    if output.pool == "transparent":
        return None
    encoded, text = str(fields["memo"]), fields.get("memoStr")
    if isinstance(text, str):
        return text
    if encoded.startswith(_BINARY_MEMO):
        return encoded.removeprefix(_BINARY_MEMO)
    used = bytes.fromhex(encoded).rstrip(b"\0").hex()
    return None if used == _NO_MEMO else used


@methods.method("getrawtransaction txid ( verbose blockhash )", "Returns a transaction.", fewest=1)
def getrawtransaction(node: Node, params: Params) -> Json:
    """Answer with a transaction of the mempool or the best chain."""
    if params.get(2) is not None:
        raise RpcError(Code.PARAMETER, "blockhash argument must be unset")
    return methods_mempool.getrawtransaction(node, params)
