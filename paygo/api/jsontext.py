"""JSON from strangers (RFC 8259), bounded before it is parsed; plain functions without Django.

Numbers keep their digits: whole ones of at most 20 are int, all others Decimal, and what is no number at all
(`NaN`, `1e99999999999999999999`) is a Decimal that is not finite, so that a field refuses it by its name.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_DEPTH = 8
_MAX_INTEGER_DIGITS = 20

# A string is one match even where it never ends, so that the scan stays linear.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
# PostgreSQL stores neither; no raw one gets through UTF-8 and the parser, an escaped one does.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class JSONError(ValueError):
    """The bytes are no JSON document that is accepted; the message is for the person who sent them."""


class UnstorableTextError(JSONError):
    """A text has a NUL character or half of a surrogate pair; `field` is the top-level one it is in."""

    def __init__(self, field: str) -> None:
        super().__init__("must not contain NUL characters or lone surrogates")
        self.field = field


def decode_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is, in time linear in its length.

    Raises:
        JSONError: not UTF-8, not JSON, not an object, too deep, or a name given twice.
        UnstorableTextError: a field has a character that cannot be stored.
    """
    text = _text(body)
    _check_depth(text)
    try:
        value = json.loads(
            text,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=lambda _: Decimal("NaN"),
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        raise JSONError(f"the body is not JSON: {error.msg} (character {error.pos})") from error
    if not isinstance(value, dict):
        raise JSONError("the body must be a JSON object")
    _check_storable(value)
    return value


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise JSONError(f"the body is not UTF-8 (byte {error.start})") from error


def _check_depth(text: str) -> None:
    """Refuse deep nesting first: the parser recurses once per level."""
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        first = token[0][0]
        depth += (first in "[{") - (first in "]}")
        if depth > MAX_DEPTH:
            raise JSONError(f"the body is nested deeper than {MAX_DEPTH} levels")


def _integer(digits: str) -> int | Decimal:
    # Reading and printing a huge int takes quadratic time; no field wants one.
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else Decimal(digits)


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        return Decimal("NaN")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise JSONError("the body has an object with the same name twice")
    return found


def _check_storable(document: dict[str, Any]) -> None:
    for field, value in document.items():
        if _UNSTORABLE.search(field):
            raise JSONError("the body has a name with a NUL character or a lone surrogate")
        if _is_unstorable(value):
            raise UnstorableTextError(field)


def _is_unstorable(value: Any) -> bool:
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is not None
    if isinstance(value, list):
        return any(map(_is_unstorable, value))
    if isinstance(value, dict):
        return any(_is_unstorable(part) for pair in value.items() for part in pair)
    return False
