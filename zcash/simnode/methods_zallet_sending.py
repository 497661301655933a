"""zallet's way to send: everything but proving and sending out is checked before the answer."""

from collections.abc import Sequence
from functools import partial

from zcash.addresses import P2PKH, P2SH, Address, AddressError, Kind, Receiver, parse

from . import methods_operations
from .amounts import MAX_ZAT, amount_zat
from .errors import Code, RpcError
from .jsontext import Json
from .memos import memo_param
from .methods_zallet_status import check_unlocked
from .node import Node
from .openrpc import OpenRegistry
from .params import Params
from .policies import check_policy, policy_named
from .spending import (
    InsufficientFundsError,
    Plan,
    Recipient,
    Source,
    SpentMeanwhileError,
    carry_out,
    plan,
)
from .wallet import NETWORK

methods = OpenRegistry()

# The default of zallet's setting builder.limits.orchard_actions.
_MOST_ACTIONS = 50
_KNOWN_TYPECODES = 4
_NEEDED = frozenset({"address", "amount"})
_FIELDS = _NEEDED | {"memo"}
# ZIP-315 (draft), as zallet applies it: what strangers paid, and the wallet's own change.
_MINCONF, _CHANGE_MINCONF = 10, 3
_COUNTS = range(2**32)


@methods.method(
    "z_sendmany fromaddress amounts ( minconf fee privacy_policy )",
    "Sends to several recipients from the account of an address; returns the id of an operation.",
    fewest=2,
)
def z_sendmany(node: Node, params: Params) -> Json:
    """Answer with an operation's id; a transaction that cannot be made is refused at once."""
    check_unlocked(node)
    if params.get(3) is not None:
        message = "Zallet always calculates fees internally; the fee field must be null."
        raise RpcError(Code.PARAMETER, message)
    recipients = _recipients(params)
    source = _source(node, params)
    policy = policy_named(None if params.get(4) is None else params.text(4))
    made = _proposed(node, recipients, source=source)
    # The second transaction for TEX recipients spends what the first one shows already.
    check_policy(made.transactions[0], chain=node.chain, policy=policy)
    _check_actions(made)
    shown: Json = {"fromaddress": params.get(0), "amounts": params.get(1), "minconf": params.get(2)}
    return node.operations.start("z_sendmany", params=shown, work=partial(_sent, node, made), now=node.now())


def _recipients(params: Params) -> list[Recipient]:
    recipients = [_recipient(each) for each in params.objects(1)]
    if not recipients:
        raise RpcError(Code.PARAMETER, "Invalid parameter, amounts array is empty.")
    if len({parse(each.address).canonical for each in recipients}) < len(recipients):
        raise RpcError(Code.PARAMETER, "Invalid parameter, duplicated recipient address")
    if sum(each.amount_zat for each in recipients) > MAX_ZAT:
        raise RpcError(Code.PARAMETER, "Value too large")
    return recipients


def _recipient(fields: dict[str, Json]) -> Recipient:
    if not _NEEDED <= fields.keys() <= _FIELDS:
        raise RpcError(Code.INVALID_PARAMS, "Invalid params: a recipient has address, amount and maybe memo")
    text, memo = fields["address"], fields.get("memo")
    if not isinstance(text, str) or not isinstance(memo, str | None):
        raise RpcError(Code.INVALID_PARAMS, "Invalid params: address and memo are texts")
    address = _parse(text)
    return Recipient(
        _best_receiver(address),
        text,
        amount_zat(fields["amount"]),
        memo_param(memo, is_transparent=address.is_transparent),
        is_tex=address.kind is Kind.TEX,
    )


def _parse(text: str) -> Address:
    try:
        return parse(text, network=NETWORK)
    except AddressError as error:
        message = f"Invalid parameter, unknown address format: {text[:128]}"
        raise RpcError(Code.PARAMETER, message) from error


def _best_receiver(address: Address) -> Receiver:
    # ZIP-316: the most preferred of the known kinds, and these are numbered by preference.
    known = [receiver for receiver in address.receivers if receiver.typecode < _KNOWN_TYPECODES]
    return max(known, key=lambda receiver: receiver.typecode)


def _source(node: Node, params: Params) -> Source:
    text = params.text(0)
    try:
        address = parse(text, network=NETWORK)
    except AddressError as error:
        raise RpcError(Code.ADDRESS, "Invalid from address: should be a taddr, zaddr or UA.") from error
    accounts = {node.wallet.account_of(receiver) for receiver in address.receivers}
    typecodes = {receiver.typecode for receiver in address.receivers} - {P2PKH, P2SH}
    (account,) = accounts if len(accounts) == 1 else (None,)
    if account is None or not typecodes:
        message = "Invalid from address, no payment source found for address."
        raise RpcError(Code.ADDRESS, message)
    if params.get(2) is None:
        return Source(account, typecodes, _MINCONF, _CHANGE_MINCONF)
    return Source(account, typecodes, params.integer(2, bounds=_COUNTS))


def _proposed(node: Node, recipients: Sequence[Recipient], *, source: Source) -> Plan:
    try:
        return plan(node, recipients, source=source)
    except InsufficientFundsError as error:
        raise RpcError(
            Code.WALLET,
            "Failed to propose transaction: Insufficient balance"
            f" (have {error.have_zat}, need {error.need_zat} including fee)",
        ) from error


def _check_actions(made: Plan) -> None:
    """Refuse a plan with a transaction that takes too long to prove: each action is a spend and an output.

    zallet counts Orchard's alone. Here every pool counts, so that no batch passes only because its recipients
    happen to have no Orchard receiver.
    """
    actions = max(max(len(each.inputs), len(each.outputs)) for each in made.transactions)
    if actions > _MOST_ACTIONS:
        raise RpcError(
            Code.MISC, f"{actions} Orchard actions would exceed the current limit of {_MOST_ACTIONS}"
        )


def _sent(node: Node, made: Plan, *, broadcast: bool) -> Json:
    # Notes are not locked in between: another operation may have been faster.
    try:
        txids = carry_out(node, made, sent=broadcast)
    except SpentMeanwhileError as error:
        raise RpcError(Code.WALLET, "SendTransaction: Transaction commit failed") from error
    single: dict[str, Json] = {"txid": txids[0]} if len(txids) == 1 else {}
    return {**single, "txids": list[Json](txids), "broadcast": broadcast}


methods.method("z_getoperationstatus operationid", "Returns how far operations are.", fewest=1)(
    methods_operations.z_getoperationstatus
)
methods.method("z_getoperationresult operationid", "Returns operations that are over, once.", fewest=1)(
    methods_operations.z_getoperationresult
)
methods.method("z_listoperationids ( status )", "Returns the ids of operations.")(
    methods_operations.z_listoperationids
)
