"""JSON-RPC in a dialect: single calls with their HTTP status, and batches."""

import logging

from . import (
    methods_addresses,
    methods_chain,
    methods_mempool,
    methods_operations,
    methods_send,
    methods_sim,
    methods_transactions,
    methods_wallet,
)
from .dialects import Dialect
from .errors import Code, RpcError
from .faults import Fault, Kind, distorted
from .jsontext import Json, dumps, loads
from .methods import Registry
from .node import Node

log = logging.getLogger(__name__)

_ZCASHD = (
    methods_chain,
    methods_mempool,
    methods_addresses,
    methods_wallet,
    methods_transactions,
    methods_send,
    methods_operations,
    methods_sim,
)


def zcashd_methods() -> Registry:
    """Return every method of zcashd's dialect that needs nothing but the node."""
    methods = Registry()
    for module in _ZCASHD:
        methods.update(module.methods)
    return methods


class Rpc:
    """Answers request bodies; safe to use from several threads."""

    def __init__(self, node: Node, *, methods: Registry, dialect: Dialect = Dialect.ZCASHD) -> None:
        self.dialect = dialect
        self._node = node
        self._methods = methods

    def answer(self, body: bytes, *, fault: Fault | None = None) -> tuple[int, str]:
        """Return the HTTP status and the JSON text that answer a request body, distorted by a fault."""
        try:
            request = loads(body)
            if not isinstance(request, dict | list):
                raise RpcError(Code.PARSE, "Top-level object parse error")
        except RpcError as error:
            return self._failure(error, request={})
        if isinstance(request, dict):
            return self._single(request, fault=fault)
        return 200, _line([self._batched(each, fault=fault) for each in request])

    def _single(self, request: dict[str, Json], *, fault: Fault | None) -> tuple[int, str]:
        try:
            return 200, _line(self.dialect.reply(request, result=self._call(request, fault=fault)))
        except RpcError as error:
            return self._failure(error, request=request)

    def _failure(self, error: RpcError, *, request: dict[str, Json]) -> tuple[int, str]:
        return self.dialect.status(error, request=request), _line(self.dialect.reply(request, error=error))

    def _batched(self, request: Json, *, fault: Fault | None) -> Json:
        if not isinstance(request, dict):
            return self.dialect.reply({}, error=RpcError(Code.INVALID_REQUEST, "Invalid Request object"))
        try:
            return self.dialect.reply(request, result=self._call(request, fault=fault))
        except RpcError as error:
            return self.dialect.reply(request, error=error)

    def _call(self, request: dict[str, Json], *, fault: Fault | None) -> Json:
        name, values = _method_and_params(request)
        if fault is not None and fault.kind is Kind.WARMING_UP:
            raise RpcError(Code.WARMING_UP, "Loading block index...")
        try:
            with self._node.lock:
                result = self._methods.call(self._node, name, values)
        except RpcError:
            raise
        except OSError as error:
            log.exception("the journal cannot be written")
            raise RpcError(Code.DATABASE, "the data directory cannot be written") from error
        except Exception as error:
            log.exception("the method %s failed", name)
            raise RpcError(Code.INTERNAL, "internal error") from error
        return distorted(result, method=name, fault=fault)


def methods_called(body: bytes) -> list[str]:
    """Return the names of the methods that a request body calls, as far as it can be read."""
    try:
        value = loads(body)
    except RpcError:
        return []
    requests = value if isinstance(value, list) else [value]
    names = [each.get("method") for each in requests if isinstance(each, dict)]
    return [name for name in names if isinstance(name, str)]


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


def _line(reply: Json) -> str:
    return dumps(reply) + "\n"
