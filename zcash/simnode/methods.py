"""The methods of the RPC: a table of names, arities and help texts, and one small function each."""

from collections.abc import Callable
from dataclasses import dataclass

from .errors import Code, RpcError
from .jsontext import Json
from .node import Node
from .params import Params

Handler = Callable[[Node, Params], Json]


@dataclass(frozen=True, slots=True)
class Method:
    """One method; `usage` names the parameters, optional ones in round brackets."""

    handler: Handler
    usage: str
    summary: str
    fewest: int
    most: int

    @property
    def help_text(self) -> str:
        """What `help` and a call with a wrong number of parameters answer."""
        return f"{self.usage}\n\n{self.summary}\n"


class Registry(dict[str, Method]):
    """Methods by name."""

    def method(
        self, usage: str, summary: str, *, fewest: int = 0, most: int = 0
    ) -> Callable[[Handler], Handler]:
        """Return a decorator that registers a function under the first word of `usage`."""

        def register(handler: Handler) -> Handler:
            self[usage.split()[0]] = Method(handler, usage, summary, fewest, most)
            return handler

        return register

    def help(self, name: str | None) -> str:
        """Return one method's help text, or every method's usage."""
        if name is None:
            return "\n".join(method.usage for _, method in sorted(self.items()))
        method = self.get(name)
        return method.help_text if method else f"help: unknown command: {name}"

    def call(self, node: Node, name: str, values: list[Json]) -> Json:
        """Carry out one call; the caller holds the node's lock.

        Raises:
            RpcError: whatever the call is refused with; -32601 for an unknown method, -1 with the help text
                for a wrong number of parameters.
        """
        method = self.get(name)
        if method is None:
            raise RpcError(Code.METHOD_NOT_FOUND, "Method not found")
        if not method.fewest <= len(values) <= method.most:
            raise RpcError(Code.MISC, method.help_text)
        return method.handler(node, Params(values))
