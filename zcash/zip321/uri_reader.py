"""Reading payment request URIs: the whole grammar of ZIP-321, in linear time, with nothing repaired."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import unquote

from core.amounts import MAX_ZAT, ZAT_PER_ZEC
from zcash.addresses import Address, AddressError, Network, parse

from .request import MAX_URI_CHARACTERS, PaymentRequest, UriError

_SCHEME = "zcash:"
_REQUIRED = "req-"
_ADDRESS: Final = "address"
_ASSET: Final = "asset_id"
_KNOWN = frozenset({_ADDRESS, "amount", _ASSET, "memo", "label", "message"})

_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9+-]*|{_ASSET}", re.ASCII)
_INDEX = re.compile(r"[1-9][0-9]{0,3}")
_AMOUNT = re.compile(r"([0-9]+)(?:\.([0-9]{1,8}))?")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_QCHARS = re.compile(r"(?:[A-Za-z0-9._~!$'()*+,;:@-]|%[0-9A-Fa-f]{2})*")
_ASSET_CHARACTERS = 88
_MAX_REPEATED = 40

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter as it is written; the empty index is 0, which no written one can be."""

    name: str
    index: int
    value: str
    written: str
    position: int

    def refused(self, problem: str, *, reason: str) -> UriError:
        # What somebody else wrote is repeated only where it can be read, and in part.
        written = self.written[:_MAX_REPEATED] if self.written.isprintable() else ""
        return UriError(problem, reason=reason, parameter=written, position=self.position)


def parse_uri(text: str, *, network: Network | None = None) -> tuple[PaymentRequest, ...]:
    """Return the payments that a URI asks for, in the order of their indices, at least one.

    Raises:
        UriError: the text is no payment request URI, or asks for what cannot be paid, on `network` if given.
    """
    payments: dict[int, dict[str, _Parameter]] = {}
    for parameter in _parameters(text):
        payment = payments.setdefault(parameter.index, {})
        if parameter.name in payment:
            raise parameter.refused("given twice", reason="duplicate")
        payment[parameter.name] = parameter
    if not payments:
        raise UriError("it names no address", reason="address_missing")
    return tuple(_request(payments[index], network=network) for index in sorted(payments))


def _parameters(text: str) -> Iterator[_Parameter]:
    _check_text(text)
    address, mark, query = text[len(_SCHEME) :].partition("?")
    position = len(_SCHEME)
    if address.startswith("//"):
        raise UriError("`//` is no part of it", reason="slashes", position=position)
    if address:
        yield _Parameter(_ADDRESS, 0, address, _ADDRESS, position)
    position += len(address) + len(mark)
    for part in query.split("&"):
        # The grammar lets a parameter be empty.
        if part:
            yield _parameter(part, position=position)
        position += len(part) + 1


def _check_text(text: str) -> None:
    if len(text) > MAX_URI_CHARACTERS:
        raise UriError(f"longer than {MAX_URI_CHARACTERS} characters", reason="too_long")
    # RFC 3986: a scheme may be written in capitals.
    if text[: len(_SCHEME)].lower() != _SCHEME:
        raise UriError(f"it does not begin with `{_SCHEME}`", reason="scheme", position=0)
    if not text.isascii():
        position = next(at for at, character in enumerate(text) if not character.isascii())
        raise UriError("a character that is not ASCII", reason="characters", position=position)


def _parameter(text: str, *, position: int) -> _Parameter:
    key, equals, value = text.partition("=")
    name, dot, index = key.partition(".")
    parameter = _Parameter(name, 0, value, key, position)
    if "%" in key:
        raise parameter.refused("a name is not percent-encoded", reason="percent_encoding")
    if not _NAME.fullmatch(name):
        raise parameter.refused("not the name of a parameter", reason="name")
    if dot and not _INDEX.fullmatch(index):
        problem = "an index is a number from 1 to 9999 without leading zeros"
        raise parameter.refused(problem, reason="index")
    _check_name(parameter, has_value=bool(equals))
    return _Parameter(name, int(index) if dot else 0, value, key, position)


