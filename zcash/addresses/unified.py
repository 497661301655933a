"""Unified addresses of revision 0 (ZIP-316): a list of typed receivers, padded, jumbled, in Bech32m."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import bech32, f4jumble
from .errors import AddressError

P2PKH = 0x00
P2SH = 0x01
SAPLING = 0x02
ORCHARD = 0x03

_LENGTHS = {P2PKH: 20, P2SH: 20, SAPLING: 43, ORCHARD: 43}
# Metadata that whoever does not understand it must refuse; revision 0 understands none.
_MUST_UNDERSTAND = range(0xE0, 0xFD)
_MAX_TYPECODE = 0x2000000
_PADDING_BYTES = 16
# First byte of a compactSize that has a tail: how many bytes, and the least value that needs so many.
_COMPACT_TAILS = {0xFD: (2, 0xFD), 0xFE: (4, 0x10000), 0xFF: (8, 0x100000000)}


@dataclass(frozen=True, slots=True)
class Receiver:
    """One way to be paid: a ZIP-316 typecode and its raw bytes (unknown typecodes included)."""

    typecode: int
    data: bytes


def encode(receivers: Sequence[Receiver], *, hrp: str) -> str:
    """Return the unified address of the receivers, in order of typecode whatever their order here.

    Raises:
        AddressError: `unified_*`: receivers that make no revision 0 address.
    """
    ordered = sorted(receivers, key=lambda receiver: receiver.typecode)
    _check(ordered)
    items = b"".join(
        _compact(receiver.typecode) + _compact(len(receiver.data)) + receiver.data for receiver in ordered
    )
    message = items + _padding(hrp)
    if len(message) > f4jumble.MAX_BYTES:
        raise _refused("is longer than unified addresses can be", reason="unified_encoding")
    return bech32.encode(hrp, f4jumble.jumble(message), variant=bech32.Variant.BECH32M)


def decode(text: str) -> tuple[Receiver, ...]:
    """Return the receivers of a unified address whose human-readable part is known to be one.

    Raises:
        AddressError: Bech32m's reasons, or `unified_*`.
    """
    hrp, jumbled = bech32.decode(text, variant=bech32.Variant.BECH32M)
    try:
        message = f4jumble.unjumble(jumbled)
    except ValueError as error:
        raise _refused("has a length that no unified address has", reason="unified_encoding") from error
    items, padding = message[:-_PADDING_BYTES], message[-_PADDING_BYTES:]
    if padding != _padding(hrp):
        raise _refused("has the padding of another prefix", reason="unified_padding")
    receivers = tuple(_receivers(items))
    _check(receivers)
    return receivers


def _padding(hrp: str) -> bytes:
    return hrp.encode("ascii").ljust(_PADDING_BYTES, b"\0")


def _receivers(items: bytes) -> Iterator[Receiver]:
    at = 0
    while at < len(items):
        typecode, at = _read_compact(items, at=at)
        length, at = _read_compact(items, at=at)
        if at + length > len(items):
            raise _refused("ends in the middle of a receiver", reason="unified_encoding")
        yield Receiver(typecode, items[at : at + length])
        at += length


def _check(receivers: Sequence[Receiver]) -> None:
    typecodes = [receiver.typecode for receiver in receivers]
    _check_order(typecodes)
    if P2PKH in typecodes and P2SH in typecodes:
        raise _refused("has two transparent receivers", reason="unified_two_transparent")
    if any(typecode in _MUST_UNDERSTAND for typecode in typecodes):
        raise _refused("makes demands that revision 0 does not know", reason="unified_must_understand")
    if SAPLING not in typecodes and ORCHARD not in typecodes:
        raise _refused("has no shielded receiver", reason="unified_no_shielded")
    if any(
        len(receiver.data) != _LENGTHS.get(receiver.typecode, len(receiver.data)) for receiver in receivers
    ):
        raise _refused("has a receiver of a wrong length", reason="unified_receiver_length")


def _check_order(typecodes: Sequence[int]) -> None:
    if any(not 0 <= typecode <= _MAX_TYPECODE for typecode in typecodes):
        raise _refused("has a receiver type out of range", reason="unified_encoding")
    if len(set(typecodes)) != len(typecodes):
        raise _refused("has two receivers of one type", reason="unified_duplicate")
    if list(typecodes) != sorted(typecodes):
        raise _refused("has its receivers in a wrong order", reason="unified_order")


def _compact(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    if number <= 0xFFFF:
        return b"\xfd" + number.to_bytes(2, "little")
    return b"\xfe" + number.to_bytes(4, "little")


def _read_compact(items: bytes, *, at: int) -> tuple[int, int]:
    """Return the number that starts at a position, and the position behind it."""
    if at >= len(items):
        raise _refused("ends in the middle of a receiver", reason="unified_encoding")
    tail, least = _COMPACT_TAILS.get(items[at], (0, 0))
    end = at + 1 + tail
    if end > len(items):
        raise _refused("ends in the middle of a receiver", reason="unified_encoding")
    number = int.from_bytes(items[at + 1 : end], "little") if tail else items[at]
    # A number has one encoding, the shortest: else one address could be written in several ways.
    if number < least:
        raise _refused("has a number that is not in its shortest form", reason="unified_encoding")
    return number, end


def _refused(problem: str, *, reason: str) -> AddressError:
    return AddressError(f"a unified address that {problem}", reason=reason)
