"""The documents that a wallet signs (EIP-712): the authorisation, and a token's permit (EIP-2612)."""

from dataclasses import dataclass
from typing import Any

from billing.ethereum.libraries import loading

CONSENT = "I know that payments on this chain are public and can be linked to my wallet by anybody."
_DOMAIN_NAME = [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}]
_CHAIN = {"name": "chainId", "type": "uint256"}
_CONTRACT = {"name": "verifyingContract", "type": "address"}
_SALT = {"name": "salt", "type": "bytes32"}
_AUTHORIZATION = [
    {"name": "wallet", "type": "address"},
    {"name": "token", "type": "address"},
    {"name": "limit", "type": "uint256"},
    {"name": "collectableUntil", "type": "uint256"},
    {"name": "terms", "type": "Terms"},
]
# Apart from what the contract enforces, so that it needs to be told no more than their hash.
_TERMS = [
    {"name": "ratePerHour", "type": "uint256"},
    {"name": "expiresAt", "type": "uint256"},
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
        "collectableUntil": str(promise.collectable_until_s),
        "terms": {
            "ratePerHour": str(promise.rate_units_per_hour),
            "expiresAt": str(promise.expires_s),
            "nonce": str(promise.nonce),
            "reference": promise.reference,
            "consent": CONSENT,
        },
    }
    kinds = {"SpendingAuthorization": _AUTHORIZATION, "Terms": _TERMS}
    return _document("SpendingAuthorization", kinds, fields, domain, message)


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
    return _document("Permit", {"Permit": _PERMIT}, [*_DOMAIN_NAME, _CHAIN, _CONTRACT], domain, message)


def digest(document: dict[str, Any]) -> bytes:
    """Return the 32 bytes that are signed."""
    with loading():
        from eth_account.messages import encode_typed_data
    from eth_utils.crypto import keccak

    signable = encode_typed_data(full_message=_with_numbers(document))
    return bytes(keccak(b"\x19" + signable.version + signable.header + signable.body))


def terms_hash(document: dict[str, Any]) -> bytes:
    """Return the hash of what an authorisation says beside what the contract enforces."""
    with loading():
        from eth_account._utils.encode_typed_data.encoding_and_hashing import hash_struct

    types = {"Terms": document["types"]["Terms"]}
    return bytes(hash_struct("Terms", types, _with_numbers(document)["message"]["terms"]))


def domain_separator(document: dict[str, Any]) -> bytes:
    """Return the hash of a document's domain."""
    with loading():
        from eth_account.messages import encode_typed_data

    return bytes(encode_typed_data(full_message=_with_numbers(document)).header)


def _document(
    primary: str,
    kinds: dict[str, list[dict[str, str]]],
    domain_fields: list[dict[str, str]],
    domain: dict[str, Any],
    message: dict[str, Any],
) -> dict[str, Any]:
    return {
        "types": {"EIP712Domain": domain_fields, **kinds},
        "primaryType": primary,
        "domain": domain,
        "message": message,
    }


def _with_numbers(document: dict[str, Any]) -> dict[str, Any]:
    message = _numbers(document["message"], document["primaryType"], document["types"])
    return {**document, "message": message}


def _numbers(message: dict[str, Any], kind: str, types: dict[str, Any]) -> dict[str, Any]:
    kinds = {each["name"]: each["type"] for each in types[kind]}
    return {name: _value(value, kinds[name], types) for name, value in message.items()}


def _value(value: Any, kind: str, types: dict[str, Any]) -> Any:
    if kind in types:
        return _numbers(value, kind, types)
    return int(value) if kind.startswith("uint") else value
