"""A table of methods as zallet and zebrad serve them: parameters have names, which `rpc.discover` tells."""

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import Code, RpcError
from .jsontext import Json
from .methods import Registry
from .node import Node
from .params import Params

_INT32 = range(-(2**31), 2**31)
_VERSION = "1.3.2"


class TypedParams(Params):
    """Parameters of which a wrong type is -32602 already, before the method sees them."""

    def text(self, at: int) -> str:
        """Return a string."""
        with _invalid_params():
            return super().text(at)

    def integer(self, at: int, *, default: int | None = None, bounds: range = _INT32) -> int:
        """Return an integer."""
        with _invalid_params():
            return super().integer(at, default=default, bounds=bounds)

    def texts(self, at: int) -> list[str]:
        """Return an array of strings, empty when it was omitted."""
        with _invalid_params():
            return super().texts(at)

    def objects(self, at: int) -> list[dict[str, Json]]:
        """Return an array of objects, empty when it was omitted."""
        with _invalid_params():
            return super().objects(at)

    def boolean(self, at: int, *, default: bool) -> bool:
        """Return true or false."""
        with _invalid_params():
            return super().boolean(at, default=default)


@contextmanager
def _invalid_params() -> Iterator[None]:
    try:
        yield
    except RpcError as error:
        raise RpcError(Code.INVALID_PARAMS, f"Invalid params: {error.message}") from error


class OpenRegistry(Registry):
    """Methods by name, called as a server on jsonrpsee calls them."""

    def call(self, node: Node, name: str, values: list[Json]) -> Json:
        """Carry out one call; the caller holds the node's lock.

        Raises:
            RpcError: whatever the call is refused with; -32601 for an unknown method, -32602 where a
                parameter is missing. One too many is ignored.
        """
        method = self.get(name)
        if method is None:
            raise RpcError(Code.METHOD_NOT_FOUND, "Method not found")
        if len(values) < method.fewest:
            raise RpcError(Code.INVALID_PARAMS, "No more params")
        return method.handler(node, TypedParams(values))


def discoverable(methods: Registry, *, title: str) -> Registry:
    """Return `rpc.discover`, which describes these methods and itself in an OpenRPC document."""
    registry = OpenRegistry()
    own: Json = {"name": "rpc.discover", "params": []}
    described = [*(_described(name, methods) for name in sorted(methods)), own]

    @registry.method("rpc.discover", "Describes the methods.")
    def discover(_node: Node, _params: Params) -> Json:
        return {
            "openrpc": _VERSION,
            "info": {"title": title, "version": "0 (simulated)"},
            "methods": described,
        }

    return registry


def _described(name: str, methods: Registry) -> Json:
    method = methods[name]
    names = [word for word in method.usage.split()[1:] if word not in "()"]
    return {
        "name": name,
        "summary": method.summary,
        "params": [{"name": each, "required": number < method.fewest} for number, each in enumerate(names)],
    }
