"""Payment URIs, written."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcash.addresses import (
    AddressError,
    Network,
    Receiver,
    encode_p2pkh,
    encode_sapling,
    encode_tex,
    encode_unified,
    parse,
)
from zcash.zip321 import MAX_URI_CHARACTERS, PaymentRequest, UriError, build_uri, payment_uri

UNIFIED = encode_unified([Receiver(2, bytes(43))], network=Network.REGTEST)
SAPLING = encode_sapling(bytes(43), network=Network.TEST)
TRANSPARENT = encode_p2pkh(bytes(20), network=Network.REGTEST)
TEX = encode_tex(bytes(20), network=Network.REGTEST)
MAX_ZAT = 21_000_000 * 10**8

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "zip321.json").read_text())


def parameters(uri: str) -> dict[str, str]:
    return dict(each.split("=", 1) for each in uri.partition("?")[2].split("&"))


def test_writes_the_official_example() -> None:
    expected, [[address, amount_zat, memo, message]] = VECTORS["valid"]["cases"][0]

    uri = payment_uri(address, amount_zat=amount_zat, message=message, memo=memo.encode())

    assert uri == expected


def test_writes_several_payments_as_the_official_example_does() -> None:
    expected, payments = VECTORS["valid"]["cases"][1]
    requests = [
        PaymentRequest(parse(address), amount_zat, memo=memo.encode() if memo else None)
        for address, amount_zat, memo, _ in payments
    ]

    assert build_uri(requests) == expected


def test_writes_an_address_alone() -> None:
    assert build_uri([PaymentRequest(parse(TEX))]) == f"zcash:{TEX}"


@pytest.mark.parametrize("count", [0, 10_001])
def test_writes_no_uri_for_no_payment_or_too_many(count: int) -> None:
    with pytest.raises(UriError) as refusal:
        build_uri([PaymentRequest(parse(TEX))] * count)

    assert refusal.value.reason == "payments"


def test_writes_no_uri_that_it_would_not_read() -> None:
    with pytest.raises(UriError) as refusal:
        payment_uri(UNIFIED, amount_zat=1, message="x" * MAX_URI_CHARACTERS)

    assert refusal.value.reason == "too_long"


@pytest.mark.parametrize(
    ("amount_zat", "text"),
    [
        (1, "0.00000001"),
        (10**8, "1"),
        (15 * 10**7, "1.5"),
        (10**9, "10"),
        (123456789012, "1234.56789012"),
        (MAX_ZAT, "21000000"),
        (MAX_ZAT - 1, "20999999.99999999"),
    ],
)
def test_writes_amounts_normalised(amount_zat: int, text: str) -> None:
    assert payment_uri(UNIFIED, amount_zat=amount_zat) == f"zcash:{UNIFIED}?amount={text}"


@pytest.mark.parametrize("amount_zat", [0, -1, MAX_ZAT + 1])
def test_refuses_an_amount_that_cannot_be_asked_for(amount_zat: int) -> None:
    with pytest.raises(ValueError, match="zatoshis"):
        payment_uri(UNIFIED, amount_zat=amount_zat)


def test_writes_the_canonical_form_of_the_address() -> None:
    assert payment_uri(UNIFIED.upper(), amount_zat=1) == payment_uri(UNIFIED, amount_zat=1)


@pytest.mark.parametrize("address", ["", "hello", UNIFIED[:-1], f"{UNIFIED}?amount=1", f"//{UNIFIED}"])
def test_refuses_a_bad_address(address: str) -> None:
    with pytest.raises(AddressError):
        payment_uri(address, amount_zat=1)


@given(memo=st.binary(max_size=512))
def test_writes_the_memo_url_safe_and_without_padding(memo: bytes) -> None:
    text = parameters(payment_uri(SAPLING, amount_zat=1, memo=memo))["memo"]

    assert not set(text) & set("+/=")
    assert urlsafe_b64decode(text + "=" * (-len(text) % 4)) == memo


@given(message=st.text(max_size=100))
def test_writes_the_message_percent_encoded(message: str) -> None:
    text = parameters(payment_uri(UNIFIED, amount_zat=1, message=message))["message"]

    assert text.isascii()
    assert not set(text) & set('&=+# ?/"<>')
    assert unquote(text) == message


def test_refuses_a_memo_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="512"):
        payment_uri(UNIFIED, amount_zat=1, memo=bytes(513))


@pytest.mark.parametrize("address", [TRANSPARENT, TEX])
def test_refuses_a_memo_to_a_transparent_address(address: str) -> None:
    with pytest.raises(ValueError, match="no memo"):
        payment_uri(address, amount_zat=1, memo=b"hello")
