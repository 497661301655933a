"""Addresses of every accepted kind: parsing, the canonical form, encoding.

The structure is checked, strictly; whether a shielded receiver is a point of its curve is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from . import base58, bech32, unified
from .errors import AddressError
from .networks import MAIN_NETWORK, PARAMS, TEST_NETWORKS, Network
from .refusals import refusal_of_payload, refusal_of_prefix
from .unified import Receiver

# Twice the longest unified address of the official vectors; ZIP-316 itself sets no limit worth having.
MAX_LENGTH = 1024

_HASH_BYTES = 20
_SAPLING_BYTES = 43
_PREFIX_BYTES = 2


class Kind(StrEnum):
    """The accepted kinds of address."""

    P2PKH = "p2pkh"
    P2SH = "p2sh"
    SAPLING = "sapling"
    UNIFIED = "unified"
    TEX = "tex"


_TRANSPARENT = frozenset({Kind.P2PKH, Kind.P2SH, Kind.TEX})
_VERSIONS = {
    PARAMS[Network.MAIN].p2pkh: (Kind.P2PKH, MAIN_NETWORK),
    PARAMS[Network.MAIN].p2sh: (Kind.P2SH, MAIN_NETWORK),
    PARAMS[Network.TEST].p2pkh: (Kind.P2PKH, TEST_NETWORKS),
    PARAMS[Network.TEST].p2sh: (Kind.P2SH, TEST_NETWORKS),
}
_HRPS = (
    {params.sapling: (Kind.SAPLING, network) for network, params in PARAMS.items()}
    | {params.tex: (Kind.TEX, network) for network, params in PARAMS.items()}
    | {params.unified: (Kind.UNIFIED, network) for network, params in PARAMS.items()}
)
_NETWORK_NAMES = {Network.MAIN: "mainnet", Network.TEST: "testnet", Network.REGTEST: "regtest"}


@dataclass(frozen=True, slots=True)
class Address:
    """A valid address; equal addresses have equal `canonical` texts.

    `networks` is a set because transparent addresses of testnet and regtest look the same.
    """

    canonical: str
    kind: Kind
    networks: frozenset[Network]
    receivers: tuple[Receiver, ...]

    @property
    def is_transparent(self) -> bool:
        """Whether everything paid to it is public."""
        return self.kind in _TRANSPARENT

    @property
    def is_shielded(self) -> bool:
        """Whether it can be paid shielded."""
        return not self.is_transparent

    def transparent_receiver(self, network: Network) -> str | None:
        """Return the t-address under which its public money is found; None without one on this network.

        For looking up, not for paying: the t-address of a TEX address lacks its restriction (ZIP-320).
        """
        if network not in self.networks:
            return None
        for receiver in self.receivers:
            if receiver.typecode == unified.P2PKH:
                return encode_p2pkh(receiver.data, network=network)
            if receiver.typecode == unified.P2SH:
                return encode_p2sh(receiver.data, network=network)
        return None


def parse(text: str, *, network: Network | None = None) -> Address:
    """Return the address that a text is, in time linear in its length; nothing is stripped or repaired.

    Raises:
        AddressError: the text is not an acceptable address, or not one of `network`.
    """
    _check_text(text)
    hrp, _ = bech32.split(text)
    if refusal := refusal_of_prefix(hrp):
        raise refusal
    address = _parse_bech32(text, hrp=hrp) if hrp in _HRPS else _parse_base58(text)
    if network is not None and network not in address.networks:
        raise _wrong_network(address, network=network)
    return address


def _check_text(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise AddressError("too long for an address", reason="too_long")
    if not text:
        raise AddressError("an empty text, not an address", reason="empty")
    if any(character.isspace() for character in text):
        raise AddressError("an address with spaces or line breaks", reason="whitespace")
    if not text.isascii():
        raise AddressError("an address with a character that no address has", reason="characters")


def _parse_bech32(text: str, *, hrp: str) -> Address:
    kind, network = _HRPS[hrp]
    if kind is Kind.UNIFIED:
        receivers = unified.decode(text)
    elif kind is Kind.SAPLING:
        receivers = (Receiver(unified.SAPLING, _payload(text, bech32.Variant.BECH32, length=_SAPLING_BYTES)),)
    else:
        receivers = (Receiver(unified.P2PKH, _payload(text, bech32.Variant.BECH32M, length=_HASH_BYTES)),)
    return Address(text.lower(), kind, frozenset({network}), receivers)


def _payload(text: str, variant: bech32.Variant, *, length: int) -> bytes:
    _, payload = bech32.decode(text, variant=variant)
    if len(payload) != length:
        raise AddressError("an address of a wrong length", reason="length")
    return payload


def _parse_base58(text: str) -> Address:
    payload = base58.decode_check(text)
    version, data = payload[:_PREFIX_BYTES], payload[_PREFIX_BYTES:]
    if version not in _VERSIONS or len(data) != _HASH_BYTES:
        raise refusal_of_payload(payload)
    kind, networks = _VERSIONS[version]
    typecode = unified.P2PKH if kind is Kind.P2PKH else unified.P2SH
    return Address(text, kind, networks, (Receiver(typecode, data),))


def _wrong_network(address: Address, *, network: Network) -> AddressError:
    names = " or ".join(_NETWORK_NAMES[each] for each in Network if each in address.networks)
    phrase = f"a {names} address, but this service runs on {_NETWORK_NAMES[network]}"
    return AddressError(phrase, reason="wrong_network")


def encode_p2pkh(hash20: bytes, *, network: Network) -> str:
    """Return the t-address that pays to a public key with this 20-byte hash."""
    return base58.encode_check(PARAMS[network].p2pkh + _exactly(hash20, _HASH_BYTES))


def encode_p2sh(hash20: bytes, *, network: Network) -> str:
    """Return the t-address that pays to a script with this 20-byte hash."""
    return base58.encode_check(PARAMS[network].p2sh + _exactly(hash20, _HASH_BYTES))


def encode_sapling(raw43: bytes, *, network: Network) -> str:
    """Return the Sapling address of a diversifier and a transmission key, 43 bytes together."""
    data = _exactly(raw43, _SAPLING_BYTES)
    return bech32.encode(PARAMS[network].sapling, data, variant=bech32.Variant.BECH32)


def encode_tex(hash20: bytes, *, network: Network) -> str:
    """Return the TEX address of a public key's 20-byte hash (ZIP-320)."""
    data = _exactly(hash20, _HASH_BYTES)
    return bech32.encode(PARAMS[network].tex, data, variant=bech32.Variant.BECH32M)


def encode_unified(receivers: Sequence[Receiver], *, network: Network) -> str:
    """Return the unified address of some receivers; their order here does not matter (ZIP-316, revision 0).

    Raises:
        AddressError: they make no valid address together, or one longer than `MAX_LENGTH`.
    """
    text = unified.encode(receivers, hrp=PARAMS[network].unified)
    if len(text) > MAX_LENGTH:
        raise AddressError("too long for an address", reason="too_long")
    return text


def _exactly(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise AddressError(f"{len(data)} bytes instead of {length}", reason="length")
    return data
