"""Payment request URIs (ZIP-321): written in the form that every wallet takes, read by the whole grammar."""

from .request import MAX_MEMO_BYTES, MAX_URI_CHARACTERS, PaymentRequest, UriError
from .uri_reader import parse_uri
from .uri_writer import build_uri, payment_uri

__all__ = [
    "MAX_MEMO_BYTES",
    "MAX_URI_CHARACTERS",
    "PaymentRequest",
    "UriError",
    "build_uri",
    "parse_uri",
    "payment_uri",
]
