"""Zcash addresses: strict parsing and encoding of every accepted kind, on the standard library alone."""

from .address import (
    MAX_LENGTH,
    Address,
    Kind,
    encode_p2pkh,
    encode_p2sh,
    encode_sapling,
    encode_tex,
    encode_unified,
    parse,
)
from .errors import AddressError
from .networks import Network
from .unified import ORCHARD, P2PKH, P2SH, SAPLING, Receiver

__all__ = [
    "MAX_LENGTH",
    "ORCHARD",
    "P2PKH",
    "P2SH",
    "SAPLING",
    "Address",
    "AddressError",
    "Kind",
    "Network",
    "Receiver",
    "encode_p2pkh",
    "encode_p2sh",
    "encode_sapling",
    "encode_tex",
    "encode_unified",
    "parse",
]
