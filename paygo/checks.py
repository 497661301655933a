"""System checks: settings that would make PayGo unsafe or useless stop the start, with what to do."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from billing.ethereum import chains
from billing.ethereum.errors import ConfigurationUnfit
from core.amounts import AmountError, parse_zec
from paygo.bounds import BOUNDS, NAMES
from paygo.client_address import parse_networks
from paygo.ratelimit import parse_rate
from zcash.addresses import AddressError, Kind, Network, parse
from zcash.confirmations import parse_tiers
from zcash.node.accounts import account_number, account_uuid
from zcash.node.dialect import Dialect

_APPROVALS = ("REFUND_APPROVAL_ABOVE", "PAYOUT_APPROVAL_ABOVE")
_RATES = (
    "RATE_LIMIT_CALLS",
    "RATE_LIMIT_NODE_CALLS",
    "RATE_LIMIT_PUBLIC",
    "RATE_LIMIT_GUESSES",
    "RATE_LIMIT_LINKS",
    "RATE_LIMIT_PAGES",
    "RATE_LIMIT_DEMOS",
)


@checks.register()
def check_settings(**_: Any) -> list[CheckMessage]:
    """Return everything that is wrong with the settings of PayGo."""
    return [*_numbers(), *_amounts(), *_limits(), *_zcash(), *_ethereum(), *_sandbox()]


def _numbers() -> Iterator[CheckMessage]:
    for name, (least, most) in BOUNDS.items():
        value = getattr(settings, NAMES.get(name, name))
        # In this form a float that is no number is refused too.
        if not least <= value <= most:
            yield Error(f"{name} is {value}; it must be between {least} and {most}.", id="paygo.E001")
    if settings.DEFAULT_PERMISSION_DURATION_DAYS > settings.MAX_PERMISSION_DURATION_DAYS:
        yield Error(
            "DEFAULT_PERMISSION_DURATION_DAYS is above MAX_PERMISSION_DURATION_DAYS.", id="paygo.E003"
        )


def _amounts() -> Iterator[CheckMessage]:
    try:
        low_zat, high_zat = (
            parse_zec(settings.MIN_PERMISSION_AMOUNT),
            parse_zec(settings.MAX_PERMISSION_AMOUNT),
        )
    except AmountError as error:
        yield Error(f"MIN_PERMISSION_AMOUNT or MAX_PERMISSION_AMOUNT {error}.", id="paygo.E004")
        return
    if low_zat > high_zat:
        yield Error("MIN_PERMISSION_AMOUNT is above MAX_PERMISSION_AMOUNT.", id="paygo.E004")
    names = ["REFUND_MINIMUM", "PAYOUT_MINIMUM", "MAX_REVERSAL_AMOUNT_PER_PASS"]
    # Empty: nothing needs approval.
    for name in (each for each in _APPROVALS if not getattr(settings, each)):
        if settings.ZCASH_NETWORK == Network.MAIN:
            yield checks.Warning(
                f"{name} is empty on the main network: one operator alone can send any sum.",
                hint="Set it to an amount of ZEC above which two have to agree.",
                id="paygo.W003",
            )
    names += [each for each in _APPROVALS if getattr(settings, each)]
    for name in names:
        try:
            parse_zec(getattr(settings, name))
        except AmountError as error:
            yield Error(f"{name} {error}.", id="paygo.E010")
    try:
        parse_tiers(settings.ZCASH_CONFIRMATION_TIERS)
    except ValueError as error:
        yield Error(f"ZCASH_CONFIRMATION_TIERS: {error}.", id="paygo.E011")


def _limits() -> Iterator[CheckMessage]:
    for name in _RATES:
        try:
            parse_rate(getattr(settings, name))
        except ValueError as error:
            yield Error(f"{name} {error}.", id="paygo.E016")
    try:
        parse_networks(tuple(settings.TRUSTED_PROXIES))
    except ValueError as error:
        yield Error(f"PAYGO_TRUSTED_PROXIES: {error}.", id="paygo.E017")
    if not 0 <= settings.STREAM_LIMIT_PER_CLIENT <= settings.STREAM_LIMIT:
        yield Error(
            f"STREAM_LIMIT_PER_CLIENT must be between 0 and STREAM_LIMIT, which is {settings.STREAM_LIMIT}.",
            hint="A client has a share of the streams of a process; without a value it is a quarter.",
            id="paygo.E019",
        )


def _zcash() -> Iterator[CheckMessage]:
    if settings.ZCASH_NETWORK not in list(Network):
        yield Error(
            f"ZCASH_NETWORK is {settings.ZCASH_NETWORK!r}; it must be main, test or regtest.", id="paygo.E005"
        )
        return
    for name in ("ZCASH_RPC_URL", "ZCASH_NODE_URL"):
        url = getattr(settings, name)
        # zcashd is wallet and node in one, so only zallet needs the second.
        if urlsplit(url).scheme not in ("http", "https") and (url or name == "ZCASH_RPC_URL"):
            yield Error(f"{name} must be an http:// or https:// address.", id="paygo.E006")
    yield from _wallet()
    if settings.ZCASH_SERVICE_WALLET:
        yield from _service_wallet()
    if settings.ZCASH_NETWORK == Network.MAIN and settings.ZCASH_MIN_CONFIRMATIONS < 3:
        yield checks.Warning(
            f"ZCASH_MIN_CONFIRMATIONS is {settings.ZCASH_MIN_CONFIRMATIONS} on the main network.",
            hint="ZIP-315 recommends 10 for money from strangers, and never less than 3.",
            id="paygo.W001",
        )


def _wallet() -> Iterator[CheckMessage]:
    dialect, account = settings.ZCASH_WALLET_DIALECT, settings.ZCASH_ACCOUNT
    if dialect not in list(Dialect):
        yield Error(
            f"ZCASH_WALLET_DIALECT is {dialect!r}; it must be auto, zcashd or zallet.", id="paygo.E012"
        )
    if account_number(account) is None and (dialect == Dialect.ZCASHD or account_uuid(account) is None):
        yield Error(
            "ZCASH_ACCOUNT must be the number of the wallet's account; with zallet, better its UUID.",
            id="paygo.E013",
        )
    if dialect == Dialect.ZALLET and not settings.ZCASH_NODE_URL:
        yield Error(
            "ZCASH_WALLET_DIALECT is zallet and ZCASH_NODE_URL is not set.",
            hint="zallet knows nothing of the chain: set it to the JSON-RPC of the zebrad that it reads.",
            id="paygo.E014",
        )


def _service_wallet() -> Iterator[CheckMessage]:
    try:
        address = parse(settings.ZCASH_SERVICE_WALLET, network=Network(settings.ZCASH_NETWORK))
    except AddressError as error:
        yield Error(f"ZCASH_SERVICE_WALLET: this is {error}.", id="paygo.E008")
        return
    if address.kind is not Kind.UNIFIED:
        yield Error(
            "ZCASH_SERVICE_WALLET must be a unified address of the wallet's own account.", id="paygo.E008"
        )


def _ethereum() -> Iterator[CheckMessage]:
    try:
        chains.all_chains()
    except ConfigurationUnfit as error:
        yield Error(
            error.detail, hint="docs/operators/ethereum-chains.example.toml is a good one.", id="paygo.E020"
        )


def _sandbox() -> Iterator[CheckMessage]:
    if settings.WEBHOOK_ALLOW_LOOPBACK and settings.ZCASH_NETWORK == Network.MAIN:
        yield Error(
            "WEBHOOK_ALLOW_LOOPBACK is on and ZCASH_NETWORK is main.",
            hint="Every client can have requests sent to this machine: it is for development.",
            id="paygo.E018",
        )
    if settings.PAYGO_SANDBOX and settings.ZCASH_NETWORK == Network.MAIN:
        yield Error(
            "PAYGO_SANDBOX is on and ZCASH_NETWORK is main.",
            hint="A sandbox moves the clock: it is for test chains only.",
            id="paygo.E009",
        )
