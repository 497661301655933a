"""The few calls and events of ERC-20, EIP-1271, EIP-2612 and the collector that are used, as bytes."""

from collections.abc import Sequence
from functools import cache
from typing import Any

_CHARGE = "(address,uint256,uint256,bytes32,uint256,uint256)"
ALLOWANCE = "allowance(address,address)"
APPROVE = "approve(address,uint256)"
BALANCE_OF = "balanceOf(address)"
COLLECTED_IN_ALL = "collected(bytes32)"
COLLECT = f"collect(address,{_CHARGE}[],bytes[])"
DIGEST_OF = f"digest_of(address,{_CHARGE})"
DECIMALS = "decimals()"
DOMAIN_SEPARATOR = "DOMAIN_SEPARATOR()"
IS_VALID_SIGNATURE = "isValidSignature(bytes32,bytes)"
NAME = "name()"
NONCES = "nonces(address)"
PERMIT = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
SERVICE = "service()"
TRANSFER_FROM = "transferFrom(address,address,uint256)"
TREASURY = "treasury()"
VERSION = "version()"

TRANSFER = "Transfer(address,address,uint256)"
COLLECTED = "Collected(uint256)"
REFUSED = "Refused(bytes32,uint256)"


@cache
def digest(text: str) -> bytes:
    """Return the Keccak hash of a text."""
    from eth_utils.crypto import keccak

    return bytes(keccak(text=text))


def call(signature: str, *values: Any) -> bytes:
    """Return the data of a call."""
    return digest(signature)[:4] + encode(types(signature), *values)


def encode(kinds: Sequence[str], *values: Any) -> bytes:
    """Return values in the ABI's encoding."""
    from eth_abi.abi import encode as encoded

    return bytes(encoded(list(kinds), list(values)))


@cache
def types(signature: str) -> tuple[str, ...]:
    """Return the types of a signature's arguments; those of a tuple stay together."""
    parts, depth, word = [], 0, ""
    for letter in signature[signature.index("(") + 1 : -1]:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(word)
            word = ""
        else:
            word += letter
    return tuple([*parts, word] if word else parts)
