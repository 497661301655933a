"""Sending, as a zcashd sidecar after network upgrade 6.3 does: out of Sapling notes, never Orchard's."""

from zcash.addresses import ORCHARD, SAPLING, Address, AddressError, Kind, parse

from .amounts import Zec, amount_zat
from .errors import Code, RpcError
from .jsontext import Json
from .memos import memo_param
from .methods import Registry
from .node import Node
from .params import Params
from .policies import Policy, check_policy, policy_named
from .spending import (
    InsufficientFundsError,
    Recipient,
    Source,
    carry_out,
    plan,
)
from .wallet import NETWORK

methods = Registry()

_METHOD = "z_sendmany"
_RECIPIENT_FIELDS = frozenset({"address", "amount", "memo"})
_DEFAULT_MINCONF = 10


@methods.method(
    'z_sendmany fromaddress [{"address", "amount", "memo"}, ...] ( minconf fee privacyPolicy )',
    "Starts an operation that sends from the account of one of its unified addresses, and returns its id.\n"
    "The fee, null for the conventional one, comes on top; change goes to an internal address.",
    fewest=2,
    most=5,
)
def z_sendmany(node: Node, params: Params) -> Json:
    """Answer with the id of the operation; what is wrong with the money shows in there."""
    account = _account(node, params.text(0))
    recipients = _recipients(params)
    minconf = params.integer(2, default=_DEFAULT_MINCONF)
    if minconf < 0:
        raise RpcError(Code.PARAMETER, "Minimum number of confirmations cannot be less than 0")
    if params.get(3) is not None:
        raise RpcError(
            Code.PARAMETER, "The simulated wallet pays the conventional fee alone; set fee to null"
        )
    policy = policy_named(None if params.get(4) is None else params.text(4))
    source = Source(account, (SAPLING,), minconf)

    def work(*, broadcast: bool) -> Json:
        return _send(node, recipients, source=source, policy=policy, broadcast=broadcast)

    shown: Json = {"fromaddress": params.text(0), "amounts": params.get(1), "minconf": minconf}
    return node.operations.start(_METHOD, params=shown, work=work, now=node.now())


def _account(node: Node, text: str) -> int:
    try:
        address = parse(text, network=NETWORK)
    except AddressError:
        raise RpcError(
            Code.ADDRESS,
            "Invalid from address: should be a taddr, zaddr, UA, or the string 'ANY_TADDR'.",
        ) from None
    own = node.wallet.address(address.canonical)
    if own is None:
        if any(node.wallet.owner(receiver) for receiver in address.receivers):
            raise RpcError(
                Code.PARAMETER,
                "Invalid from address: The provided address is a bare receiver from a Unified Address in this"
                " wallet. Provide the UA as returned by z_getaddressforaccount instead.",
            )
        raise RpcError(Code.ADDRESS, "Invalid from address, no payment source found for address.")
    if SAPLING not in own.typecodes:
        raise _orchard_refused()
    return own.account


def _orchard_refused() -> RpcError:
    return RpcError(Code.PARAMETER, "Orchard is not supported by this wallet since NU6.3.")


def _recipients(params: Params) -> list[Recipient]:
    rows = params.objects(1)
    if not rows:
        raise RpcError(Code.PARAMETER, "Invalid parameter, amounts array is empty.")
    recipients: list[Recipient] = []
    for fields in rows:
        recipient = _recipient(fields)
        if recipient.address in [each.address for each in recipients]:
            message = f"Invalid parameter, duplicated recipient address: {recipient.address}"
            raise RpcError(Code.PARAMETER, message)
        recipients.append(recipient)
    return recipients


def _recipient(fields: dict[str, Json]) -> Recipient:
    if unknown := sorted(fields.keys() - _RECIPIENT_FIELDS):
        raise RpcError(Code.PARAMETER, f"Invalid parameter, unknown key: {unknown[0][:32]}")
    address = _address(Params([fields.get("address")]).text(0))
    memo = memo_param(fields.get("memo"), is_transparent=address.is_transparent)
    return _to(address, zat=amount_zat(fields.get("amount")), memo=memo)


def _address(text: str) -> Address:
    try:
        address = parse(text, network=NETWORK)
    except AddressError:
        address = None
    # zcashd does not know TEX addresses.
    if address is None or address.kind is Kind.TEX:
        raise RpcError(Code.PARAMETER, f"Invalid parameter, unknown address format: {text[:128]}")
    return address


def _to(address: Address, *, zat: int, memo: bytes) -> Recipient:
    receivers = {receiver.typecode: receiver for receiver in address.receivers}
    if SAPLING in receivers:
        return Recipient(receivers[SAPLING], address.canonical, zat, memo)
    if ORCHARD in receivers or not address.is_transparent:
        raise _orchard_refused()
    return Recipient(address.receivers[0], address.canonical, zat)


def _send(
    node: Node, recipients: list[Recipient], *, source: Source, policy: Policy, broadcast: bool
) -> Json:
    try:
        made = plan(node, recipients, source=source)
        (transaction,) = made.transactions
        check_policy(transaction, chain=node.chain, policy=policy)
        (txid,) = carry_out(node, made, sent=broadcast)
    except InsufficientFundsError as error:
        message = f"Insufficient funds: have {Zec(error.have_zat)}, need {Zec(error.need_zat)}"
        raise RpcError(Code.INSUFFICIENT_FUNDS, message) from error
    return {"txid": txid}
