"""Methods about asynchronous operations; zcashd and zallet answer alike."""

from .errors import Code, RpcError
from .jsontext import Json
from .methods import Registry
from .node import Node
from .operations import Operation, Status
from .params import Params

methods = Registry()

_CANCELLED = "cancelled"


@methods.method(
    'z_getoperationstatus ( ["opid", ...] )',
    "Returns how far operations are, all without a list; unknown ids are left out.",
    most=1,
)
def z_getoperationstatus(node: Node, params: Params) -> Json:
    """Answer with one row for each operation that is known."""
    return [row(each) for each in node.operations.find(params.texts(0))]


@methods.method(
    'z_getoperationresult ( ["opid", ...] )',
    "Returns the operations that are over, all without a list, and forgets them.",
    most=1,
)
def z_getoperationresult(node: Node, params: Params) -> Json:
    """Answer with one row for each operation that is over."""
    final = [each for each in node.operations.find(params.texts(0)) if each.status.is_final]
    for operation in final:
        node.operations.remove(operation)
    return [row(each) for each in final]


@methods.method(
    "z_listoperationids ( status )", "Returns the ids of operations, of all or of a status.", most=1
)
def z_listoperationids(node: Node, params: Params) -> Json:
    """Answer with ids, oldest first."""
    status = None if params.get(0) is None else params.text(0)
    if status not in (None, _CANCELLED, *Status):
        raise RpcError(Code.PARAMETER, f"Invalid operation state: {status[:32] if status else ''}")
    return [each.id for each in node.operations.find() if status in (None, each.status)]


def row(operation: Operation) -> Json:
    """Return an operation as an answer shows it."""
    shown: dict[str, Json] = {
        "id": operation.id,
        "status": operation.status.value,
        "creation_time": operation.created_at,
        "method": operation.method,
        "params": operation.params,
    }
    if operation.failure:
        shown["error"] = {"code": operation.failure.code, "message": operation.failure.message}
    if operation.status is Status.SUCCESS:
        shown |= {"result": operation.result, "execution_secs": 0}
    return shown
