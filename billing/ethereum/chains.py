"""The chains and tokens that this service accepts: a TOML file, read once.

[[chain]]
chain_id = 8453
name = "Base"
rpc_url = "env:BASE_RPC_URL"
...
[[chain.token]]
symbol = "USDC"
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from billing.ethereum import addresses
from billing.ethereum.errors import ChainUnknown, ConfigurationUnfit, EthereumAddressInvalid
from core.units import MAX_UINT256

_GWEI = 10**9
_MOST_DECIMALS = 36
_CHAIN_KEYS = {"chain_id", "name", "rpc_url", "confirmations", "max_fee_gwei", "token"}
_CHAIN_KEYS |= {"service", "treasury", "collector"}
_TOKEN_KEYS = {"symbol", "address", "decimals", "collect_least", "collect_at", "first_debt", "most_debt"}
_TOKEN_KEYS |= {"collector"}


@dataclass(frozen=True)
class Token:
    """One token of a chain; amounts are in its smallest unit.

    `collect_least_units`: a smaller debt is not worth its gas and waits for more. `collect_units`: a debt of
    so much is collected while streams still run. `first_debt_units` is what a new wallet may owe,
    `most_debt_units` what one that has always paid may.
    """

    symbol: str
    address: str
    decimals: int
    collect_least_units: int
    collect_units: int
    first_debt_units: int
    most_debt_units: int
    # False: plain transferFrom though the chain has a collector contract.
    by_collector: bool


@dataclass(frozen=True)
class Chain:
    """One EVM chain. `service` is the address of the service's key; `collector` the contract, if any."""

    chain_id: int
    name: str
    rpc_url: str
    confirmations: int
    service: str
    treasury: str
    collector: str | None
    max_fee_wei: int
    tokens: tuple[Token, ...]

    def token(self, address: str) -> Token:
        """Return the token at an address.

        Raises:
            ChainUnknown: not one of the configured.
        """
        for token in self.tokens:
            if token.address == address:
                return token
        raise ChainUnknown(f"the tokens of {self.name} here are: {_names(self.tokens)}", field="token")

    def collector_of(self, token: Token) -> str | None:
        """Return the contract that collects a token, None where the service's key does itself."""
        return self.collector if token.by_collector else None


def all_chains() -> tuple[Chain, ...]:
    """Return the configured chains, none where no file is named.

    Raises:
        ConfigurationUnfit: the file is missing or wrong.
    """
    return _read(settings.ETHEREUM_CHAINS_FILE) if settings.ETHEREUM_CHAINS_FILE else ()


def chain(chain_id: int, *, field: str = "chain_id") -> Chain:
    """Return a chain.

    Raises:
        ChainUnknown: not one of the configured.
    """
    for each in all_chains():
        if each.chain_id == chain_id:
            return each
    known = ", ".join(f"{each.chain_id} ({each.name})" for each in all_chains()) or "none"
    raise ChainUnknown(f"the chains accepted here are: {known}", field=field)


