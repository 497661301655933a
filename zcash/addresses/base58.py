"""Base58Check: the encoding of transparent and Sprout addresses."""

import hashlib

from .errors import AddressError

# Decoding is quadratic in the length; the longest address in base58, Sprout's, has 95 characters.
MAX_LENGTH = 128

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: digit for digit, character in enumerate(_ALPHABET)}
_CHECKSUM_BYTES = 4


def encode_check(payload: bytes) -> str:
    """Return the payload and its checksum in base58."""
    data = payload + _checksum(payload)
    number = int.from_bytes(data, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    return _ALPHABET[0] * _leading_zeros(data) + "".join(reversed(digits))


def decode_check(text: str) -> bytes:
    """Return the payload of a text whose checksum holds.

    Raises:
        AddressError: `not_an_address` or `checksum`.
    """
    data = _decode(text)
    payload, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if len(data) < _CHECKSUM_BYTES or _checksum(payload) != checksum:
        raise AddressError(
            "an address with a wrong checksum; look for a mistyped character", reason="checksum"
        )
    return payload


def _decode(text: str) -> bytes:
    if not 0 < len(text) <= MAX_LENGTH or not _DIGITS.keys() >= set(text):
        raise AddressError("not a Zcash address", reason="not_an_address")
    number = 0
    for character in text:
        number = number * 58 + _DIGITS[character]
    zeros = len(text) - len(text.lstrip(_ALPHABET[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _leading_zeros(data: bytes) -> int:
    return len(data) - len(data.lstrip(b"\0"))


def _checksum(payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:_CHECKSUM_BYTES]
