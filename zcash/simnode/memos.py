"""Memos (ZIP-302): 512 bytes beside every shielded output."""

from contextlib import suppress

from .errors import Code, RpcError
from .jsontext import Json
from .params import Params

_MEMO_BYTES = 512
# How a memo that is none begins, and the last first byte of a text.
_NO_MEMO = b"\xf6"
_LAST_TEXT_BYTE = 0xF4


def memo_param(value: Json, *, is_transparent: bool) -> bytes:
    """Return the bytes of a hexadecimal memo, none where it was omitted.

    Raises:
        RpcError: -3 for another type; -8: too long, no hexadecimal text, or to a transparent recipient.
    """
    if value is None:
        return b""
    text = Params([value]).text(0)
    if is_transparent:
        raise RpcError(Code.PARAMETER, "Memo cannot be used with a taddr. It can only be used with a zaddr.")
    if len(text) > 2 * _MEMO_BYTES:
        raise RpcError(
            Code.PARAMETER,
            f"Invalid parameter, size of memo is larger than maximum allowed {_MEMO_BYTES}",
        )
    try:
        if text and not (text.isascii() and text.isalnum()):
            raise ValueError(text)
        return bytes.fromhex(text)
    except ValueError:
        message = "Invalid parameter, expected memo data in hexadecimal format."
        raise RpcError(Code.PARAMETER, message) from None


def memo_fields(memo: bytes) -> dict[str, Json]:
    """Return a memo as zcashd shows it: all bytes in hex, and the text where it is one."""
    fields: dict[str, Json] = {"memo": (memo or _NO_MEMO).ljust(_MEMO_BYTES, b"\0").hex()}
    if memo and memo[0] <= _LAST_TEXT_BYTE:
        with suppress(UnicodeDecodeError):
            fields["memoStr"] = memo.rstrip(b"\0").decode()
    return fields
