"""The documents that a wallet signs (EIP-712): the authorisation, and a token's permit (EIP-2612)."""

from dataclasses import dataclass
from typing import Any

CONSENT = "I know that payments on this chain are public and can be linked to my wallet by anybody."
_DOMAIN_NAME = [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}]
_CHAIN = {"name": "chainId", "type": "uint256"}
_CONTRACT = {"name": "verifyingContract", "type": "address"}
_SALT = {"name": "salt", "type": "bytes32"}
_AUTHORIZATION = [
    {"name": "wallet", "type": "address"},
    {"name": "token", "type": "address"},
    {"name": "limit", "type": "uint256"},
    {"name": "ratePerHour", "type": "uint256"},
    {"name": "expiresAt", "type": "uint256"},
    {"name": "collectableUntil", "type": "uint256"},
    {"name": "nonce", "type": "uint256"},
    {"name": "reference", "type": "string"},
    {"name": "consent", "type": "string"},
]
_PERMIT = [
    {"name": "owner", "type": "address"},
    {"name": "spender", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "nonce", "type": "uint256"},
    {"name": "deadline", "type": "uint256"},
]


@dataclass(frozen=True)
class Promise:
    """What a viewer signs; instants in seconds. `reference` names the client and the authorisation."""

    chain_id: int
    collector: str | None
    service: str
    wallet: str
    token: str
    limit_units: int
    rate_units_per_hour: int
    expires_s: int
    collectable_until_s: int
    nonce: int
    reference: str


def of_promise(promise: Promise) -> dict[str, Any]:
    """Return the EIP-712 document; whole numbers are texts, which every wallet reads exactly.

    It is good on one chain and for one service: the contract's address, or without a contract the address
    of the service's key as the salt, is part of the domain.
    """
    domain: dict[str, Any] = {"name": "PayGo", "version": "1", "chainId": promise.chain_id}
    if promise.collector:
        fields, domain["verifyingContract"] = [*_DOMAIN_NAME, _CHAIN, _CONTRACT], promise.collector
    else:
        fields, domain["salt"] = (
            [*_DOMAIN_NAME, _CHAIN, _SALT],
            "0x" + promise.service[2:].lower().rjust(64, "0"),
        )
    message = {
        "wallet": promise.wallet,
        "token": promise.token,
        "limit": str(promise.limit_units),
        "ratePerHour": str(promise.rate_units_per_hour),
        "expiresAt": str(promise.expires_s),
        "collectableUntil": str(promise.collectable_until_s),
        "nonce": str(promise.nonce),
        "reference": promise.reference,
        "consent": CONSENT,
    }
    return _document("SpendingAuthorization", _AUTHORIZATION, fields, domain, message)


def of_permit(
    *, chain_id: int, token: str, name: str, version: str, owner: str, spender: str, value: int, nonce: int,
    deadline_s: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the document by which a token's owner allows a spender, without a transaction (EIP-2612)."""
    domain = {"name": name, "version": version, "chainId": chain_id, "verifyingContract": token}
    message = {
        "owner": owner,
        "spender": spender,
        "value": str(value),
        "nonce": str(nonce),
        "deadline": str(deadline_s),
    }
    return _document("Permit", _PERMIT, [*_DOMAIN_NAME, _CHAIN, _CONTRACT], domain, message)


def digest(document: dict[str, Any]) -> bytes:
    """Return the 32 bytes that are signed."""
    from eth_account.messages import encode_typed_data
    from eth_utils.crypto import keccak

    signable = encode_typed_data(full_message=_with_numbers(document))
    return bytes(keccak(b"\x19" + signable.version + signable.header + signable.body))


def domain_separator(document: dict[str, Any]) -> bytes:
    """Return the hash of a document's domain."""
    from eth_account.messages import encode_typed_data

    return bytes(encode_typed_data(full_message=_with_numbers(document)).header)


def _document(
    primary: str,
    fields: list[dict[str, str]],
    domain_fields: list[dict[str, str]],
    domain: dict[str, Any],
    message: dict[str, Any],
) -> dict[str, Any]:
    return {
        "types": {"EIP712Domain": domain_fields, primary: fields},
        "primaryType": primary,
        "domain": domain,
        "message": message,
    }


def _with_numbers(document: dict[str, Any]) -> dict[str, Any]:
    kinds = {each["name"]: each["type"] for each in document["types"][document["primaryType"]]}
    message = {
        name: int(value) if kinds[name].startswith("uint") else value
        for name, value in document["message"].items()
    }
    return {**document, "message": message}
