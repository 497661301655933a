"""JSON with exact numbers and bounded depth."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import NoReturn, TypeAlias

from .amounts import Zec
from .errors import Code, RpcError

Json: TypeAlias = "bool | int | Decimal | str | Zec | list[Json] | dict[str, Json] | None"

MAX_DEPTH = 64

_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_STEP = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def loads(body: bytes) -> Json:
    """Return the JSON value of a body; a number with a point or an exponent comes as Decimal.

    Raises:
        RpcError: -32700: no JSON, nested too deeply, or with a number that none can be.
    """
    if _is_deep(body):
        raise RpcError(Code.PARSE, "Parse error")
    try:
        value: Json = json.loads(body.decode(), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, InvalidOperation):
        raise RpcError(Code.PARSE, "Parse error") from None
    return value


def _is_deep(body: bytes) -> bool:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(body):
        depth += _STEP.get(match.group(), 0)
        if depth > MAX_DEPTH:
            return True
    return False


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def dumps(value: Json) -> str:
    """Return the value as JSON; amounts in ZEC get exactly 8 decimals and never pass through a float."""
    if isinstance(value, Zec | Decimal):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{dumps(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)
