"""Hand-broken addresses: each is refused, by name."""

import hashlib
from collections.abc import Callable

import pytest

from zcash.addresses import (
    ORCHARD,
    P2PKH,
    P2SH,
    SAPLING,
    AddressError,
    Network,
    Receiver,
    base58,
    bech32,
    encode_p2pkh,
    encode_sapling,
    encode_tex,
    encode_unified,
    f4jumble,
    parse,
)
from zcash.addresses.bech32 import Variant

HASH = bytes(range(20))
RAW = bytes(range(43))

T_ADDRESS = encode_p2pkh(HASH, network=Network.REGTEST)
SAPLING_ADDRESS = encode_sapling(RAW, network=Network.REGTEST)
TEX_ADDRESS = encode_tex(HASH, network=Network.REGTEST)
UNIFIED_ADDRESS = encode_unified([Receiver(SAPLING, RAW)], network=Network.REGTEST)

SUFFIXES = ("", "test", "regtest")
SAPLING_ITEM = b"\x02\x2b" + RAW
ORCHARD_ITEM = b"\x03\x2b" + RAW


def refusal(text: str, *, network: Network | None = None) -> AddressError:
    with pytest.raises(AddressError) as caught:
        parse(text, network=network)
    return caught.value


def unified(items: bytes, *, hrp: str = "u", padding: str | None = None) -> str:
    message = items + (padding or hrp).encode().ljust(16, b"\0")
    return bech32.encode(hrp, f4jumble.jumble(message), variant=Variant.BECH32M)


def last_letter_changed(text: str) -> str:
    return text[:-1] + ("q" if text[-1] != "q" else "p")


def test_the_broken_addresses_are_built_from_a_good_one() -> None:
    assert parse(unified(SAPLING_ITEM + ORCHARD_ITEM)).networks == {Network.MAIN}


@pytest.mark.parametrize("text", [T_ADDRESS, SAPLING_ADDRESS, TEX_ADDRESS, UNIFIED_ADDRESS])
def test_refuses_a_wrong_checksum(text: str) -> None:
    assert refusal(last_letter_changed(text)).reason == "checksum"


@pytest.mark.parametrize("text", [T_ADDRESS, SAPLING_ADDRESS, TEX_ADDRESS, UNIFIED_ADDRESS])
@pytest.mark.parametrize("cut", [1, 2, 10])
def test_refuses_an_address_that_was_cut(text: str, cut: int) -> None:
    assert refusal(text[:-cut]).reason == "checksum"


@pytest.mark.parametrize("text", [SAPLING_ADDRESS, TEX_ADDRESS, UNIFIED_ADDRESS])
def test_refuses_mixed_case(text: str) -> None:
    assert refusal(text[:20] + text[20:].upper()).reason == "mixed_case"
    assert refusal(text[:1].upper() + text[1:]).reason == "mixed_case"


@pytest.mark.parametrize("text", [SAPLING_ADDRESS, TEX_ADDRESS, UNIFIED_ADDRESS])
def test_takes_capitals_for_the_same_address(text: str) -> None:
    assert parse(text.upper()) == parse(text)
    assert parse(text.upper()).canonical == text


def test_refuses_a_transparent_address_in_capitals() -> None:
    assert refusal(T_ADDRESS.upper()).reason in ("checksum", "not_an_address")


@pytest.mark.parametrize(
    ("variant", "hrp", "data"),
    [
        (Variant.BECH32M, "zs", RAW),
        (Variant.BECH32, "tex", HASH),
        (Variant.BECH32, "u", f4jumble.jumble(SAPLING_ITEM + b"u".ljust(16, b"\0"))),
    ],
)
def test_refuses_the_checksum_of_the_other_bech32(variant: Variant, hrp: str, data: bytes) -> None:
    assert refusal(bech32.encode(hrp, data, variant=variant)).reason == "checksum"


