"""Addresses of EVM chains: accepted only with the checksum that catches a wrong letter (EIP-55)."""

import re

from billing.ethereum.errors import EthereumAddressInvalid

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
ZERO = "0x" + "00" * 20


def parse(text: str, *, field: str) -> str:
    """Return the address.

    Raises:
        EthereumAddressInvalid: what is wrong with it.
    """
    if not _ADDRESS.fullmatch(text):
        raise EthereumAddressInvalid("must be 0x and 40 hexadecimal digits", field=field)
    if text == ZERO:
        raise EthereumAddressInvalid("nobody has the key of this address", field=field)
    right = checksummed(text)
    if text != right:
        has_none = text[2:] in (text[2:].lower(), text[2:].upper())
        what = "has no checksum" if has_none else "has a wrong checksum"
        raise EthereumAddressInvalid(f"the address {what} (EIP-55): compare it letter by letter", field=field)
    return right


def checksummed(text: str) -> str:
    """Return a well-formed address with its checksum."""
    from eth_utils.address import to_checksum_address

    return str(to_checksum_address(text.lower()))
