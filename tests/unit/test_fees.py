"""The conventional fee of one payment (ZIP-317), by what is paid from what."""

import pytest

from tests.refunding import ALICE, ALICE_O, ALICE_T, ALICE_TEX, ALICE_U, REGTEST
from zcash.addresses import (
    ORCHARD,
    P2PKH,
    SAPLING,
    Network,
    Receiver,
    encode_p2sh,
    encode_unified,
    parse,
)
from zcash.fees import fee_zat, share_a_pool

SAPLING_SOURCE = parse(
    encode_unified([Receiver(SAPLING, b"own".ljust(43, b"\1"))], network=REGTEST), network=REGTEST
)
ORCHARD_SOURCE = parse(
    encode_unified([Receiver(ORCHARD, b"own".ljust(43, b"\1"))], network=REGTEST), network=REGTEST
)
BOTH = encode_unified(
    [Receiver(SAPLING, b"both".ljust(43, b"\1")), Receiver(ORCHARD, b"both".ljust(43, b"\1"))],
    network=REGTEST,
)
PUBLIC_TOO = encode_unified(
    [Receiver(P2PKH, b"both".ljust(20, b"\1")), Receiver(SAPLING, b"both".ljust(43, b"\1"))], network=REGTEST
)


@pytest.mark.parametrize(
    ("recipient", "from_sapling", "from_orchard"),
    [
        (ALICE, 10_000, 20_000),
        (ALICE_U, 10_000, 20_000),
        (ALICE_O, 20_000, 10_000),
        (BOTH, 10_000, 10_000),
        (PUBLIC_TOO, 10_000, 20_000),
        (ALICE_T, 15_000, 15_000),
        (encode_p2sh(b"script".ljust(20, b"\1"), network=Network.REGTEST), 15_000, 15_000),
        (ALICE_TEX, 25_000, 25_000),
    ],
    ids=["sapling", "unified sapling", "orchard", "both", "public too", "p2pkh", "p2sh", "tex"],
)
def test_charges_for_the_actions_of_one_payment(recipient: str, from_sapling: int, from_orchard: int) -> None:
    address = parse(recipient, network=REGTEST)

    assert fee_zat(address, source=SAPLING_SOURCE) == from_sapling
    assert fee_zat(address, source=ORCHARD_SOURCE) == from_orchard


def test_a_transparent_address_shares_no_shielded_pool() -> None:
    assert not share_a_pool(parse(ALICE_T, network=REGTEST), SAPLING_SOURCE)