@pytest.mark.parametrize(
    ("variant", "hrp", "length"),
    [
        (Variant.BECH32, "zs", 42),
        (Variant.BECH32, "zs", 44),
        (Variant.BECH32M, "tex", 19),
        (Variant.BECH32M, "tex", 32),
    ],
)
def test_refuses_a_payload_of_a_wrong_length(variant: Variant, hrp: str, length: int) -> None:
    assert refusal(bech32.encode(hrp, bytes(length), variant=variant)).reason == "length"


@pytest.mark.parametrize("version", [b"\x1c\xb8", b"\x1c\xbd", b"\x1d\x25", b"\x1c\xba"])
@pytest.mark.parametrize("length", [19, 21, 0])
def test_refuses_a_transparent_payload_of_a_wrong_length(version: bytes, length: int) -> None:
    assert refusal(base58.encode_check(version + bytes(length))).reason == "not_an_address"


def test_refuses_bits_behind_the_last_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    # 43 bytes leave one bit over in the last digit, which has to be zero.
    digits = bech32._to_digits(RAW)
    monkeypatch.setattr(bech32, "_to_digits", lambda _data: [*digits[:-1], digits[-1] | 1])

    text = encode_sapling(RAW, network=Network.MAIN)

    assert refusal(text).reason == "padding"


def test_refuses_a_whole_digit_behind_the_last_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = bech32._to_digits(RAW)
    monkeypatch.setattr(bech32, "_to_digits", lambda _data: [*digits, 0])

    text = encode_sapling(RAW, network=Network.MAIN)

    assert refusal(text).reason == "padding"


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        (ORCHARD_ITEM + SAPLING_ITEM, "unified_order"),
        (SAPLING_ITEM + SAPLING_ITEM, "unified_duplicate"),
        (SAPLING_ITEM + ORCHARD_ITEM + SAPLING_ITEM, "unified_duplicate"),
        (b"\x00\x14" + HASH + b"\x01\x14" + HASH + SAPLING_ITEM, "unified_two_transparent"),
        (b"\x00\x14" + HASH + b"\xfd\xfa\xff\x14" + HASH, "unified_no_shielded"),
        (b"\x01\x20" + bytes(32), "unified_no_shielded"),
        (b"\xfd\xff\xff\x2b" + RAW, "unified_no_shielded"),
        (SAPLING_ITEM + b"\xe0\x04" + bytes(4), "unified_must_understand"),
        (SAPLING_ITEM + b"\xe1\x08" + bytes(8), "unified_must_understand"),
        (SAPLING_ITEM + b"\xfc\x00", "unified_must_understand"),
        (b"\x02\x2a" + RAW[:42], "unified_receiver_length"),
        (b"\x03\x2c" + RAW + b"\0", "unified_receiver_length"),
        (b"\x00\x15" + HASH + b"\0" + SAPLING_ITEM, "unified_receiver_length"),
        (SAPLING_ITEM + b"\0", "unified_encoding"),
        (SAPLING_ITEM + b"\x03", "unified_encoding"),
        (SAPLING_ITEM + b"\x03\x2b" + RAW[:-1], "unified_encoding"),
        (SAPLING_ITEM + b"\xfd", "unified_encoding"),
        (SAPLING_ITEM + b"\xfd\x00", "unified_encoding"),
        (b"\xfd\x02\x00\x2b" + RAW, "unified_encoding"),
        (b"\x02\xfd\x2b\x00" + RAW, "unified_encoding"),
        (b"\x02\xfe\x2b\x00\x00\x00" + RAW, "unified_encoding"),
        (SAPLING_ITEM + b"\xfe\xff\xff\x00\x00\x00", "unified_encoding"),
        (SAPLING_ITEM + b"\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00", "unified_encoding"),
        (SAPLING_ITEM + b"\xfe\x01\x00\x00\x02\x00", "unified_encoding"),
        (SAPLING_ITEM + b"\xff\x00\x00\x00\x00\x01\x00\x00\x00\x00", "unified_encoding"),
    ],
)
def test_refuses_unusable_receivers(items: bytes, reason: str) -> None:
    assert refusal(unified(items)).reason == reason


