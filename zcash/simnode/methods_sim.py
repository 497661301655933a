"""Methods that move the simulated world: mining, reorgs, payments by other people, the wallet's luck."""

from zcash.addresses import Address, AddressError, Receiver, parse

from .amounts import MAX_ZAT, amount_zat
from .errors import Code, RpcError
from .jsontext import Json
from .memos import memo_param
from .methods import Registry
from .methods_transactions import txid_param
from .node import Node
from .operations import Failure
from .params import Params
from .transactions import Output
from .wallet import NETWORK

methods = Registry()

_MAX_BLOCKS = 10_000
_MAX_OUTPUTS = 1000
_KNOWN_TYPECODES = 4
_OUTPUT_FIELDS = frozenset({"address", "amount", "memo"})
_OPERATION_FIELDS = frozenset({"hold", "fail", "broadcast"})


@methods.method("generate numblocks", "Mines blocks at once and returns their hashes.", fewest=1, most=1)
def generate(node: Node, params: Params) -> Json:
    """Answer with the hashes of the new blocks."""
    count = params.integer(0)
    if not 0 <= count <= _MAX_BLOCKS:
        raise RpcError(Code.PARAMETER, f"numblocks must be from 0 to {_MAX_BLOCKS}")
    return [block.hash for block in node.mine(count)]


@methods.method(
    "sim_pay address amount ( memo reference )",
    "Puts a payment into the mempool, made by somebody else to any address; the memo is hexadecimal.\n"
    "A unified address is paid at its best receiver. What has a reference is paid once, however often it is\n"
    "asked for.",
    fewest=2,
    most=4,
)
def sim_pay(node: Node, params: Params) -> Json:
    """Answer with the txid of the payment."""
    reference = _reference(params, at=3)
    if done := node.chain.references.get(reference or ""):
        return done
    output = _output(params.text(0), amount=params.get(1), memo=params.get(2))
    _check_supply(node, [output])
    return node.pay_many([output], reference=reference)


def _reference(params: Params, *, at: int) -> str | None:
    """Return what whoever asks calls this call, None for nothing: what is done under a name is done once."""
    return None if params.get(at) is None else params.text(at)


@methods.method(
    "sim_mine numblocks ( reference )",
    "Mines blocks at once and returns the hash of the last. What has a reference is done once.",
    fewest=1,
    most=2,
)
def sim_mine(node: Node, params: Params) -> Json:
    """Answer with the hash of the last new block."""
    reference = _reference(params, at=1)
    if done := node.chain.references.get(reference or ""):
        return done
    count = params.integer(0)
    if not 1 <= count <= _MAX_BLOCKS:
        raise RpcError(Code.PARAMETER, f"numblocks must be from 1 to {_MAX_BLOCKS}")
    return node.mine(count, reference=reference)[-1].hash


@methods.method(
    'sim_pay_many [{"address", "amount", "memo"}, ...]',
    "Puts one transaction with several outputs into the mempool, made by somebody else.",
    fewest=1,
    most=1,
)
def sim_pay_many(node: Node, params: Params) -> Json:
    """Answer with the txid of the transaction."""
    outputs = [_output_of(fields) for fields in params.objects(0)]
    if not 0 < len(outputs) <= _MAX_OUTPUTS:
        raise RpcError(Code.PARAMETER, f"a transaction has 1 to {_MAX_OUTPUTS} outputs")
    _check_supply(node, outputs)
    return node.pay_many(outputs)


def _output_of(fields: dict[str, Json]) -> Output:
    if unknown := sorted(fields.keys() - _OUTPUT_FIELDS):
        raise RpcError(Code.PARAMETER, f"an output has no field {unknown[0][:32]}")
    address = Params([fields.get("address")]).text(0)
    return _output(address, amount=fields.get("amount"), memo=fields.get("memo"))


@methods.method(
    "sim_fund_address taddr amount",
    "Gives a transparent address a public balance, mined at once in a block of its own.",
    fewest=2,
    most=2,
)
def sim_fund_address(node: Node, params: Params) -> Json:
    """Answer with the txid of the mined payment."""
    if not _address(params.text(0)).is_transparent:
        raise RpcError(Code.ADDRESS, "Invalid address: only a transparent address has a public balance")
    output = _output(params.text(0), amount=params.get(1), memo=None)
    _check_supply(node, [output])
    txid = node.pay_many([output])
    # What else waits in the mempool keeps waiting: funding an address confirms nobody's payment.
    node.mine(1, only=[txid])
    return txid


def _output(text: str, *, amount: Json, memo: Json) -> Output:
    address = _address(text)
    memo_bytes = memo_param(memo, is_transparent=address.is_transparent)
    return Output(_best_receiver(address), amount_zat(amount), memo_bytes)


def _address(text: str) -> Address:
    try:
        return parse(text, network=NETWORK)
    except AddressError as error:
        raise RpcError(Code.ADDRESS, f"Invalid address: {error}") from error


