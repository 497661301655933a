"""Sending by `z_sendmany`, and the asynchronous operations behind it, as zcashd and zallet share them.

Whatever either answers as an error of `z_sendmany` itself is said before it has begun: nothing was sent.
"""

import re
from collections.abc import Sequence

from core.amounts import zec

from .answers import Record, records, texts, unexpected
from .port import Operation, OperationStatus, Payment, PrivacyPolicy
from .rpc import RpcClient

_STATUSES = {
    "queued": OperationStatus.RUNNING,
    "executing": OperationStatus.RUNNING,
    "success": OperationStatus.SUCCEEDED,
    "failed": OperationStatus.FAILED,
    "cancelled": OperationStatus.FAILED,
}
_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")
_MAX_ERROR = 300
_INT32 = 2**31


def send(
    rpc: RpcClient, payments: Sequence[Payment], *, source: str, policy: PrivacyPolicy, minconf: int | None
) -> str:
    """Ask the wallet for one transaction to all recipients; return the operation's id.

    Args:
        minconf: how deep the notes that are spent must be mined; None leaves it to the wallet.

    Raises:
        NodeRefused, NodeNotReady: definitely nothing was sent.
        NodeUnavailable: any other of its kind says nothing about whether it was sent.
    """
    recipients = [_recipient(payment) for payment in payments]
    # No fee: the wallet pays the conventional one (ZIP-317).
    answer = rpc.call("z_sendmany", source, recipients, minconf, None, policy.value)
    if not isinstance(answer, str) or not _ID.fullmatch(answer):
        unexpected("z_sendmany", "is no operation's id")
    return answer


def _recipient(payment: Payment) -> dict[str, str]:
    # A text: a JSON number can pass through a float on its way.
    recipient = {"address": payment.address, "amount": f"{zec(payment.amount_zat):.8f}"}
    return recipient if payment.memo is None else recipient | {"memo": payment.memo.hex()}


def operation(rpc: RpcClient, operation_id: str) -> Operation | None:
    """Return how far an operation is, None where the wallet has forgotten it."""
    method = "z_getoperationstatus"
    found = records(rpc.call(method, [operation_id]), what=method)
    if not found:
        return None
    if len(found) > 1 or found[0].text("id") != operation_id:
        unexpected(method, "is about other operations")
    return _operation(found[0], operation_id=operation_id)


def _operation(answer: Record, *, operation_id: str) -> Operation:
    status = _STATUSES[answer.choice("status", choices=frozenset(_STATUSES))]
    if status is OperationStatus.SUCCEEDED:
        return _succeeded(answer.record("result"), operation_id=operation_id)
    if status is OperationStatus.FAILED:
        return _failed(answer, operation_id=operation_id)
    return Operation(operation_id, status)


def _succeeded(result: Record, *, operation_id: str) -> Operation:
    # zcashd tells one txid; zallet an array, because paying a TEX address takes two transactions (ZIP-320).
    txids = result.hashes("txids") if "txids" in result else [result.hash("txid")]
    if not txids:
        unexpected("z_getoperationstatus.result", "names no transaction")
    broadcast = result.boolean("broadcast") if "broadcast" in result else True
    return Operation(operation_id, OperationStatus.SUCCEEDED, tuple(txids), broadcast)


def _failed(answer: Record, *, operation_id: str) -> Operation:
    if "error" not in answer:
        return Operation(operation_id, OperationStatus.FAILED, error=answer.text("status"))
    error = answer.record("error")
    return Operation(
        operation_id,
        OperationStatus.FAILED,
        error_code=error.integer("code", low=-_INT32),
        error=error.excerpt("message", length=_MAX_ERROR),
    )


def sent_txids(rpc: RpcClient) -> list[str]:
    """Return the transactions of all operations that succeeded since the wallet's last start."""
    method = "z_getoperationstatus"
    found = [
        _operation(each, operation_id=each.text("id")) for each in records(rpc.call(method), what=method)
    ]
    return [txid for each in found for txid in each.txids]


def is_sending(rpc: RpcClient) -> bool:
    """Return whether any operation of the wallet is queued or being carried out."""
    # In the order in which an operation goes through them, so that it cannot slip between the two calls.
    method = "z_listoperationids"
    return any(texts(rpc.call(method, status), what=method) for status in ("queued", "executing"))
