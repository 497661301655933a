"""Methods that make the simulated node misbehave, on the wire and in its wallet."""

from collections.abc import Mapping
from decimal import Decimal

from .condition import Condition
from .errors import Code, RpcError
from .faults import CONTROL_PREFIX, Fault, Faults, Kind
from .jsontext import Json
from .methods import Registry
from .node import Node
from .params import Params

_FLAGS = frozenset({"locked", "recovering", "blank"})
_FIELDS = frozenset({"kind", "method", "times", "after", "seconds"})
_MAX_CALLS = 1_000_000
_MAX_SECONDS = 3600


def fault_methods(faults: Faults) -> Registry:
    """Return `sim_fault`, which switches these faults."""
    methods = Registry()

    @methods.method(
        'sim_fault {"kind", "method", "times", "after", "seconds"}',
        "Switches on the one fault of a kind: slow, hang, half, not_json, huge, redirect, wrong_chain,\n"
        "syncing, warming_up, reset_before, reset_after or server_error. It meets the calls of a method\n"
        "(null: of all but sim_...), so many times (null: until further notice), after letting some pass.\n"
        "null ends it.",
        fewest=1,
        most=1,
    )
    def sim_fault(_node: Node, params: Params) -> Json:
        fields = params.get(0)
        if fields is not None and not isinstance(fields, dict):
            raise RpcError(Code.TYPE, "A fault is an object, or null for none")
        faults.switch(None if fields is None else _fault(fields))
        return None

    return methods


methods = Registry()


@methods.method(
    'sim_wallet {"locked", "behind", "recovering", "blank"}',
    "Sets how the wallet stands: locked, so many blocks behind, recovering from a reorg, or blank: it is\n"
    "rescanning and lists nothing. What is left out is as usual.",
    fewest=1,
    most=1,
)
def sim_wallet(node: Node, params: Params) -> Json:
    """Replace the wallet's condition."""
    fields = params.get(0)
    if not isinstance(fields, dict):
        raise RpcError(Code.TYPE, "A condition is an object")
    flags = {name: value for name, value in fields.items() if name != "behind"}
    if unknown := sorted(flags.keys() - _FLAGS):
        raise RpcError(Code.PARAMETER, f"A wallet's condition has no field {unknown[0][:32]}")
    if not all(isinstance(flag, bool) for flag in flags.values()):
        raise RpcError(Code.TYPE, "locked, recovering and blank are true or false")
    behind = _count(fields.get("behind", 0), "behind", fewest=0)
    node.condition = Condition(behind=behind, **{name: flag is True for name, flag in flags.items()})
    return None


def _fault(fields: Mapping[str, Json]) -> Fault:
    if unknown := sorted(fields.keys() - _FIELDS):
        raise RpcError(Code.PARAMETER, f"A fault has no field {unknown[0][:32]}")
    times = fields.get("times")
    return Fault(
        _kind(fields.get("kind")),
        method=_method(fields.get("method")),
        times=None if times is None else _count(times, "times", fewest=1),
        after=_count(fields.get("after", 0), "after", fewest=0),
        seconds=_seconds(fields.get("seconds", 1)),
    )


def _kind(value: Json) -> Kind:
    if isinstance(value, str) and value in list(Kind):
        return Kind(value)
    raise RpcError(Code.PARAMETER, f"kind must be one of {', '.join(Kind)}")


def _method(value: Json) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise RpcError(Code.TYPE, "method must be a string or null")
    if value.startswith(CONTROL_PREFIX):
        raise RpcError(Code.PARAMETER, "control methods are never faulted")
    return value


def _count(value: Json, name: str, *, fewest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not fewest <= value <= _MAX_CALLS:
        raise RpcError(Code.PARAMETER, f"{name} must be an integer from {fewest} to {_MAX_CALLS}")
    return value


def _seconds(value: Json) -> float:
    if not isinstance(value, int | Decimal) or isinstance(value, bool) or not 0 <= value <= _MAX_SECONDS:
        raise RpcError(Code.PARAMETER, f"seconds must be a number from 0 to {_MAX_SECONDS}")
    return float(value)
