"""Typed access to the parameters of a call; null stands for an omitted one."""

from .errors import Code, RpcError
from .jsontext import Json

_INT32 = range(-(2**31), 2**31)


class Params:
    """The positional parameters of one call."""

    def __init__(self, values: list[Json]) -> None:
        self._values = values

    def get(self, at: int) -> Json:
        """Return a parameter of any type, None when it was omitted."""
        return self._values[at] if at < len(self._values) else None

    def text(self, at: int) -> str:
        """Return a string."""
        value = self.get(at)
        if not isinstance(value, str):
            raise _wrong_type("string", value)
        return value

    def integer(self, at: int, *, default: int | None = None, bounds: range = _INT32) -> int:
        """Return an integer; `bounds` are those of its type, 32 bits."""
        value = self.get(at)
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong_type("number", value)
        if value not in bounds:
            raise RpcError(Code.TYPE, "JSON integer out of range")
        return value

    def texts(self, at: int) -> list[str]:
        """Return an array of strings, empty when it was omitted."""
        value = self.get(at)
        if value is None:
            return []
        if not isinstance(value, list):
            raise _wrong_type("array", value)
        return [Params([item]).text(0) for item in value]

    def objects(self, at: int) -> list[dict[str, Json]]:
        """Return an array of objects."""
        value = self.get(at)
        if not isinstance(value, list):
            raise _wrong_type("array", value)
        found: list[dict[str, Json]] = []
        for item in value:
            if not isinstance(item, dict):
                raise _wrong_type("object", item)
            found.append(item)
        return found

    def boolean(self, at: int, *, default: bool) -> bool:
        """Return true or false."""
        value = self.get(at)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise _wrong_type("bool", value)
        return value


def _wrong_type(expected: str, value: Json) -> RpcError:
    return RpcError(Code.TYPE, f"Expected type {expected}, got {_type_name(value)}")


def _type_name(value: Json) -> str:
    if isinstance(value, bool):
        return "bool"
    names = {type(None): "null", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")
