"""Methods of zcashd about single transactions of the wallet."""

from collections.abc import Iterator

from zcash.addresses import P2SH, Receiver, encode_p2pkh, encode_p2sh

from .amounts import Zec
from .chain import Chain
from .errors import Code, RpcError
from .history import AccountTransaction, account_transaction
from .jsontext import Json
from .memos import memo_fields
from .methods import Registry
from .methods_wallet import as_of_height_param
from .node import Node
from .params import Params
from .transactions import OutPoint, Output
from .wallet import NETWORK

methods = Registry()

_TXID_LENGTH = 64
# zcashd, src/main.h: so close to its expiry a transaction is not taken into the mempool any more.
_EXPIRING_SOON_BLOCKS = 3
# Of a transaction's shielded spends and outputs, each pool numbers its own; Orchard's actions are both.
_SPEND_NAMES = {"sapling": ("spend", "outputPrev"), "orchard": ("action", "actionPrev")}
_OUTPUT_NAMES = {"sapling": "output", "orchard": "action"}


@methods.method(
    "gettransaction txid ( includeWatchonly verbose asOfHeight )",
    "Returns what is known of a transaction of the wallet; of its shielded parts, little.",
    fewest=1,
    most=4,
)
def gettransaction(node: Node, params: Params) -> Json:
    """Answer with a transaction that pays the wallet, or that it made."""
    found = _wallet_transaction(node, params)
    params.boolean(1, default=False)
    params.boolean(2, default=False)
    as_of_height_param(params, at=3, minconf_at=4)
    details = list(_transparent_details(node, found))
    amount_zat = sum(zat for _, zat in details)
    return {
        "amount": Zec(amount_zat),
        "amountZat": amount_zat,
        **_placed(node.chain, found),
        "txid": found.txid,
        "walletconflicts": [each for each in sorted(node.chain.rivals(found.txid)) if _is_ours(node, each)],
        "time": found.transaction.time,
        "timereceived": found.transaction.time,
        "vjoinsplit": [],
        "details": [row for row, _ in details],
        "hex": found.transaction.serialized(salt=node.chain.salt).hex(),
    }


def _wallet_transaction(node: Node, params: Params) -> AccountTransaction:
    found = account_transaction(node, txid_param(params, at=0))
    if found is None:
        raise RpcError(Code.ADDRESS, "Invalid or non-wallet transaction id")
    return found


def txid_param(params: Params, *, at: int) -> str:
    """Return a transaction id or block hash in lower case.

    Raises:
        RpcError: -3: no string; -8: not 64 hexadecimal digits.
    """
    text = params.text(at)
    if len(text) != _TXID_LENGTH or not set(text) <= set("0123456789abcdefABCDEF"):
        raise RpcError(Code.PARAMETER, f"parameter {at + 1} must be hexadecimal string of length 64")
    return text.lower()


def _is_ours(node: Node, txid: str) -> bool:
    return account_transaction(node, txid) is not None


def _placed(chain: Chain, found: AccountTransaction) -> dict[str, Json]:
    if found.place is None:
        return {"status": status_of(chain, found.txid), "confirmations": found.confirmations}
    return {
        "status": "mined",
        "confirmations": found.confirmations,
        "blockhash": found.place.block.hash,
        "blockindex": found.place.index,
        "blocktime": found.place.block.time,
        "expiryheight": found.transaction.expiry_height,
    }


def status_of(chain: Chain, txid: str) -> str:
    """Return a transaction's status in zcashd's words, which know nothing of conflicts."""
    if chain.place(txid):
        return "mined"
    if chain.has_expired(txid):
        return "expired"
    is_close = chain.tip.height + _EXPIRING_SOON_BLOCKS >= chain.transactions[txid].expiry_height
    return "expiringsoon" if is_close else "waiting"


def _transparent_details(node: Node, found: AccountTransaction) -> Iterator[tuple[Json, int]]:
    """Yield the rows of the transparent outputs that concern the wallet, and what they add to its money."""
    for index, output in enumerate(found.transaction.outputs):
        is_received = node.wallet.owner(output.receiver) is not None
        if output.pool != "transparent" or not (is_received or found.is_own):
            continue
        zat = output.amount_zat if is_received else -output.amount_zat
        row: dict[str, Json] = {
            "address": t_address(output.receiver),
            "category": "receive" if is_received else "send",
            "amount": Zec(zat),
            "amountZat": zat,
            "vout": found.transaction.pool_index(index),
        }
        yield row, zat


def t_address(receiver: Receiver) -> str:
    """Return the t-address of a transparent receiver."""
    encode = encode_p2sh if receiver.typecode == P2SH else encode_p2pkh
    return encode(receiver.data, network=NETWORK)


@methods.method(
    "z_viewtransaction txid", "Returns the shielded parts of a transaction of the wallet.", fewest=1, most=1
)
def z_viewtransaction(node: Node, params: Params) -> Json:
    """Answer with what the wallet can decrypt: its own spends, and the outputs it made or received."""
    found = _wallet_transaction(node, params)
    visible = range(len(found.transaction.outputs)) if found.is_own else found.received
    outputs = [(index, found.transaction.outputs[index]) for index in visible]
    return {
        "txid": found.txid,
        "spends": list(_spends(node, found)),
        "outputs": [
            _viewed(node, output, number=found.transaction.pool_index(index))
            for index, output in outputs
            if output.pool != "transparent"
        ],
    }


def _spends(node: Node, found: AccountTransaction) -> Iterator[Json]:
    shielded = [each for each in found.spent if node.chain.output(each).pool != "transparent"]
    for number, point in enumerate(shielded):
        output = node.chain.output(point)
        name, previous = _SPEND_NAMES[output.pool]
        yield {
            "pool": output.pool,
            name: number,
            "txidPrev": point.txid,
            previous: _number_of(node.chain, point),
            **_address_field(node, output),
            "value": Zec(output.amount_zat),
            "valueZat": output.amount_zat,
        }


def _number_of(chain: Chain, point: OutPoint) -> int:
    return chain.transactions[point.txid].pool_index(point.index)


def _viewed(node: Node, output: Output, *, number: int) -> Json:
    return {
        "pool": output.pool,
        _OUTPUT_NAMES[output.pool]: number,
        **_address_field(node, output),
        "outgoing": node.wallet.account_of(output.receiver) is None,
        "walletInternal": node.wallet.is_internal(output.receiver),
        "value": Zec(output.amount_zat),
        "valueZat": output.amount_zat,
        **memo_fields(output.memo),
    }


def _address_field(node: Node, output: Output) -> dict[str, Json]:
    if node.wallet.is_internal(output.receiver):
        return {}
    if owner := node.wallet.owner(output.receiver):
        return {"address": owner.text}
    return {"address": output.address}
