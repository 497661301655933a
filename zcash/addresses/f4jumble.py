"""F4Jumble (ZIP-316): the unkeyed permutation that spreads every byte of a unified address over all of it."""

import hashlib
from collections.abc import Iterable

MIN_BYTES = 48
MAX_BYTES = 4_194_368

_HASH_BYTES = 64


def jumble(message: bytes) -> bytes:
    """Return the permuted message; its length stays.

    Raises:
        ValueError: shorter than `MIN_BYTES` or longer than `MAX_BYTES`.
    """
    a, b = _halves(message)
    x = _xor(b, _g(0, a, length=len(b)))
    y = _xor(a, _h(0, x, length=len(a)))
    d = _xor(x, _g(1, y, length=len(b)))
    c = _xor(y, _h(1, d, length=len(a)))
    return c + d


def unjumble(jumbled: bytes) -> bytes:
    """Return the message that `jumble` permuted.

    Raises:
        ValueError: shorter than `MIN_BYTES` or longer than `MAX_BYTES`.
    """
    c, d = _halves(jumbled)
    y = _xor(c, _h(1, d, length=len(c)))
    x = _xor(d, _g(1, y, length=len(d)))
    a = _xor(y, _h(0, x, length=len(c)))
    b = _xor(x, _g(0, a, length=len(d)))
    return a + b


def _halves(message: bytes) -> tuple[bytes, bytes]:
    if not MIN_BYTES <= len(message) <= MAX_BYTES:
        raise ValueError(f"F4Jumble takes {MIN_BYTES} to {MAX_BYTES} bytes, not {len(message)}")
    left = min(_HASH_BYTES, len(message) // 2)
    return message[:left], message[left:]


def _h(round_: int, data: bytes, *, length: int) -> bytes:
    person = b"UA_F4Jumble_H" + bytes([round_, 0, 0])
    return hashlib.blake2b(data, digest_size=length, person=person).digest()


def _g(round_: int, data: bytes, *, length: int) -> bytes:
    blocks = range((length + _HASH_BYTES - 1) // _HASH_BYTES)
    return b"".join(_g_blocks(round_, data, blocks=blocks))[:length]


def _g_blocks(round_: int, data: bytes, *, blocks: Iterable[int]) -> Iterable[bytes]:
    for block in blocks:
        person = b"UA_F4Jumble_G" + bytes([round_]) + block.to_bytes(2, "little")
        yield hashlib.blake2b(data, digest_size=_HASH_BYTES, person=person).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