@pytest.mark.parametrize("typecode", [0xC0, 0xDF])
def test_ignores_unknown_receivers_outside_the_must_understand_range(typecode: int) -> None:
    items = SAPLING_ITEM + bytes([typecode]) + b"\x02ab"

    assert Receiver(typecode, b"ab") in parse(unified(items)).receivers


def test_takes_the_largest_typecode() -> None:
    items = SAPLING_ITEM + b"\xfe\x00\x00\x00\x02\x00"

    assert parse(unified(items)).receivers[-1] == Receiver(0x2000000, b"")


@pytest.mark.parametrize("padding", ["utest", "uregtest", "u\0\0x"])
def test_refuses_the_padding_of_another_prefix(padding: str) -> None:
    assert refusal(unified(SAPLING_ITEM, padding=padding)).reason == "unified_padding"


def test_refuses_a_unified_address_with_a_prefix_put_in_place_of_its_own() -> None:
    jumbled = f4jumble.jumble(SAPLING_ITEM + b"utest".ljust(16, b"\0"))

    assert refusal(bech32.encode("u", jumbled, variant=Variant.BECH32M)).reason == "unified_padding"


def test_refuses_a_unified_address_that_is_too_short_to_be_jumbled() -> None:
    assert refusal(bech32.encode("u", bytes(47), variant=Variant.BECH32M)).reason == "unified_encoding"


@pytest.mark.parametrize(
    "receivers",
    [
        [Receiver(P2PKH, HASH)],
        [Receiver(SAPLING, RAW), Receiver(SAPLING, RAW)],
        [Receiver(P2PKH, HASH), Receiver(P2SH, HASH), Receiver(SAPLING, RAW)],
        [Receiver(ORCHARD, RAW[:-1])],
        [Receiver(SAPLING, RAW), Receiver(0xE5, b"")],
        [Receiver(SAPLING, RAW), Receiver(0x2000001, b"")],
        [Receiver(SAPLING, RAW), Receiver(-1, b"")],
        [],
    ],
)
def test_writes_no_unusable_unified_address(receivers: list[Receiver]) -> None:
    with pytest.raises(AddressError):
        encode_unified(receivers, network=Network.MAIN)


@pytest.mark.parametrize(
    ("hrp", "revision"),
    [
        (name + network, revision)
        for name, revision in (("ur", 1), ("zu", 2), ("tu", 2))
        for network in SUFFIXES
    ],
)
def test_names_the_revision_of_a_unified_address(hrp: str, revision: int) -> None:
    text = unified(SAPLING_ITEM, hrp=hrp)

    for written in (text, text.upper()):
        assert refusal(written).reason == "unified_revision"
        assert f"revision {revision}" in str(refusal(written))


@pytest.mark.parametrize(
    "hrp", ["uview", "uivk", "uviewtest", "uivkregtest", "zxviews", "zxviewtestsapling", "zivkregtestsapling"]
)
def test_names_a_viewing_key(hrp: str) -> None:
    error = refusal(bech32.encode(hrp, bytes(169), variant=Variant.BECH32M))

    assert error.reason == "viewing_key"
    assert "viewing key" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        bech32.encode("secret-extended-key-main", bytes(169), variant=Variant.BECH32),
        base58.encode_check(b"\xab\x36" + bytes(32)),
        base58.encode_check(b"\x80" + bytes(33)),
    ],
)
def test_names_a_secret_key(text: str) -> None:
    assert refusal(text).reason == "secret_key"


@pytest.mark.parametrize(("version", "prefix"), [(b"\x16\x9a", "zc"), (b"\x16\xb6", "zt")])
def test_names_sprout(version: bytes, prefix: str) -> None:
    text = base58.encode_check(version + bytes(64))

    assert text.startswith(prefix)
    assert refusal(text).reason == "sprout"
    assert "Sprout" in str(refusal(text))


