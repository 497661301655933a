"""zallet's view of one transaction."""

from collections.abc import Iterator

from .amounts import Zec
from .errors import Code, RpcError
from .history import AccountTransaction, account_transaction
from .jsontext import Json
from .memos import memo_fields
from .methods_transactions import status_of, txid_param
from .methods_zallet_accounts import account_uuid
from .methods_zallet_balances import single_receiver
from .methods_zallet_status import is_seen, wallet_tip
from .node import Node
from .openrpc import OpenRegistry
from .params import Params
from .pools import pool_name
from .transactions import OutPoint, Output

methods = OpenRegistry()

_TRANSACTION_VERSION = 6
# How an output of a pool is numbered, a spend of one, and the output that was spent.
_NUMBERS = {
    "transparent": ("tOut", "tIn", "tOutPrev"),
    "sapling": ("output", "spend", "outputPrev"),
    "orchard": ("action", "action", "actionPrev"),
}


@methods.method("z_viewtransaction txid", "Returns what the wallet can see of a transaction.", fewest=1)
def z_viewtransaction(node: Node, params: Params) -> Json:
    """Answer with a transaction that pays the wallet, or that it made."""
    found = account_transaction(node, txid_param(params, at=0))
    if found is None or not is_seen(node, found):
        raise RpcError(Code.ADDRESS, "Invalid or non-wallet transaction id")
    fee: dict[str, Json] = {} if found.fee_zat is None else {"fee": Zec(found.fee_zat)}
    outputs = found.transaction.outputs
    visible = range(len(outputs)) if found.is_own else found.received
    return {
        "txid": found.txid,
        "status": status_of(node.chain, found.txid),
        **_placed(node, found),
        "version": _TRANSACTION_VERSION,
        "expiryheight": found.transaction.expiry_height,
        **fee,
        "spends": list(_spends(node, found)),
        "outputs": [
            _output_row(node, outputs[index], number=found.transaction.pool_index(index)) for index in visible
        ],
        "accounts": _effects(node, found.txid),
    }


def _placed(node: Node, found: AccountTransaction) -> dict[str, Json]:
    if found.place is None:
        # In the mempool as well: zallet does not look there (zcash/zallet issue 699).
        return {"confirmations": -1}
    return {
        "confirmations": wallet_tip(node).height - found.place.block.height + 1,
        "blockhash": found.place.block.hash,
        "blockindex": found.place.index,
        "blocktime": found.place.block.time,
    }


def _spends(node: Node, found: AccountTransaction) -> Iterator[Json]:
    for number, point in enumerate(found.spent):
        output = node.chain.output(point)
        _, spend, previous = _NUMBERS[output.pool]
        yield {
            "pool": pool_name(output.pool),
            spend: number,
            "txidPrev": point.txid,
            previous: _number_of(node, point),
            **_owner_fields(node, output),
            "value": Zec(output.amount_zat),
            "valueZat": output.amount_zat,
        }


def _number_of(node: Node, point: OutPoint) -> int:
    return node.chain.transactions[point.txid].pool_index(point.index)


def _output_row(node: Node, output: Output, *, number: int) -> Json:
    is_ours = node.wallet.account_of(output.receiver) is not None
    row: dict[str, Json] = {
        "pool": pool_name(output.pool),
        _NUMBERS[output.pool][0]: number,
        **_owner_fields(node, output),
        "outgoing": not is_ours,
        "walletInternal": node.wallet.is_internal(output.receiver),
        "value": Zec(output.amount_zat),
        "valueZat": output.amount_zat,
    }
    return row if output.pool == "transparent" else row | memo_fields(output.memo)


def _owner_fields(node: Node, output: Output) -> dict[str, Json]:
    account = node.wallet.account_of(output.receiver)
    fields: dict[str, Json] = {}
    if account is not None:
        fields["account_uuid"] = account_uuid(node.wallet, account)
    if not node.wallet.is_internal(output.receiver):
        fields["address"] = output.address or single_receiver(output)
    return fields


def _effects(node: Node, txid: str) -> Json:
    effects: dict[str, Json] = {}
    for account in range(len(node.wallet.accounts)):
        if found := account_transaction(node, txid, account=account):
            effect: Json = {"delta": Zec(found.delta_zat), "deltaZat": found.delta_zat}
            effects[account_uuid(node.wallet, account)] = effect
    return effects