def _check_name(parameter: _Parameter, *, has_value: bool) -> None:
    small = parameter.name.lower()
    # Taken for an unknown parameter it would be ignored: an amount or a requirement would go unheard.
    if small != parameter.name and (small in _KNOWN or small.startswith(_REQUIRED)):
        raise parameter.refused("a name is written in small letters", reason="name_case")
    if small.startswith(_REQUIRED):
        raise parameter.refused("it requires what is not known here", reason="required")
    if small in _KNOWN and not has_value:
        raise parameter.refused("it has no value", reason="value_missing")
    if small not in _KNOWN:
        _text(parameter)


def _request(parameters: Mapping[str, _Parameter], *, network: Network | None) -> PaymentRequest:
    if _ADDRESS not in parameters:
        first = next(iter(parameters.values()))
        index = f".{first.index}" if first.index else ""
        raise first.refused(f"there is no {_ADDRESS}{index} that it belongs to", reason="address_missing")
    try:
        return PaymentRequest(
            address=_address(parameters[_ADDRESS], network=network),
            amount_zat=_optional(parameters, "amount", _amount_zat),
            memo=_optional(parameters, "memo", _base64url),
            label=_optional(parameters, "label", _text),
            message=_optional(parameters, "message", _text),
            asset_id=_optional(parameters, _ASSET, _asset),
        )
    except UriError as error:
        if error.position is not None:
            raise
        # What binds parts to each other was broken: now it is known where.
        raise parameters[error.parameter].refused(error.problem, reason=error.reason) from error


def _optional(
    parameters: Mapping[str, _Parameter], name: str, read: Callable[[_Parameter], Value]
) -> Value | None:
    return read(parameters[name]) if name in parameters else None


def _address(parameter: _Parameter, *, network: Network | None) -> Address:
    if "%" in parameter.value:
        raise parameter.refused("an address is not percent-encoded", reason="percent_encoding")
    try:
        return parse(parameter.value, network=network)
    except AddressError as error:
        raise parameter.refused(f"this is {error}", reason="address") from error


def _amount_zat(parameter: _Parameter) -> int:
    if "%" in parameter.value:
        raise parameter.refused("an amount is not percent-encoded", reason="percent_encoding")
    match = _AMOUNT.fullmatch(parameter.value)
    if match is None:
        problem = "an amount is digits, and a point and 1 to 8 digits where it has a fraction"
        raise parameter.refused(problem, reason="amount")
    whole, fraction = match[1].lstrip("0") or "0", match[2] or ""
    # Digits are turned into a number only where they can be one that counts.
    if len(whole) > len(str(MAX_ZAT)):
        return MAX_ZAT + 1
    return int(whole) * ZAT_PER_ZEC + int(fraction.ljust(8, "0"))


def _base64url(parameter: _Parameter) -> bytes:
    value = parameter.value
    data = b""
    if _BASE64URL.fullmatch(value) and len(value) % 4 != 1:
        data = urlsafe_b64decode(value + "=" * (-len(value) % 4))
    # One encoding for each content: no bits are left over.
    if urlsafe_b64encode(data).rstrip(b"=").decode() != value:
        raise parameter.refused("not base64url without padding", reason="base64url")
    return data


def _asset(parameter: _Parameter) -> bytes:
    if len(parameter.value) != _ASSET_CHARACTERS:
        raise parameter.refused(f"an asset has {_ASSET_CHARACTERS} characters", reason="asset_encoding")
    return _base64url(parameter)


def _text(parameter: _Parameter) -> str:
    if not _QCHARS.fullmatch(parameter.value):
        raise parameter.refused("a character that has to be percent-encoded", reason="characters")
    try:
        return unquote(parameter.value, errors="strict")
    except UnicodeDecodeError as error:
        raise parameter.refused("not UTF-8 behind its percent-encoding", reason="characters") from error
