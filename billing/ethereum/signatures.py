"""Whether a wallet has signed: a key by recovery, a contract by asking it (EIP-1271)."""

import re

from billing.ethereum import abi
from billing.ethereum.errors import SignatureInvalid
from billing.ethereum.rpc import CallReverted, Rpc

_HEX = re.compile(r"0x([0-9a-fA-F]{2}){1,320}")
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_MAGIC = bytes.fromhex("1626ba7e")
# What the collector lets a contract wallet use for its answer (SIGNATURE_GAS of PayGoCollector.vy).
_CONTRACT_GAS = 100_000


def parse(text: str, *, field: str) -> bytes:
    """Return the bytes of a signature; a last byte of 0 or 1, as some wallets give it, becomes 27 or 28.

    Raises:
        SignatureInvalid: not bytes in hexadecimal, or too many.
    """
    if not _HEX.fullmatch(text):
        raise SignatureInvalid("must be 0x and up to 320 bytes in hexadecimal", field=field)
    signature = bytes.fromhex(text[2:])
    if len(signature) == 65 and signature[64] < 2:
        return signature[:64] + bytes([signature[64] + 27])
    return signature


def require(
    rpc: Rpc, *, wallet: str, collector: str | None, digest: bytes, signature: bytes, field: str
) -> None:
    """Refuse a signature of a digest that is not the wallet's.

    A contract is asked as the collector will ask it, so that what is good here is good there.

    Raises:
        SignatureInvalid: what is wrong with it.
        ChainUnavailable: whether the wallet is a contract cannot be asked.
    """
    fault = _fault(digest, signature, wallet=wallet)
    if fault is None:
        return
    # A contract's signature has any form; and a key that delegates to code (EIP-7702) is one as well.
    if not rpc.has_code(wallet):
        raise SignatureInvalid(fault, field=field)
    if not _contract_agrees(rpc, wallet=wallet, collector=collector, digest=digest, signature=signature):
        raise SignatureInvalid(
            f"the contract wallet does not accept it (EIP-1271), or not for {_CONTRACT_GAS:,} gas",
            field=field,
        )


def require_of_key(*, wallet: str, digest: bytes, signature: bytes, field: str) -> None:
    """Refuse a signature that is not made with the wallet's own key.

    Raises:
        SignatureInvalid: what is wrong with it.
    """
    if fault := _fault(digest, signature, wallet=wallet):
        raise SignatureInvalid(fault, field=field)


def parts(signature: bytes) -> tuple[int, bytes, bytes]:
    """Return v, r, s of a key's signature."""
    return signature[64], signature[:32], signature[32:64]


def _fault(digest: bytes, signature: bytes, *, wallet: str) -> str | None:
    if len(signature) != 65:
        return f"a key's signature has 65 bytes, not {len(signature)}"
    v, r, s = parts(signature)
    if v not in (27, 28):
        return "its last byte must be 27 or 28"
    if not 0 < int.from_bytes(r) < _ORDER or not 0 < int.from_bytes(s) < _ORDER:
        return "its numbers are out of range"
    if int.from_bytes(s) > _ORDER // 2:
        return "it is the malleable form of a signature (EIP-2): s is in the upper half"
    signer = _recovered(digest, signature)
    if signer != wallet:
        return f"it was made by {signer or 'nobody'}, not by {wallet}"
    return None


def _recovered(digest: bytes, signature: bytes) -> str | None:
    from eth_keys.datatypes import Signature
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    plain = signature[:64] + bytes([signature[64] - 27])
    try:
        return str(Signature(plain).recover_public_key_from_msg_hash(digest).to_checksum_address())
    except (BadSignature, ValidationError):
        return None


def _contract_agrees(
    rpc: Rpc, *, wallet: str, collector: str | None, digest: bytes, signature: bytes
) -> bool:
    question = abi.call(abi.IS_VALID_SIGNATURE, digest, signature)
    try:
        answer = rpc.call(wallet, question, sender=collector, gas=_CONTRACT_GAS)
    except CallReverted:
        return False
    return len(answer) == 32 and answer[:4] == _MAGIC