def _best_receiver(address: Address) -> Receiver:
    # ZIP-316: the most preferred of the known kinds, and these are numbered by preference.
    return max(
        (receiver for receiver in address.receivers if receiver.typecode < _KNOWN_TYPECODES),
        key=lambda receiver: receiver.typecode,
    )


def _check_supply(node: Node, outputs: list[Output]) -> None:
    if node.chain.issued_zat + sum(output.amount_zat for output in outputs) > MAX_ZAT:
        raise RpcError(Code.INSUFFICIENT_FUNDS, "Insufficient funds: all 21 million ZEC are spent")


@methods.method(
    "sim_hold txid", "Makes the miners leave a transaction out, so that it can expire.", fewest=1, most=1
)
def sim_hold(node: Node, params: Params) -> Json:
    """Hold a transaction back."""
    node.hold(_known_txid(node, params.get(0)), held=True)
    return None


@methods.method("sim_release txid", "Lets the miners take a transaction again.", fewest=1, most=1)
def sim_release(node: Node, params: Params) -> Json:
    """Hold a transaction back no longer."""
    node.hold(_known_txid(node, params.get(0)), held=False)
    return None


@methods.method(
    "sim_replace txid ( address amount )",
    "Lets the payer of an unmined transaction spend the same money elsewhere: it is never mined any more.\n"
    "With an address, a new transaction pays it in its stead.",
    fewest=1,
    most=3,
)
def sim_replace(node: Node, params: Params) -> Json:
    """Answer with the txid of the new transaction, null without one."""
    txid = _known_txid(node, params.get(0))
    if node.chain.place(txid):
        raise RpcError(Code.PARAMETER, "the transaction is mined: reorganise the chain first")
    if params.get(1) is None:
        return node.replace(txid, output=None)
    if node.chain.transactions[txid].account is not None:
        raise RpcError(Code.PARAMETER, "the wallet's own notes can be spent by the wallet alone")
    output = _output(params.text(1), amount=params.get(2), memo=None)
    _check_supply(node, [output])
    return node.replace(txid, output=output)


@methods.method(
    'sim_reorg depth ( ["txid", ...] reference )',
    "Replaces the last blocks by one more, all empty; their transactions go back to the mempool.\n"
    "The transactions named, out of these blocks or the mempool, are never mined any more.\n"
    "What has a reference is done once.",
    fewest=1,
    most=3,
)
def sim_reorg(node: Node, params: Params) -> Json:
    """Answer with the hash of the new tip."""
    reference = _reference(params, at=2)
    if done := node.chain.references.get(reference or ""):
        return done
    depth, tip = params.integer(0), node.chain.tip.height
    if not 1 <= depth <= tip:
        raise RpcError(Code.PARAMETER, f"depth must be from 1 to {tip}")
    drop = [_known_txid(node, txid) for txid in params.texts(1)]
    for txid in drop:
        if (place := node.chain.place(txid)) and place.block.height <= tip - depth:
            raise RpcError(Code.PARAMETER, "a transaction is mined below these blocks")
    return node.reorg(depth, drop=drop, reference=reference).hash


def _known_txid(node: Node, value: Json) -> str:
    txid = txid_param(Params([value]), at=0)
    if txid not in node.chain.transactions:
        raise RpcError(Code.ADDRESS, "No such transaction")
    return txid


@methods.method("sim_restart", "Restarts the wallet: its operations are forgotten, and its cookie is new.")
def sim_restart(node: Node, _params: Params) -> Json:
    """Do what a restart does."""
    node.restart()
    return None


@methods.method(
    'sim_operations {"hold", "fail", "broadcast"}',
    "Switches how operations go: hold keeps new ones from finishing, fail {code, message} makes them fail\n"
    "(null: no more), and without broadcast what they build is not sent. What is not named stays.",
    fewest=1,
    most=1,
)
def sim_operations(node: Node, params: Params) -> Json:
    """Switch, and finish what is held no longer."""
    (fields,) = Params([[params.get(0)]]).objects(0)
    if unknown := sorted(fields.keys() - _OPERATION_FIELDS):
        raise RpcError(Code.PARAMETER, f"operations have no field {unknown[0][:32]}")
    operations = node.operations
    failure = _failure(fields["fail"]) if "fail" in fields else operations.failure
    hold = Params([fields.get("hold")]).boolean(0, default=operations.hold)
    broadcast = Params([fields.get("broadcast")]).boolean(0, default=operations.broadcast)
    operations.failure, operations.hold, operations.broadcast = failure, hold, broadcast
    operations.run()
    return None


def _failure(value: Json) -> Failure | None:
    if value is None:
        return None
    (fields,) = Params([[value]]).objects(0)
    params = Params([fields.get("code"), fields.get("message")])
    return Failure(params.integer(0), params.text(1))
