"""What a chain says of a token: decimals, allowance, balance, and whether it takes permits."""

from dataclasses import dataclass
from typing import Any

from billing.ethereum import abi, typed_data
from billing.ethereum.chains import Chain, Token
from billing.ethereum.errors import ConfigurationUnfit, TokenUnfit
from billing.ethereum.rpc import CallReverted, Rpc

_LONGEST_TEXT = 100


@dataclass(frozen=True)
class Reading:
    """What a wallet has and allows at one block."""

    block_number: int
    allowance_units: int
    balance_units: int


def require_fit(rpc: Rpc, chain: Chain, token: Token) -> None:
    """Refuse a chain or token that is not what the configuration says.

    Raises:
        ConfigurationUnfit: the node is of another chain.
        TokenUnfit: no contract, or other decimals than configured; no contract to collect it, or another's.
    """
    if (answered := rpc.chain_id()) != chain.chain_id:
        raise ConfigurationUnfit(f"the node of {chain.name} is of chain {answered}, not {chain.chain_id}")
    if not rpc.has_code(token.address):
        raise TokenUnfit(f"there is no contract at {token.address}", field="token")
    decimals = _number(rpc, token.address, abi.call(abi.DECIMALS))
    if decimals != token.decimals:
        raise TokenUnfit(
            f"{token.symbol} has {decimals} decimals; the configuration says {token.decimals}", field="token"
        )
    if collector := chain.collector_of(token):
        try:
            require_collector(rpc, chain, collector, treasury=chain.treasury)
        except ConfigurationUnfit as error:
            # Nobody's repetition mends it; the collector's round names it to the operator.
            raise TokenUnfit(f"it cannot be collected: {error.detail}", field="token") from error


def require_collector(rpc: Rpc, chain: Chain, collector: str, *, treasury: str) -> None:
    """Refuse a collector that does not serve this service and pay this treasury.

    Raises:
        ConfigurationUnfit: what is wrong.
    """
    if not rpc.has_code(collector):
        raise ConfigurationUnfit(f"{chain.name}: there is no contract at the collector {collector}")
    for name, signature, expected in (
        ("service", abi.SERVICE, chain.service),
        ("treasury", abi.TREASURY, treasury),
    ):
        try:
            answer = rpc.call(collector, abi.call(signature))
        except CallReverted as error:
            raise ConfigurationUnfit(f"{chain.name}: {collector} is no collector of PayGo's") from error
        if answer.hex() != expected[2:].lower().rjust(64, "0"):
            raise ConfigurationUnfit(
                f"{chain.name}: the {name} of the collector {collector} is not {expected}"
            )


def read(rpc: Rpc, *, token: str, wallet: str, spender: str) -> Reading:
    """Return what a wallet has and allows now, both at the same block.

    Raises:
        TokenUnfit: the token does not answer as ERC-20 asks.
        ChainUnavailable: the node is away.
    """
    block = rpc.latest_block().number
    return Reading(
        block_number=block,
        allowance_units=_number(rpc, token, abi.call(abi.ALLOWANCE, wallet, spender), block=block),
        balance_units=_number(rpc, token, abi.call(abi.BALANCE_OF, wallet), block=block),
    )


def permit_document(
    rpc: Rpc, chain: Chain, token: Token, *, owner: str, spender: str, value: int, deadline_s: int
) -> dict[str, Any] | None:
    """Return the EIP-2612 document of an allowance, None where the token takes no permits.

    Tokens differ in their domain: the document is right only where its domain is the token's own.
    """
    try:
        nonce = _number(rpc, token.address, abi.call(abi.NONCES, owner))
        separator = rpc.call(token.address, abi.call(abi.DOMAIN_SEPARATOR))
        name = _text(rpc.call(token.address, abi.call(abi.NAME)))
    except (CallReverted, TokenUnfit):
        return None
    try:
        version = _text(rpc.call(token.address, abi.call(abi.VERSION)))
    except (CallReverted, TokenUnfit):
        version = "1"
    document = typed_data.of_permit(
        chain_id=chain.chain_id,
        token=token.address,
        name=name,
        version=version,
        owner=owner,
        spender=spender,
        value=value,
        nonce=nonce,
        deadline_s=deadline_s,
    )
    return document if typed_data.domain_separator(document) == separator else None


def _number(rpc: Rpc, to: str, data: bytes, *, block: int | None = None) -> int:
    try:
        answer = rpc.call(to, data, block=block)
    except CallReverted as error:
        raise TokenUnfit(f"the contract {to} refuses to answer: {error}", field="token") from error
    if len(answer) != 32:
        raise TokenUnfit(f"the contract {to} is no ERC-20 token", field="token")
    return int.from_bytes(answer)


def _text(answer: bytes) -> str:
    from eth_abi.abi import decode
    from eth_abi.exceptions import DecodingError

    try:
        (text,) = decode(["string"], answer)
    except (DecodingError, OverflowError, UnicodeDecodeError) as error:
        raise TokenUnfit("its name is no text", field="token") from error
    # What is signed of it is stored, and shown: a database takes no NUL, and nobody a page of name.
    if len(text) > _LONGEST_TEXT or not text.isprintable():
        raise TokenUnfit("its name is too long, or cannot be shown", field="token")
    return str(text)
