"""Bech32 (BIP-173) and Bech32m (BIP-350), without BIP-173's limit of 90 characters, as ZIP-316 needs it."""

from collections.abc import Iterable
from enum import IntEnum
from functools import reduce
from operator import xor

from .errors import AddressError


class Variant(IntEnum):
    """The constant that a valid checksum leaves behind."""

    BECH32 = 1
    BECH32M = 0x2BC830A3


_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_DIGITS = {character: digit for digit, character in enumerate(_ALPHABET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_DIGITS = 6
# What the five bits that leave the residue on top put back into it; looked up, as texts may have millions.
_TERMS = tuple(
    reduce(xor, (term for bit, term in enumerate(_GENERATOR) if top >> bit & 1), 0) for top in range(32)
)


def encode(hrp: str, data: bytes, *, variant: Variant) -> str:
    """Return the data behind a human-readable part, in small letters."""
    digits = _to_digits(data)
    residue = _polymod([*_expand(hrp), *digits, *[0] * _CHECKSUM_DIGITS]) ^ variant
    checksum = [(residue >> 5 * (_CHECKSUM_DIGITS - 1 - i)) & 31 for i in range(_CHECKSUM_DIGITS)]
    return f"{hrp}1" + "".join(_ALPHABET[digit] for digit in [*digits, *checksum])


def split(text: str) -> tuple[str, str]:
    """Return the human-readable part, in small letters, and the rest of a text; ("", text) if it has no `1`.

    The last `1` separates: the digits' alphabet has none.
    """
    hrp, _, rest = text.rpartition("1")
    return hrp.lower(), rest


def decode(text: str, *, variant: Variant) -> tuple[str, bytes]:
    """Return human-readable part and data of a text, both in small letters or both in capitals.

    Raises:
        AddressError: `mixed_case`, `characters`, `checksum` or `padding`.
    """
    if text not in (text.lower(), text.upper()):
        raise AddressError(
            "an address in mixed case; use small letters or capitals, not both", reason="mixed_case"
        )
    hrp, rest = split(text)
    digits = _digits(rest.lower())
    if len(digits) < _CHECKSUM_DIGITS or _polymod([*_expand(hrp), *digits]) != variant:
        raise AddressError(
            "an address with a wrong checksum; look for a mistyped character", reason="checksum"
        )
    return hrp, _to_bytes(digits[:-_CHECKSUM_DIGITS])


def _digits(text: str) -> list[int]:
    if not _DIGITS.keys() >= set(text):
        raise AddressError("an address with a character that no address has", reason="characters")
    return [_DIGITS[character] for character in text]


def _expand(hrp: str) -> list[int]:
    codes = hrp.encode("ascii")
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _polymod(digits: Iterable[int]) -> int:
    residue = 1
    for digit in digits:
        residue = (residue & 0x1FFFFFF) << 5 ^ digit ^ _TERMS[residue >> 25]
    return residue


def _to_digits(data: bytes) -> list[int]:
    digits: list[int] = []
    pending, bits = 0, 0
    for byte in data:
        pending, bits = (pending << 8 | byte) & 0xFFF, bits + 8
        while bits >= 5:
            bits -= 5
            digits.append(pending >> bits & 31)
    if bits:
        digits.append(pending << (5 - bits) & 31)
    return digits


def _to_bytes(digits: Iterable[int]) -> bytes:
    data = bytearray()
    pending, bits = 0, 0
    for digit in digits:
        pending, bits = (pending << 5 | digit) & 0xFFF, bits + 5
        if bits >= 8:
            bits -= 8
            data.append(pending >> bits & 0xFF)
    # Else several texts would stand for the same bytes.
    if bits >= 5 or pending & ((1 << bits) - 1):
        raise AddressError("an address whose last character cannot be", reason="padding")
    return bytes(data)
