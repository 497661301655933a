"""Writing payment request URIs."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from core.amounts import MAX_ZAT, zec_text
from zcash.addresses import parse

from .request import MAX_URI_CHARACTERS, PaymentRequest, UriError

_MAX_INDEX = 9999


def payment_uri(
    address: str, *, amount_zat: int, message: str | None = None, memo: bytes | None = None
) -> str:
    """Return the URI that asks for an amount in zatoshis; `memo` travels to the payee, `message` does not.

    Raises:
        AddressError: the address is not acceptable.
        ValueError: the amount is not above 0 or above the whole supply; the memo is longer than 512 bytes,
            or the address cannot take one.
    """
    if not 0 < amount_zat <= MAX_ZAT:
        raise ValueError(f"cannot ask for {amount_zat} zatoshis")
    return build_uri([PaymentRequest(parse(address), amount_zat, memo=memo, message=message)])


def build_uri(requests: Sequence[PaymentRequest]) -> str:
    """Return the URI of payments to be made in one transaction; few wallets take more than one.

    Raises:
        UriError: there are none or too many, or they do not fit into `MAX_URI_CHARACTERS`.
    """
    if not 1 <= len(requests) <= _MAX_INDEX + 1:
        raise UriError(f"a URI asks for 1 to {_MAX_INDEX + 1} payments", reason="payments")
    if len(requests) == 1:
        # Some wallets know an address in this place only.
        parameters = "&".join(_parameters(requests[0], index=""))
        uri = f"zcash:{requests[0].address.canonical}" + (f"?{parameters}" if parameters else "")
    else:
        uri = "zcash:?" + "&".join(_all_parameters(requests))
    if len(uri) > MAX_URI_CHARACTERS:
        raise UriError(f"longer than {MAX_URI_CHARACTERS} characters", reason="too_long")
    return uri


def _all_parameters(requests: Sequence[PaymentRequest]) -> Iterator[str]:
    for number, request in enumerate(requests):
        index = f".{number}" if number else ""
        yield f"address{index}={request.address.canonical}"
        yield from _parameters(request, index=index)


def _parameters(request: PaymentRequest, *, index: str) -> Iterator[str]:
    if request.amount_zat is not None:
        yield f"amount{index}={zec_text(request.amount_zat)}"
    if request.asset_id is not None:
        yield f"asset_id{index}={_base64url(request.asset_id)}"
    if request.memo is not None:
        yield f"memo{index}={_base64url(request.memo)}"
    # More than ZIP-321 asks for: everything but RFC 3986's unreserved characters is percent-encoded.
    if request.label is not None:
        yield f"label{index}={quote(request.label, safe='')}"
    if request.message is not None:
        yield f"message{index}={quote(request.message, safe='')}"


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
