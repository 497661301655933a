"""Methods that move the simulated world: mining, and payments by people outside the wallet."""

from zcash.addresses import Address, AddressError, Receiver, parse

from .amounts import MAX_ZAT, amount_zat
from .errors import Code, RpcError
from .jsontext import Json
from .methods import Registry
from .node import Node
from .params import Params
from .wallet import NETWORK

methods = Registry()

_MAX_BLOCKS = 10_000
_MAX_MEMO_BYTES = 512
_KNOWN_TYPECODES = 4


@methods.method("generate numblocks", "Mines blocks at once and returns their hashes.", fewest=1, most=1)
def generate(node: Node, params: Params) -> Json:
    """Answer with the hashes of the new blocks."""
    count = params.integer(0)
    if not 0 <= count <= _MAX_BLOCKS:
        raise RpcError(Code.PARAMETER, f"numblocks must be from 0 to {_MAX_BLOCKS}")
    return [block.hash for block in node.mine(count)]


@methods.method(
    "sim_pay address amount ( memo )",
    "Puts a payment into the mempool, made by somebody else to any address; the memo is hexadecimal.\n"
    "A unified address is paid at its best receiver.",
    fewest=2,
    most=3,
)
def sim_pay(node: Node, params: Params) -> Json:
    """Answer with the txid of the payment."""
    address = _address(params)
    memo = _memo(params, address=address)
    return node.pay(_best_receiver(address), amount_zat=_payable_zat(node, params), memo=memo)


@methods.method(
    "sim_fund_address taddr amount",
    "Gives a transparent address a public balance, mined at once in a block of its own.",
    fewest=2,
    most=2,
)
def sim_fund_address(node: Node, params: Params) -> Json:
    """Answer with the txid of the mined payment."""
    address = _address(params)
    if not address.is_transparent:
        raise RpcError(Code.ADDRESS, "Invalid address: only a transparent address has a public balance")
    txid = node.pay(address.receivers[0], amount_zat=_payable_zat(node, params))
    # What else waits in the mempool keeps waiting: funding an address confirms nobody's payment.
    node.mine(1, only=[txid])
    return txid


def _address(params: Params) -> Address:
    try:
        return parse(params.text(0), network=NETWORK)
    except AddressError as error:
        raise RpcError(Code.ADDRESS, f"Invalid address: {error}") from error


def _best_receiver(address: Address) -> Receiver:
    # ZIP-316: the most preferred of the known kinds, and these are numbered by preference.
    return max(
        (receiver for receiver in address.receivers if receiver.typecode < _KNOWN_TYPECODES),
        key=lambda receiver: receiver.typecode,
    )


def _payable_zat(node: Node, params: Params) -> int:
    paid_zat = amount_zat(params.get(1))
    if node.chain.issued_zat + paid_zat > MAX_ZAT:
        raise RpcError(Code.INSUFFICIENT_FUNDS, "Insufficient funds: all 21 million ZEC are spent")
    return paid_zat


def _memo(params: Params, *, address: Address) -> bytes:
    if params.get(2) is None:
        return b""
    text = params.text(2)
    if address.is_transparent:
        raise RpcError(Code.PARAMETER, "Memo cannot be used with a taddr. It can only be used with a zaddr.")
    if len(text) > 2 * _MAX_MEMO_BYTES:
        raise RpcError(
            Code.PARAMETER,
            f"Invalid parameter, size of memo is larger than maximum allowed {_MAX_MEMO_BYTES}",
        )
    try:
        if not text.isascii() or not text.isalnum():
            raise ValueError(text)
        return bytes.fromhex(text)
    except ValueError:
        message = "Invalid parameter, expected memo data in hexadecimal format."
        raise RpcError(Code.PARAMETER, message) from None
