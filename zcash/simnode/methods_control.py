"""Methods about the server itself."""

from collections.abc import Callable

from .jsontext import Json
from .methods import Registry
from .node import Node
from .params import Params


def control_methods(others: Registry, *, stop: Callable[[], None]) -> Registry:
    """Return `help` about all of these and the other methods, and `stop`, which asks the server to."""
    methods = Registry()

    @methods.method("help ( command )", "Returns the usage of a method, or of all.", most=1)
    def help_(_node: Node, params: Params) -> Json:
        everything = Registry()
        everything.update(others)
        everything.update(methods)
        return everything.help(None if params.get(0) is None else params.text(0))

    @methods.method("stop", "Stops the server.")
    def stop_(_node: Node, _params: Params) -> Json:
        stop()
        return "Zcash server stopping"

    return methods
