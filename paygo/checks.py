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
from paygo.client_address import parse_networks
from paygo.ratelimit import parse_rate
from zcash.addresses import AddressError, Kind, Network, parse
from zcash.confirmations import parse_tiers
from zcash.node.accounts import account_number, account_uuid
from zcash.node.dialect import Dialect

# Longer than this the running total of the dearest rate would not fit BIGINT (billing.sql.amount).
_MAX_SESSION_HOURS = 100 * 24
# A year: what is paused for longer has been forgotten.
_MAX_PAUSE_HOURS = 366 * 24
_AT_LEAST_ONE = (
    "BILLING_INTERVAL_SECONDS",
    "BILLING_CHUNK_SIZE",
    "AUDIT_SETTLEMENT_RETENTION_DAYS",
    "DEPOSIT_SCAN_SECONDS",
    "EXPIRY_SWEEP_SECONDS",
    "DEFAULT_PERMISSION_DURATION_DAYS",
    "MAX_PERMISSION_DURATION_DAYS",
    "PERMISSION_PAYMENT_WINDOW_HOURS",
    "MAX_SESSION_HOURS",
    "MAX_PAUSE_HOURS",
    "MAX_SESSIONS_PER_WALLET",
    "ZCASH_MIN_CONFIRMATIONS",
    "MAX_REVERSALS_PER_PASS",
    "REFUND_CONFIRMATIONS",
    "REFUND_ROUND_SECONDS",
    "STATISTICS_SECONDS",
    "RECONCILE_SECONDS",
    "PAYOUT_SWEEP_SECONDS",
    "API_MAX_BODY_BYTES",
    "ETHEREUM_COLLECT_SECONDS",
    "ETHEREUM_COLLECT_GRACE_HOURS",
    "ETHEREUM_REPLACE_SECONDS",
    "AXES_FAILURE_LIMIT",
    "LOGIN_TRIES_PER_MINUTE",
    "EVENT_ROUND_SECONDS",
    "NOTICE_ROUND_SECONDS",
    "MAX_WEBHOOK_ENDPOINTS",
    "STREAM_HEARTBEAT_SECONDS",
)

_AT_LEAST_ZERO = (
    "DATABASE_POOL_SIZE",
    "MIN_START_SECONDS",
    "PAYOUT_HOLD_HOURS",
    "REFUND_ADDRESS_DELAY_HOURS",
    "APPROVAL_ACCOUNT_AGE_HOURS",
    "APPROVAL_INDEPENDENT_DAYS",
)
_YEARS = 100 * 366
_AT_MOST = {
    # A page of the interval is one statement and one transaction: a larger one would hold its locks long.
    "BILLING_CHUNK_SIZE": 100_000,
    # More connections of one process than a server of PostgreSQL has for all.
    "DATABASE_POOL_SIZE": 1_000,
    # Longer than a session may last, nobody could start one.
    "MIN_START_SECONDS": _MAX_SESSION_HOURS * 3600,
    # Beyond that, subtracting them from today is no date any more.
    "AUDIT_SETTLEMENT_RETENTION_DAYS": _YEARS,
    "PAYOUT_HOLD_HOURS": _YEARS * 24,
    "REFUND_ADDRESS_DELAY_HOURS": _YEARS * 24,
    "APPROVAL_ACCOUNT_AGE_HOURS": _YEARS * 24,
    "APPROVAL_INDEPENDENT_DAYS": _YEARS,
}
# As the environment calls them, where that is another name.
_NAMES = {"DATABASE_POOL_SIZE": "PAYGO_DB_POOL"}

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
    for name in _AT_LEAST_ONE:
        if getattr(settings, name) < 1:
            yield Error(f"{name} must be at least 1.", id="paygo.E001")
    for name in _AT_LEAST_ZERO:
        if getattr(settings, name) < 0:
            yield Error(f"{_NAMES.get(name, name)} must be at least 0.", id="paygo.E001")
    for name, most in _AT_MOST.items():
        if getattr(settings, name) > most:
            yield Error(f"{_NAMES.get(name, name)} must be at most {most}.", id="paygo.E021")
    if settings.MAX_SESSION_HOURS > _MAX_SESSION_HOURS:
        yield Error(f"MAX_SESSION_HOURS must be at most {_MAX_SESSION_HOURS}.", id="paygo.E002")
    if settings.MAX_PAUSE_HOURS > _MAX_PAUSE_HOURS:
        yield Error(f"MAX_PAUSE_HOURS must be at most {_MAX_PAUSE_HOURS}.", id="paygo.E015")
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
    if settings.ZCASH_RPC_TIMEOUT_SECONDS <= 0:
        yield Error("ZCASH_RPC_TIMEOUT_SECONDS must be above 0.", id="paygo.E007")
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
    if settings.ETHEREUM_RPC_TIMEOUT_SECONDS <= 0:
        yield Error("ETHEREUM_RPC_TIMEOUT_SECONDS must be above 0.", id="paygo.E007")
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