@pytest.mark.parametrize("version", [b"\xa8\xab\xd3", b"\xa8\xac\x0c"])
def test_names_a_sprout_viewing_key(version: bytes) -> None:
    assert refusal(base58.encode_check(version + bytes(64))).reason == "viewing_key"


ENCODERS: list[Callable[[Network], str]] = [
    lambda network: encode_p2pkh(HASH, network=network),
    lambda network: encode_sapling(RAW, network=network),
    lambda network: encode_tex(HASH, network=network),
    lambda network: encode_unified([Receiver(ORCHARD, RAW)], network=network),
]


@pytest.mark.parametrize("encode", ENCODERS)
def test_refuses_an_address_of_another_network(encode: Callable[[Network], str]) -> None:
    error = refusal(encode(Network.MAIN), network=Network.REGTEST)

    assert error.reason == "wrong_network"
    assert str(error) == "a mainnet address, but this service runs on regtest"
    assert refusal(encode(Network.TEST), network=Network.MAIN).reason == "wrong_network"


@pytest.mark.parametrize("encode", ENCODERS[1:])
def test_tells_testnet_from_regtest_where_the_encoding_does(encode: Callable[[Network], str]) -> None:
    assert refusal(encode(Network.TEST), network=Network.REGTEST).reason == "wrong_network"


def test_takes_a_testnet_t_address_on_regtest() -> None:
    address = parse(encode_p2pkh(HASH, network=Network.TEST), network=Network.REGTEST)

    assert address.networks == {Network.TEST, Network.REGTEST}


@pytest.mark.parametrize("text", [T_ADDRESS, SAPLING_ADDRESS, UNIFIED_ADDRESS])
@pytest.mark.parametrize("space", [" ", "\n", "\t", "\u00a0", "\u2003"])
def test_strips_no_whitespace(text: str, space: str) -> None:
    for spaced in (space + text, text + space, text[:9] + space + text[9:]):
        assert refusal(spaced).reason == "whitespace"


@pytest.mark.parametrize(
    ("letter", "look_alike"),
    [
        ("u", "\u03c5"),
        ("e", "\u0435"),
        ("s", "\u0455"),
        ("1", "\u0661"),
        ("1", "\uff11"),
        ("s", "\u017f"),
        ("e", "\ud800"),
    ],
)
def test_refuses_letters_that_only_look_right(letter: str, look_alike: str) -> None:
    assert refusal(UNIFIED_ADDRESS.replace(letter, look_alike, 1)).reason == "characters"


def test_refuses_a_zero_width_letter_and_a_zero_byte() -> None:
    assert refusal(UNIFIED_ADDRESS + "\u200b").reason == "characters"
    assert refusal(UNIFIED_ADDRESS + "\0").reason == "characters"
    assert refusal(T_ADDRESS + "\0").reason == "not_an_address"


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2!",
        "u",
        "t" * 128,
        "zs",
        "-5",
        "null",
    ],
)
def test_refuses_what_is_no_address(text: str) -> None:
    assert refusal(text).reason in ("not_an_address", "checksum")


@pytest.mark.parametrize("text", ["u1", "zs1", "tex1", "uregtest1", "u1qqqqq", "u11", "u1b", "u1io"])
def test_refuses_a_bare_prefix(text: str) -> None:
    assert refusal(text).reason in ("checksum", "characters")


def test_refuses_an_empty_text() -> None:
    assert refusal("").reason == "empty"


def test_a_refusal_does_not_repeat_the_text() -> None:
    assert "qqqqq" not in str(refusal("u1" + "q" * 900))


def test_checks_all_four_bytes_of_a_base58_checksum() -> None:
    payload = b"\x1d\x25" + HASH
    checksum = hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    for place in range(4):
        wrong = bytearray(checksum)
        wrong[place] ^= 1

        assert refusal(_base58(payload + bytes(wrong))).reason == "checksum"


def _base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[digit] + text
    return text
