"""Payment URIs, read: every rule of ZIP-321, and what is written comes back."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcash.addresses import (
    ORCHARD,
    P2PKH,
    SAPLING,
    Network,
    Receiver,
    base58,
    bech32,
    encode_p2pkh,
    encode_p2sh,
    encode_sapling,
    encode_tex,
    encode_unified,
    parse,
)
from zcash.zip321 import MAX_URI_CHARACTERS, PaymentRequest, UriError, build_uri, parse_uri

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "zip321.json").read_text())

SHIELDED = encode_sapling(bytes(43), network=Network.REGTEST)
TRANSPARENT = encode_p2pkh(bytes(20), network=Network.REGTEST)
TEX = encode_tex(bytes(20), network=Network.REGTEST)
SPROUT = base58.encode_check(b"\x16\xb6" + bytes(64))
ORCHARD_ONLY = encode_unified([Receiver(ORCHARD, bytes(43))], network=Network.REGTEST)
SAPLING_ONLY = encode_unified([Receiver(SAPLING, bytes(43))], network=Network.REGTEST)
ASSET = "AAAA" * 22
MAX_ZAT = 21_000_000 * 10**8

ADDRESSES = st.one_of(
    st.sampled_from([SHIELDED, TRANSPARENT, TEX, ORCHARD_ONLY, SAPLING_ONLY]),
    st.builds(encode_p2sh, st.binary(min_size=20, max_size=20), network=st.sampled_from(Network)),
    st.builds(
        lambda key_hash, raw: encode_unified(
            [Receiver(P2PKH, key_hash), Receiver(ORCHARD, raw)], network=Network.MAIN
        ),
        st.binary(min_size=20, max_size=20),
        st.binary(min_size=43, max_size=43),
    ),
)


@st.composite
def payment_requests(draw: st.DrawFn) -> PaymentRequest:
    address = parse(draw(ADDRESSES))
    takes_assets = any(receiver.typecode == ORCHARD for receiver in address.receivers)
    return PaymentRequest(
        address=address,
        amount_zat=draw(st.none() | st.integers(int(address.is_transparent), MAX_ZAT)),
        memo=draw(st.none() | st.binary(max_size=512)) if address.is_shielded else None,
        label=draw(st.none() | st.text(max_size=40)),
        message=draw(st.none() | st.text(max_size=40)),
        asset_id=draw(st.none() | st.binary(min_size=66, max_size=66)) if takes_assets else None,
    )


def only(uri: str) -> PaymentRequest:
    (request,) = parse_uri(uri)
    return request


def refusal(uri: str, *, network: Network | None = None) -> UriError:
    with pytest.raises(UriError) as caught:
        parse_uri(uri, network=network)
    return caught.value


@pytest.mark.parametrize(("uri", "payments"), VECTORS["valid"]["cases"])
def test_reads_the_official_valid_uris(uri: str, payments: list[Any]) -> None:
    found = parse_uri(uri, network=Network.TEST)

    assert [
        [each.address.canonical, each.amount_zat, each.memo and each.memo.decode(), each.message]
        for each in found
    ] == payments


@pytest.mark.parametrize(("uri", "reason"), VECTORS["invalid"]["cases"])
def test_refuses_the_official_invalid_uris(uri: str, reason: str) -> None:
    assert refusal(uri).reason == reason


@given(requests=st.lists(payment_requests(), min_size=1, max_size=4))
def test_reads_what_is_written(requests: list[PaymentRequest]) -> None:
    assert parse_uri(build_uri(requests)) == tuple(requests)


@given(requests=st.lists(payment_requests(), min_size=2, max_size=4), data=st.data())
def test_gives_no_meaning_to_the_order_of_parameters(requests: list[PaymentRequest], data: Any) -> None:
    parameters = build_uri(requests).removeprefix("zcash:?").split("&")

    shuffled = "zcash:?" + "&".join(data.draw(st.permutations(parameters)))

    assert parse_uri(shuffled) == tuple(requests)


@given(text=st.text(alphabet=st.characters(max_codepoint=300), max_size=60))
def test_answers_any_text_with_payments_or_a_uri_error(text: str) -> None:
    for uri in (text, f"zcash:{text}", f"zcash:{TEX}?{text}", f"zcash:{TEX}?amount={text}&label={text}"):
        assert answer(uri) != ()


def test_takes_both_places_of_the_address_for_the_same() -> None:
    assert parse_uri(f"zcash:{SHIELDED}?amount=1") == parse_uri(f"zcash:?amount=1&address={SHIELDED}")


def test_takes_any_index_up_to_9999_in_any_order_and_with_gaps() -> None:
    uri = f"zcash:?amount.9999=3&address.2={TEX}&address.9999={SHIELDED}&amount.2=2&address={TRANSPARENT}"

    found = parse_uri(uri)

    assert [each.address.canonical for each in found] == [TRANSPARENT, TEX, SHIELDED]
    assert [each.amount_zat for each in found] == [None, 2 * 10**8, 3 * 10**8]


@pytest.mark.parametrize(
    ("text", "amount_zat"),
    [
        ("1", 10**8),
        ("050", 50 * 10**8),
        ("50.00", 50 * 10**8),
        ("00.500", 5 * 10**7),
        ("0.00000001", 1),
        ("21000000.00000000", MAX_ZAT),
        pytest.param("0" * 5000 + "7", 7 * 10**8, id="thousands of zeros"),
    ],
)
def test_reads_amounts_exactly(text: str, amount_zat: int) -> None:
    assert only(f"zcash:{TEX}?amount={text}").amount_zat == amount_zat


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "50.", ".5", "50,00", "50,000.00", "-1", "+1", "1e3", "0x10", "1_000", "1.123456789",
        " 1", "NaN", "1.2.3", "1=1",
    ],
)  # fmt: skip
def test_refuses_what_is_no_amount(text: str) -> None:
    assert refusal(f"zcash:{TEX}?amount={text}").reason == "amount"


@pytest.mark.parametrize("text", ["21000000.00000001", "21000001", "99999999999999999"])
def test_refuses_more_than_there_can_be(text: str) -> None:
    assert refusal(f"zcash:{TEX}?amount={text}").reason == "amount_range"


def test_refuses_an_amount_of_thousands_of_digits() -> None:
    assert refusal(f"zcash:{TEX}?amount={'9' * 6000}").reason == "amount_range"


def test_takes_an_amount_of_zero_only_where_a_memo_can_go_with_it() -> None:
    assert only(f"zcash:{SHIELDED}?amount=0").amount_zat == 0
    assert refusal(f"zcash:{TRANSPARENT}?amount=0.00").reason == "amount_zero"
    assert refusal(f"zcash:{TEX}?amount=0").reason == "amount_zero"


@pytest.mark.parametrize(("text", "memo"), [("", b""), ("AA", b"\0"), ("-_-_", b"\xfb\xff\xbf")])
def test_reads_a_memo(text: str, memo: bytes) -> None:
    assert only(f"zcash:{SHIELDED}?memo={text}").memo == memo


@pytest.mark.parametrize("text", ["A", "AAAAA", "AA==", "A+AA", "A/AA", "AB", "AAB", "%41A", "AAA "])
def test_refuses_what_is_no_memo(text: str) -> None:
    assert refusal(f"zcash:{SHIELDED}?memo={text}").reason == "base64url"


def test_refuses_a_memo_of_more_than_512_bytes() -> None:
    assert only(f"zcash:{SHIELDED}?memo={'A' * 683}").memo == bytes(512)
    assert refusal(f"zcash:{SHIELDED}?memo={'A' * 684}").reason == "memo_length"


@pytest.mark.parametrize("address", [TRANSPARENT, TEX])
def test_refuses_a_memo_to_a_transparent_address(address: str) -> None:
    assert refusal(f"zcash:?memo=AA&address={address}").reason == "memo_transparent"


def test_reads_label_and_message_and_takes_a_plus_for_a_plus() -> None:
    found = only(f"zcash:{TEX}?label=a+b%20%c3%A9&message=")

    assert (found.label, found.message) == ("a+b \u00e9", "")


@pytest.mark.parametrize(
    "text",
    ["a b", "%", "%4", "%zz", "%ff", "%c0%af", "%ed%a0%80", "a#b", "a?b", "a/b", "a=b", '"', "<", "\t"],
)
@pytest.mark.parametrize("name", ["label", "message", "other"])
def test_refuses_what_percent_encoding_does_not_allow(name: str, text: str) -> None:
    assert refusal(f"zcash:{TEX}?{name}={text}").reason == "characters"


def test_reads_an_asset() -> None:
    found = only(f"zcash:{ORCHARD_ONLY}?asset_id={ASSET}&amount=1")

    assert (found.asset_id, found.amount_zat) == (bytes(66), 10**8)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "asset_encoding"),
        (ASSET[1:], "asset_encoding"),
        (ASSET + "A", "asset_encoding"),
        ("@" + ASSET[1:], "base64url"),
        (ASSET[:-1] + "=", "base64url"),
    ],
)
def test_refuses_what_is_no_asset(text: str, reason: str) -> None:
    assert refusal(f"zcash:{ORCHARD_ONLY}?asset_id={text}").reason == reason


@pytest.mark.parametrize("address", [TRANSPARENT, TEX, SHIELDED, SAPLING_ONLY])
def test_refuses_an_asset_without_an_orchard_receiver(address: str) -> None:
    assert refusal(f"zcash:{address}?asset_id={ASSET}").reason == "asset_receiver"


@pytest.mark.parametrize(
    "rest", ["?", "?&", "?amount=1&", "?&&amount=1", "?other", "?x-y+z.7=a&address.7=" + TEX]
)
def test_ignores_empty_and_unknown_parameters(rest: str) -> None:
    assert parse_uri(f"zcash:{TEX}{rest}")[0].address == parse(TEX)


@pytest.mark.parametrize("rest", ["", "?", "?&"])
def test_refuses_a_uri_without_any_payment(rest: str) -> None:
    assert refusal(f"zcash:{rest}").reason == "address_missing"


@pytest.mark.parametrize("name", ["amount", "memo", "label", "message", "other", "asset_id"])
def test_refuses_parameters_of_an_index_without_an_address(name: str) -> None:
    assert refusal(f"zcash:{TEX}?{name}.3=1").reason == "address_missing"


@pytest.mark.parametrize(
    "parameters",
    ["amount=1&amount=1", "label=&label=", "x=1&x=2", f"address={TEX}", f"address.1={TEX}&address.1={TEX}"],
)
def test_refuses_what_is_given_twice(parameters: str) -> None:
    assert refusal(f"zcash:{TEX}?{parameters}").reason == "duplicate"


@pytest.mark.parametrize("index", ["0", "00", "01", "10000", "", "-1", "1.1", "x", "\u0661"])
def test_refuses_an_index_that_is_none(index: str) -> None:
    assert refusal(f"zcash:?address.{index}={TEX}").reason in ("index", "characters")


@pytest.mark.parametrize("name", ["1x", "=1", "a_b", "a b", "-x", "a#", "amount\0"])
def test_refuses_a_name_that_is_none(name: str) -> None:
    assert refusal(f"zcash:{TEX}?{name}=1").reason == "name"


@pytest.mark.parametrize("name", ["Amount", "ADDRESS", "Memo", "Asset_id", "REQ-x"])
def test_refuses_a_known_name_in_capitals_rather_than_ignore_it(name: str) -> None:
    assert refusal(f"zcash:{TEX}?{name}=1").reason in ("name_case", "name")


@pytest.mark.parametrize("name", ["req-", "req-x", "req-amount", "req-x.1", "req-x.1=a"])
def test_refuses_every_requirement(name: str) -> None:
    assert refusal(f"zcash:{TEX}?address.1={TEX}&{name}").reason == "required"


@pytest.mark.parametrize("name", ["amount", "address", "memo", "label", "message", "asset_id"])
def test_refuses_a_known_parameter_without_a_value(name: str) -> None:
    assert refusal(f"zcash:{TEX}?{name}").reason == "value_missing"


@pytest.mark.parametrize(
    "uri",
    [
        f"zcash:{TEX.replace('t', '%74', 1)}",
        f"zcash:?address={TEX.replace('t', '%74', 1)}",
        f"zcash:{TEX}?amount=1%30",
        f"zcash:{TEX}?%61mount=1",
        f"zcash:{TEX}?amount%2E1=1",
    ],
)
def test_refuses_percent_encoding_in_names_addresses_and_amounts(uri: str) -> None:
    assert refusal(uri).reason == "percent_encoding"


@pytest.mark.parametrize("scheme", ["zcash", "", "bitcoin:", "zcash;", " zcash:", "http:", "ZCASH"])
def test_refuses_another_scheme(scheme: str) -> None:
    assert refusal(f"{scheme}{TEX}").reason == "scheme"


def test_takes_the_scheme_in_capitals() -> None:
    assert parse_uri(f"ZCASH:{TEX.upper()}") == parse_uri(f"zcash:{TEX}")


@pytest.mark.parametrize(
    ("address", "phrase"),
    [
        (SPROUT, "Sprout"),
        (TEX[:-1], "checksum"),
        (TEX[:9].upper() + TEX[9:], "mixed case"),
        (bech32.encode("ur", bytes(80), variant=bech32.Variant.BECH32M), "revision 1"),
        ("", "empty"),
        (f"{TEX}#x", ""),
        (f" {TEX}", ""),
    ],
)
def test_says_why_an_address_cannot_be_paid(address: str, phrase: str) -> None:
    error = refusal(f"zcash:?address.4={address}")

    assert (error.reason, error.parameter, error.position) == ("address", "address.4", 7)
    assert phrase in str(error)


def test_refuses_an_address_of_another_network() -> None:
    error = refusal(f"zcash:{SHIELDED}?address.1={TEX}", network=Network.MAIN)

    assert error.reason == "address"
    assert "regtest" in str(error)


def test_says_where_it_is_wrong() -> None:
    uri = f"zcash:{TEX}?label=a&amount=x"

    error = refusal(uri)

    assert error.position == uri.index("amount")
    assert str(error).startswith(f"amount at character {error.position}: ")


@pytest.mark.parametrize("name", ["x\n" * 20, "x" * 500 + "_"], ids=["lines", "long"])
def test_repeats_little_of_what_it_was_given(name: str) -> None:
    assert len(str(refusal(f"zcash:{TEX}?{name}=1"))) < 120
    assert "\n" not in str(refusal(f"zcash:{TEX}?{name}=1"))


@pytest.mark.parametrize("text", ["\u00e9", "\u2028", "\ud800", "\U0001f984"])
def test_refuses_what_is_not_ascii_and_says_where(text: str) -> None:
    error = refusal(f"zcash:{TEX}?label={text}")

    assert (error.reason, error.position) == ("characters", len(f"zcash:{TEX}?label="))


def test_refuses_a_uri_that_is_too_long() -> None:
    longest = f"zcash:{TEX}?label=".ljust(MAX_URI_CHARACTERS, "x")

    assert parse_uri(longest)
    assert refusal(longest + "x").reason == "too_long"


@pytest.mark.parametrize(
    "unit", ["&", "&x", "amount=", "%41", "%", "0", "a.1&", "&address.1=" + TEX, ".", "?", "=", "//"]
)
@pytest.mark.parametrize("start", [f"zcash:{TEX}?label=", f"zcash:{TEX}?amount=", "zcash:?memo="])
def test_takes_a_time_in_proportion_to_the_length(start: str, unit: str) -> None:
    # Ten times the text, in processor time; a quadratic reader would take a hundred times as long.
    short, long = (start + unit * (length // len(unit)) + "x" for length in (6_000, 60_000))

    assert best_seconds(long) < 40 * best_seconds(short) + 0.001


def answer(uri: str) -> tuple[PaymentRequest, ...] | str:
    try:
        return parse_uri(uri)
    except UriError as error:
        return error.reason


def best_seconds(uri: str) -> float:
    return min(seconds(uri) for _ in range(5))


def seconds(uri: str) -> float:
    started = time.thread_time()
    with contextlib.suppress(UriError):
        parse_uri(uri)
    return time.thread_time() - started
