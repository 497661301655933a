"""JSON-RPC as zcashd speaks it: single calls with their HTTP status, and batches."""

import logging

from . import methods_addresses, methods_chain, methods_sim, methods_wallet
from .errors import Code, RpcError
from .jsontext import Json, dumps, loads
from .methods import Registry
from .node import Node

log = logging.getLogger(__name__)

_STATUSES = {Code.INVALID_REQUEST: 400, Code.METHOD_NOT_FOUND: 404}


def zcashd_methods() -> Registry:
    """Return every method of zcashd's dialect that needs nothing but the node."""
    methods = Registry()
    for module in (methods_chain, methods_addresses, methods_wallet, methods_sim):
        methods.update(module.methods)
    return methods


class Rpc:
    """Answers request bodies; safe to use from several threads."""

    def __init__(self, node: Node, *, methods: Registry) -> None:
        self._node = node
        self._methods = methods

    def answer(self, body: bytes) -> tuple[int, str]:
        """Return the HTTP status and the JSON text that answer a request body."""
        try:
            request = loads(body)
            if not isinstance(request, dict | list):
                raise RpcError(Code.PARSE, "Top-level object parse error")
        except RpcError as error:
            return _failure(error)
        if isinstance(request, dict):
            return self._single(request)
        return 200, _line([self._batched(each) for each in request])

    def _single(self, request: dict[str, Json]) -> tuple[int, str]:
        try:
            return 200, _line(_reply(request, result=self._call(request)))
        except RpcError as error:
            return _failure(error, request=request)

    def _batched(self, request: Json) -> Json:
        if not isinstance(request, dict):
            return _reply({}, error=RpcError(Code.INVALID_REQUEST, "Invalid Request object"))
        try:
            return _reply(request, result=self._call(request))
        except RpcError as error:
            return _reply(request, error=error)

    def _call(self, request: dict[str, Json]) -> Json:
        name, values = _method_and_params(request)
        try:
            with self._node.lock:
                return self._methods.call(self._node, name, values)
        except RpcError:
            raise
        except OSError as error:
            log.exception("the journal cannot be written")
            raise RpcError(Code.DATABASE, "the data directory cannot be written") from error
        except Exception as error:
            log.exception("the method %s failed", name)
            raise RpcError(Code.INTERNAL, "internal error") from error


def _method_and_params(request: dict[str, Json]) -> tuple[str, list[Json]]:
    name, values = request.get("method"), request.get("params")
    if name is None:
        raise RpcError(Code.INVALID_REQUEST, "Missing method")
    if not isinstance(name, str):
        raise RpcError(Code.INVALID_REQUEST, "Method must be a string")
    if values is None:
        return name, []
    if not isinstance(values, list):
        raise RpcError(Code.INVALID_REQUEST, "Params must be an array")
    return name, values


def _reply(request: dict[str, Json], *, result: Json = None, error: RpcError | None = None) -> Json:
    failure: Json = None if error is None else {"code": error.code.value, "message": error.message}
    return {"result": result, "error": failure, "id": request.get("id")}


def _failure(error: RpcError, *, request: dict[str, Json] | None = None) -> tuple[int, str]:
    return _STATUSES.get(error.code, 500), _line(_reply(request or {}, error=error))


def _line(reply: Json) -> str:
    return dumps(reply) + "\n"
