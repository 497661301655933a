"""Every kind of address on every network, against the official vectors and by round trips."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcash.addresses import (
    MAX_LENGTH,
    ORCHARD,
    P2PKH,
    P2SH,
    SAPLING,
    Address,
    AddressError,
    Kind,
    Network,
    Receiver,
    encode_p2pkh,
    encode_p2sh,
    encode_sapling,
    encode_tex,
    encode_unified,
    f4jumble,
    parse,
    unified,
)

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "zcash_addresses.json").read_text()
)

HASH = bytes(range(20))
RAW = bytes(range(43))
EITHER_TEST_NETWORK = frozenset({Network.TEST, Network.REGTEST})
NETWORKS = st.sampled_from(Network)


def cases(name: str) -> list[Any]:
    found: list[Any] = VECTORS[name]["cases"]
    assert found
    return found


@st.composite
def unified_receivers(draw: st.DrawFn) -> list[Receiver]:
    transparent = draw(st.sampled_from([[], [P2PKH], [P2SH]]))
    shielded = draw(st.sampled_from([[SAPLING], [ORCHARD], [SAPLING, ORCHARD]]))
    lengths = {P2PKH: 20, P2SH: 20, SAPLING: 43, ORCHARD: 43}
    known = [
        Receiver(code, draw(st.binary(min_size=lengths[code], max_size=lengths[code])))
        for code in [*transparent, *shielded]
    ]
    unknown_codes = st.integers(4, 0x2000000).filter(lambda code: not 0xE0 <= code <= 0xFC)
    codes = draw(st.lists(unknown_codes, max_size=2, unique=True))
    unknown = [Receiver(code, draw(st.binary(max_size=200))) for code in sorted(codes)]
    return [*known, *unknown]


@pytest.mark.parametrize(("normal", "jumbled"), cases("f4jumble"))
def test_jumbles_as_the_official_vectors_do(normal: str, jumbled: str) -> None:
    assert f4jumble.jumble(bytes.fromhex(normal)).hex() == jumbled
    assert f4jumble.unjumble(bytes.fromhex(jumbled)).hex() == normal


@pytest.mark.parametrize(("length", "digest"), cases("f4jumble_long"))
def test_jumbles_millions_of_bytes_as_the_official_vectors_do(length: int, digest: str) -> None:
    normal = (bytes(range(256)) * (length // 256 + 1))[:length]

    jumbled = f4jumble.jumble(normal)

    assert hashlib.blake2b(jumbled).hexdigest() == digest
    assert f4jumble.unjumble(jumbled) == normal


@pytest.mark.parametrize("length", [0, 47, 4_194_369])
def test_jumbles_no_message_that_is_too_short_or_too_long(length: int) -> None:
    with pytest.raises(ValueError, match="F4Jumble"):
        f4jumble.jumble(bytes(length))
    with pytest.raises(ValueError, match="F4Jumble"):
        f4jumble.unjumble(bytes(length))


@pytest.mark.parametrize(("text", "receivers"), cases("unified"))
def test_reads_and_writes_the_official_unified_addresses(text: str, receivers: list[Any]) -> None:
    expected = tuple(Receiver(code, bytes.fromhex(data)) for code, data in receivers)

    address = parse(text, network=Network.MAIN)

    assert address == Address(text, Kind.UNIFIED, frozenset({Network.MAIN}), expected)
    assert encode_unified(expected, network=Network.MAIN) == text


@pytest.mark.parametrize(("t_address", "key_hash", "tex"), cases("tex"))
def test_reads_and_writes_the_official_tex_addresses(t_address: str, key_hash: str, tex: str) -> None:
    data = bytes.fromhex(key_hash)

    address = parse(tex, network=Network.MAIN)

    assert address == Address(tex, Kind.TEX, frozenset({Network.MAIN}), (Receiver(P2PKH, data),))
    assert encode_tex(data, network=Network.MAIN) == tex
    assert encode_p2pkh(data, network=Network.MAIN) == t_address
    assert address.transparent_receiver(Network.MAIN) == t_address


@pytest.mark.parametrize(("text", "script", "chain"), cases("base58"))
def test_reads_the_official_transparent_addresses(text: str, script: str, chain: str) -> None:
    address = parse(text)

    head, tail = ("76a914", "88ac") if address.kind is Kind.P2PKH else ("a914", "87")
    assert head + address.receivers[0].data.hex() + tail == script
    assert address.networks == (frozenset({Network.MAIN}) if chain == "mainnet" else EITHER_TEST_NETWORK)
    assert address.canonical == text


@pytest.mark.parametrize("text", cases("base58_invalid"))
def test_refuses_the_official_invalid_keys(text: str) -> None:
    with pytest.raises(AddressError):
        parse(text)


@given(hash20=st.binary(min_size=20, max_size=20), network=NETWORKS)
def test_transparent_addresses_survive_the_round_trip(hash20: bytes, network: Network) -> None:
    p2pkh, p2sh = encode_p2pkh(hash20, network=network), encode_p2sh(hash20, network=network)

    assert parse(p2pkh, network=network).receivers == (Receiver(P2PKH, hash20),)
    assert parse(p2sh, network=network).receivers == (Receiver(P2SH, hash20),)
    assert parse(p2pkh).transparent_receiver(network) == p2pkh
    assert parse(p2sh).transparent_receiver(network) == p2sh
    assert len(p2pkh) == len(p2sh) == 35


@given(
    raw43=st.binary(min_size=43, max_size=43), hash20=st.binary(min_size=20, max_size=20), network=NETWORKS
)
def test_sapling_and_tex_addresses_survive_the_round_trip(
    raw43: bytes, hash20: bytes, network: Network
) -> None:
    sapling, tex = encode_sapling(raw43, network=network), encode_tex(hash20, network=network)

    assert parse(sapling) == Address(sapling, Kind.SAPLING, frozenset({network}), (Receiver(SAPLING, raw43),))
    assert parse(tex) == Address(tex, Kind.TEX, frozenset({network}), (Receiver(P2PKH, hash20),))
    assert parse(sapling.upper()) == parse(sapling)


@given(receivers=unified_receivers(), network=NETWORKS)
def test_unified_addresses_survive_the_round_trip(receivers: list[Receiver], network: Network) -> None:
    text = encode_unified(list(reversed(receivers)), network=network)

    assert parse(text) == Address(text, Kind.UNIFIED, frozenset({network}), tuple(receivers))
    assert parse(text.upper()) == parse(text)


@given(text=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=120))
def test_answers_any_text_with_an_address_or_an_address_error(text: str) -> None:
    for candidate in (text, "u1" + text, "zs1" + text, "tex1" + text, "uregtest1" + text):
        assert answer(candidate) in (candidate, candidate.lower(), "refused")


@given(place=st.integers(0), letter=st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_notices_any_single_changed_letter(place: int, letter: str) -> None:
    text = encode_unified([Receiver(SAPLING, RAW)], network=Network.REGTEST)
    place %= len(text)

    changed = text[:place] + letter + text[place + 1 :]

    if changed != text:
        with pytest.raises(AddressError):
            parse(changed)


@pytest.mark.parametrize(
    ("text", "prefix", "length"),
    [
        (encode_p2pkh(HASH, network=Network.MAIN), "t1", 35),
        (encode_p2pkh(HASH, network=Network.REGTEST), "tm", 35),
        (encode_p2sh(HASH, network=Network.MAIN), "t3", 35),
        (encode_p2sh(HASH, network=Network.TEST), "t2", 35),
        (encode_sapling(RAW, network=Network.MAIN), "zs1", 78),
        (encode_sapling(RAW, network=Network.TEST), "ztestsapling1", 88),
        (encode_sapling(RAW, network=Network.REGTEST), "zregtestsapling1", 91),
        (encode_tex(HASH, network=Network.MAIN), "tex1", 42),
        (encode_tex(HASH, network=Network.TEST), "textest1", 46),
        (encode_tex(HASH, network=Network.REGTEST), "texregtest1", 49),
        (encode_unified([Receiver(ORCHARD, RAW)], network=Network.MAIN), "u1", 106),
        (encode_unified([Receiver(ORCHARD, RAW)], network=Network.TEST), "utest1", 110),
        (encode_unified([Receiver(ORCHARD, RAW)], network=Network.REGTEST), "uregtest1", 113),
    ],
)
def test_writes_every_kind_with_its_prefix_and_length(text: str, prefix: str, length: int) -> None:
    assert text.startswith(prefix)
    assert len(text) == length


@pytest.mark.parametrize(
    "text", [encode_p2pkh(HASH, network=Network.TEST), encode_tex(HASH, network=Network.MAIN)]
)
def test_knows_what_is_paid_in_public(text: str) -> None:
    assert parse(text).is_transparent
    assert not parse(text).is_shielded


def test_counts_a_unified_address_with_a_transparent_receiver_as_shielded() -> None:
    receivers = [Receiver(P2SH, HASH), Receiver(SAPLING, RAW)]

    address = parse(encode_unified(receivers, network=Network.REGTEST))

    assert address.is_shielded
    assert address.transparent_receiver(Network.REGTEST) == encode_p2sh(HASH, network=Network.REGTEST)
    assert address.transparent_receiver(Network.MAIN) is None


def test_finds_no_transparent_receiver_in_a_shielded_address() -> None:
    assert parse(encode_sapling(RAW, network=Network.MAIN)).transparent_receiver(Network.MAIN) is None


@pytest.mark.parametrize("encode", [encode_p2pkh, encode_p2sh, encode_tex])
def test_encodes_no_hash_of_a_wrong_length(encode: Any) -> None:
    with pytest.raises(AddressError) as refusal:
        encode(bytes(19), network=Network.MAIN)

    assert refusal.value.reason == "length"


def test_encodes_no_unified_address_that_it_would_not_read() -> None:
    receivers = [Receiver(SAPLING, RAW), Receiver(0xFFFF, bytes(MAX_LENGTH))]

    with pytest.raises(AddressError) as refusal:
        encode_unified(receivers, network=Network.MAIN)

    assert refusal.value.reason == "too_long"


def test_decodes_far_longer_unified_addresses_in_proportion_to_their_length() -> None:
    # A quadratic codec would take a hundred times as long for ten times the length.
    short, long = (
        unified.encode([Receiver(SAPLING, RAW), Receiver(0xFFFF, bytes(length))], hrp="u")
        for length in (4_000, 40_000)
    )

    assert unified.decode(long)[1] == Receiver(0xFFFF, bytes(40_000))
    assert best_seconds(long, unified.decode) < 40 * best_seconds(short, unified.decode)


def test_encodes_no_unified_address_beyond_what_can_be_jumbled() -> None:
    with pytest.raises(AddressError) as refusal:
        encode_unified([Receiver(SAPLING, RAW), Receiver(0xFFFF, bytes(4_194_368))], network=Network.MAIN)

    assert refusal.value.reason == "unified_encoding"


def test_takes_a_time_in_proportion_to_the_length() -> None:
    # A quadratic parser would take 16 times as long for the longer text.
    short = encode_unified([Receiver(SAPLING, RAW), Receiver(0xFFFF, bytes(60))], network=Network.MAIN)
    long = encode_unified([Receiver(SAPLING, RAW), Receiver(0xFFFF, bytes(540))], network=Network.MAIN)

    ratio = best_seconds(long) / best_seconds(short)

    assert len(long) / len(short) > 4
    assert ratio < 9


@pytest.mark.parametrize("unit", ["q", "1", "z", "\u00e9", " "])
def test_refuses_a_huge_text_at_once(unit: str) -> None:
    hostile = "u1" + unit * 10**7
    started = time.thread_time()

    with pytest.raises(AddressError) as refusal:
        parse(hostile)

    assert refusal.value.reason == "too_long"
    assert time.thread_time() - started < 0.01


def answer(text: str) -> str:
    try:
        return parse(text).canonical
    except AddressError:
        return "refused"


def best_seconds(text: str, read: Callable[[str], object] = parse) -> float:
    return min(seconds(text, read) for _ in range(10))


def seconds(text: str, read: Callable[[str], object]) -> float:
    started = time.thread_time()
    read(text)
    return time.thread_time() - started
