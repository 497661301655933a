"""Payment request URIs (ZIP-321), in the form that every wallet takes: one recipient, no index."""

from base64 import urlsafe_b64encode
from urllib.parse import quote

from core.amounts import MAX_ZAT, zec_text

from .addresses import parse

MAX_MEMO_BYTES = 512


def payment_uri(
    address: str, *, amount_zat: int, message: str | None = None, memo: bytes | None = None
) -> str:
    """Return the URI that asks for an amount in zatoshis; `memo` travels to the payee, `message` does not.

    Raises:
        AddressError: the address is not acceptable.
        ValueError: the amount is not above 0 or above the whole supply; the memo is longer than 512 bytes,
            or the address cannot take one.
    """
    payee = parse(address)
    if not 0 < amount_zat <= MAX_ZAT:
        raise ValueError(f"cannot ask for {amount_zat} zatoshis")
    uri = f"zcash:{payee.canonical}?amount={zec_text(amount_zat)}"
    if memo is not None:
        uri += f"&memo={_memo_text(memo, shielded=payee.is_shielded)}"
    if message is not None:
        # More than ZIP-321 asks for: everything but RFC 3986's unreserved characters.
        uri += f"&message={quote(message, safe='')}"
    return uri


def _memo_text(memo: bytes, *, shielded: bool) -> str:
    if not shielded:
        raise ValueError("a transparent address takes no memo")
    if len(memo) > MAX_MEMO_BYTES:
        raise ValueError(f"a memo has at most {MAX_MEMO_BYTES} bytes, not {len(memo)}")
    return urlsafe_b64encode(memo).rstrip(b"=").decode()
