"""Typed readers of what a node answers: a value of the wrong type or range never gets past them."""

import re
from decimal import Decimal
from typing import NoReturn

from core.amounts import MAX_ZAT, MAX_ZEC, zec

from .port import NodeUnavailable

_HEX64 = re.compile(r"[0-9a-f]{64}")
_HEX_BYTES = re.compile(r"(?:[0-9a-fA-F]{2}){0,512}")
# ZIP-302: a first byte of F6 with nothing behind it says that there is no memo.
_NO_MEMO = b"\xf6"

MAX_HEIGHT = 2**31 - 1
MAX_TEXT = 1024


def unexpected(what: str, problem: str) -> NoReturn:
    """Refuse an answer.

    Raises:
        NodeUnavailable: always; what cannot be understood is treated as no answer.
    """
    raise NodeUnavailable(f"the node answered what it should not: {what} {problem}")


def records(value: object, *, what: str) -> list["Record"]:
    """Return the objects of a JSON array."""
    if not isinstance(value, list):
        unexpected(what, "is not an array")
    return [Record(item, what=what) for item in value]


def texts(value: object, *, what: str) -> list[str]:
    """Return the strings of a JSON array."""
    if not isinstance(value, list) or not all(
        isinstance(item, str) and len(item) <= MAX_TEXT for item in value
    ):
        unexpected(what, "is not an array of short strings")
    return value


def hash_text(value: object, *, what: str) -> str:
    """Return a block hash or txid: 64 lower-case hex digits."""
    if not isinstance(value, str) or not _HEX64.fullmatch(value):
        unexpected(what, "is not 64 hex digits")
    return value


def memo_bytes(content: bytes) -> bytes | None:
    """Return a memo without its padding, None where there is none (ZIP-302)."""
    memo = content.rstrip(b"\0")
    return memo if memo not in (b"", _NO_MEMO) else None


def integer(value: object, *, what: str, low: int, high: int) -> int:
    """Return an integer between two bounds, both included; a boolean is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        unexpected(what, "is not an integer")
    if not low <= value <= high:
        unexpected(what, "is out of range")
    return value


class Record:
    """A JSON object with typed access to its fields; `what` names it in messages."""

    def __init__(self, value: object, *, what: str) -> None:
        if not isinstance(value, dict):
            unexpected(what, "is not an object")
        self._fields = value
        self._what = what

    def __contains__(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def names(self) -> list[str]:
        """Return the names of the fields that have a value."""
        return [name for name in self._fields if name in self]

    def _named(self, name: str) -> str:
        return f"{self._what}.{name}"

    def hash(self, name: str) -> str:
        """Return a block hash or txid."""
        return hash_text(self._fields.get(name), what=self._named(name))

    def integer(self, name: str, *, low: int = 0, high: int = MAX_HEIGHT) -> int:
        """Return an integer between two bounds, both included."""
        return integer(self._fields.get(name), what=self._named(name), low=low, high=high)

    def record(self, name: str) -> "Record":
        """Return an object."""
        return Record(self._fields.get(name), what=self._named(name))

    def records(self, name: str) -> list["Record"]:
        """Return the objects of an array."""
        return records(self._fields.get(name), what=self._named(name))

    def hashes(self, name: str) -> list[str]:
        """Return the block hashes or txids of an array."""
        return [hash_text(item, what=self._named(name)) for item in self.texts(name)]

    def texts(self, name: str) -> list[str]:
        """Return the strings of an array."""
        return texts(self._fields.get(name), what=self._named(name))

    def boolean(self, name: str) -> bool:
        """Return true or false."""
        value = self._fields.get(name)
        if not isinstance(value, bool):
            unexpected(self._named(name), "is not true or false")
        return value

    def text(self, name: str) -> str:
        """Return a string of at most `MAX_TEXT` characters."""
        value = self._fields.get(name)
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            unexpected(self._named(name), "is not a short string")
        return value

    def excerpt(self, name: str, *, length: int) -> str:
        """Return the beginning of a string of any length."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            unexpected(self._named(name), "is not a string")
        return value[:length]

    def choice(self, name: str, *, choices: frozenset[str]) -> str:
        """Return a string out of a fixed set."""
        value = self.text(name)
        if value not in choices:
            unexpected(self._named(name), f"is none of {', '.join(sorted(choices))}")
        return value

    def amount_zat(self, *, zat: str, zec: str) -> int:
        """Return zatoshis from the integer field, from the ZEC field, or from both when they agree."""
        if zat not in self:
            return self._zec_as_zat(zec)
        amount_zat = self.integer(zat, high=MAX_ZAT)
        if zec in self and self._zec_as_zat(zec) != amount_zat:
            unexpected(self._named(zat), f"contradicts {zec}")
        return amount_zat

    def _zec_as_zat(self, name: str) -> int:
        value = self._fields.get(name)
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            unexpected(self._named(name), "is not a number")
        # The bounds come first: an exponent of a million costs time as soon as it is computed with.
        if not 0 <= value <= MAX_ZEC:
            unexpected(self._named(name), "is out of range")
        amount_zat = int(Decimal(value).scaleb(8))
        if zec(amount_zat) != value:
            unexpected(self._named(name), "has more than 8 decimals")
        return amount_zat

    def memo(self, name: str) -> bytes | None:
        """Return a memo without its padding, None where there is none (ZIP-302)."""
        if name not in self:
            return None
        value = self._fields[name]
        if not isinstance(value, str) or not _HEX_BYTES.fullmatch(value):
            unexpected(self._named(name), "is not a memo in hex")
        return memo_bytes(bytes.fromhex(value))