@cache
def _read(file: str) -> tuple[Chain, ...]:
    try:
        with Path(file).open("rb") as opened:
            return _chains(tomllib.load(opened))
    except OSError as error:
        raise ConfigurationUnfit(f"ETHEREUM_CHAINS_FILE cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
        raise ConfigurationUnfit(f"ETHEREUM_CHAINS_FILE: {error}") from error
    except EthereumAddressInvalid as error:
        raise ConfigurationUnfit(f"ETHEREUM_CHAINS_FILE, {error.field}: {error.detail}") from error


def _chains(document: Mapping[str, Any]) -> tuple[Chain, ...]:
    chains = tuple(_chain(each) for each in _tables(document, "chain"))
    if len({each.chain_id for each in chains}) != len(chains):
        raise ValueError("a chain_id is there twice")
    decimals: dict[str, int] = {}
    for token in (each for chain in chains for each in chain.tokens):
        # Books and statistics add up what has one name.
        if decimals.setdefault(token.symbol, token.decimals) != token.decimals:
            raise ValueError(f"{token.symbol} has other decimals on another chain: call it something else")
    return chains


def _chain(table: Mapping[str, Any]) -> Chain:
    _only(table, _CHAIN_KEYS)
    name = _text(table, "name")
    tokens = tuple(_token(each, has_collector="collector" in table) for each in _tables(table, "token"))
    if len({each.address for each in tokens}) != len(tokens):
        raise ValueError(f"{name}: a token is there twice")
    collector = None
    if "collector" in table:
        collector = addresses.parse(_text(table, "collector"), field=f"{name}.collector")
    return Chain(
        chain_id=_whole(table, "chain_id", low=1, high=2**53),
        name=name,
        rpc_url=_rpc_url(table),
        confirmations=_whole(table, "confirmations", low=1, high=10_000),
        service=addresses.parse(_text(table, "service"), field=f"{name}.service"),
        treasury=addresses.parse(_text(table, "treasury"), field=f"{name}.treasury"),
        collector=collector,
        max_fee_wei=_whole(table, "max_fee_gwei", low=1, high=10**6) * _GWEI,
        tokens=tokens,
    )


def _token(table: Mapping[str, Any], *, has_collector: bool) -> Token:
    _only(table, _TOKEN_KEYS)
    decimals = _whole(table, "decimals", low=0, high=_MOST_DECIMALS)
    token = Token(
        symbol=_text(table, "symbol"),
        address=addresses.parse(_text(table, "address"), field=f"{table.get('symbol')}.address"),
        decimals=decimals,
        collect_least_units=_units(table, "collect_least", decimals=decimals),
        collect_units=_units(table, "collect_at", decimals=decimals),
        first_debt_units=_units(table, "first_debt", decimals=decimals),
        most_debt_units=_units(table, "most_debt", decimals=decimals),
        by_collector=_by_collector(table, has_collector=has_collector),
    )
    if token.symbol == "ZEC":
        raise ValueError("no token can be called ZEC")
    rising = [token.collect_least_units, token.collect_units, token.first_debt_units, token.most_debt_units]
    if rising != sorted(rising):
        raise ValueError(f"{token.symbol}: collect_least <= collect_at <= first_debt <= most_debt must hold")
    return token


def _by_collector(table: Mapping[str, Any], *, has_collector: bool) -> bool:
    """Return whether the chain's contract collects a token; only `false` gives up what it guarantees."""
    wanted = table.get("collector", has_collector)
    if not isinstance(wanted, bool):
        raise ValueError("collector of a token must be true or false; its address is the chain's")
    if wanted and not has_collector:
        raise ValueError("collector = true: the chain has none")
    return wanted


def _rpc_url(table: Mapping[str, Any]) -> str:
    url = _text(table, "rpc_url")
    if url.startswith("env:"):
        # A provider's address has its key in it: that has no place in a file.
        url = os.environ.get(url.removeprefix("env:"), "")
    if not url.startswith(("http://", "https://")):
        raise ValueError("rpc_url must be an http:// or https:// address, or env:NAME of a variable with one")
    return url


def _only(table: Mapping[str, Any], allowed: set[str]) -> None:
    if unknown := sorted(set(table) - allowed):
        raise ValueError(f"unknown: {', '.join(unknown)}")


def _tables(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError(f"{key} must be [[{key}]] tables")
    return found


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value or len(value) > 500:
        raise ValueError(f"{key} must be a text")
    return value


def _whole(table: Mapping[str, Any], key: str, *, low: int, high: int) -> int:
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{key} must be a whole number between {low} and {high}")
    return value


def _units(table: Mapping[str, Any], key: str, *, decimals: int) -> int:
    """Return an amount of whole tokens, a text like "0.50", in smallest units."""
    try:
        units = Decimal(_text(table, key)).scaleb(decimals)
    except InvalidOperation as error:
        raise ValueError(f'{key} must be an amount of tokens, as "0.50"') from error
    if not units.is_finite() or not 0 < units <= MAX_UINT256 or units != units.to_integral_value():
        raise ValueError(f"{key} must be above 0, below 2^256 units, and have at most {decimals} decimals")
    return int(units)


def _names(tokens: tuple[Token, ...]) -> str:
    return ", ".join(f"{each.symbol} {each.address}" for each in tokens) or "none"
