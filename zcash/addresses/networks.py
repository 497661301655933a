"""The networks and the prefixes by which an encoding names its network and kind (ZIP-316, ZIP-320)."""

from dataclasses import dataclass
from enum import StrEnum


class Network(StrEnum):
    """A Zcash network."""

    MAIN = "main"
    TEST = "test"
    REGTEST = "regtest"


# The base58 version bytes of testnet serve regtest as well.
TEST_NETWORKS = frozenset({Network.TEST, Network.REGTEST})
MAIN_NETWORK = frozenset({Network.MAIN})


@dataclass(frozen=True, slots=True)
class NetworkParams:
    """How one network's addresses begin: two version bytes in base58, a human-readable part in bech32."""

    p2pkh: bytes
    p2sh: bytes
    sapling: str
    tex: str
    unified: str


PARAMS = {
    Network.MAIN: NetworkParams(b"\x1c\xb8", b"\x1c\xbd", "zs", "tex", "u"),
    Network.TEST: NetworkParams(b"\x1d\x25", b"\x1c\xba", "ztestsapling", "textest", "utest"),
    Network.REGTEST: NetworkParams(b"\x1d\x25", b"\x1c\xba", "zregtestsapling", "texregtest", "uregtest"),
}
