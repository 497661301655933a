"""System checks say which setting is wrong."""

import io
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from paygo.bounds import BOUNDS
from paygo.checks import check_settings


def ids() -> set[str]:
    return {message.id for message in check_settings()}


def test_accepts_the_defaults():
    assert ids() == set()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("BILLING_INTERVAL_SECONDS", 0, "paygo.E001"),
        ("ZCASH_MIN_CONFIRMATIONS", 0, "paygo.E001"),
        ("MAX_SESSION_HOURS", 2401, "paygo.E001"),
        ("MAX_PAUSE_HOURS", 8785, "paygo.E001"),
        ("RATE_LIMIT_CALLS", "0/m", "paygo.E016"),
        ("RATE_LIMIT_PUBLIC", "10 per minute", "paygo.E016"),
        ("RATE_LIMIT_PUBLIC", "off", "no error"),
        ("TRUSTED_PROXIES", ["10.0.0.0/33"], "paygo.E017"),
        ("TRUSTED_PROXIES", ["10.0.0.0/8", "::1"], "no error"),
        ("STREAM_LIMIT_PER_CLIENT", 5, "paygo.E019"),
        ("STREAM_LIMIT_PER_CLIENT", -1, "paygo.E019"),
        ("STREAM_LIMIT_PER_CLIENT", 4, "no error"),
        ("STREAM_LIMIT", 0, "paygo.E019"),
        ("DEFAULT_PERMISSION_DURATION_DAYS", 9999, "paygo.E003"),
        ("MIN_PERMISSION_AMOUNT", "a lot", "paygo.E004"),
        ("MIN_PERMISSION_AMOUNT", "21000000", "no error"),
        ("MAX_PERMISSION_AMOUNT", "0", "paygo.E004"),
        ("PAYOUT_APPROVAL_ABOVE", "a lot", "paygo.E010"),
        ("REFUND_APPROVAL_ABOVE", "", "no error"),
        ("APPROVAL_ACCOUNT_AGE_HOURS", -1, "paygo.E001"),
        ("ZCASH_NETWORK", "mainnet", "paygo.E005"),
        ("ZCASH_RPC_URL", "127.0.0.1:8232", "paygo.E006"),
        ("ZCASH_RPC_TIMEOUT_SECONDS", 0, "paygo.E001"),
        ("ZCASH_SERVICE_WALLET", "zs1", "paygo.E008"),
        ("ZCASH_NODE_URL", "127.0.0.1:8232", "paygo.E006"),
        ("ZCASH_NODE_URL", "https://node.example", "no error"),
        ("ZCASH_WALLET_DIALECT", "zebra", "paygo.E012"),
        ("ZCASH_WALLET_DIALECT", "zallet", "paygo.E014"),
        ("ZCASH_ACCOUNT", "", "paygo.E013"),
        ("ETHEREUM_CHAINS_FILE", "/nowhere/chains.toml", "paygo.E020"),
        ("ETHEREUM_RPC_TIMEOUT_SECONDS", 0, "paygo.E001"),
        ("ETHEREUM_REPLACE_SECONDS", 0, "paygo.E001"),
        ("WEBHOOK_TIMEOUT_SECONDS", float("nan"), "paygo.E001"),
        ("WEBHOOK_TIMEOUT_SECONDS", float("inf"), "paygo.E001"),
        ("LOCK_TIMEOUT_MS", 0, "paygo.E001"),
        ("STATISTICS_SECONDS", 10**12, "paygo.E001"),
        ("BALANCE_CACHE_SECONDS", -1, "paygo.E001"),
        ("BALANCE_CACHE_SECONDS", 0, "no error"),
        ("MIN_START_SECONDS", -1, "paygo.E001"),
        ("MIN_START_SECONDS", 0, "no error"),
        ("MIN_START_SECONDS", 10**7, "paygo.E001"),
        ("DATABASE_POOL_SIZE", -1, "paygo.E001"),
        ("DATABASE_POOL_SIZE", 10**6, "paygo.E001"),
        ("PAYOUT_HOLD_HOURS", -1, "paygo.E001"),
        ("PAYOUT_HOLD_HOURS", 10**9, "paygo.E001"),
        ("PAYOUT_HOLD_HOURS", 0, "no error"),
        ("REFUND_ADDRESS_DELAY_HOURS", -1, "paygo.E001"),
        ("REFUND_ADDRESS_DELAY_HOURS", 10**9, "paygo.E001"),
        ("AUDIT_SETTLEMENT_RETENTION_DAYS", 0, "paygo.E001"),
        ("AUDIT_SETTLEMENT_RETENTION_DAYS", 10**9, "paygo.E001"),
        ("WEBHOOK_LOG_RETENTION_DAYS", 0, "paygo.E001"),
        ("WEBHOOK_LOG_RETENTION_DAYS", 10**9, "paygo.E001"),
        ("NOTIFY_EMAIL_RETENTION_DAYS", 0, "paygo.E001"),
        ("BILLING_CHUNK_SIZE", 10**9, "paygo.E001"),
        ("BILLING_CHUNK_SIZE", 100_000, "no error"),
        ("PAYOUT_MINIMUM", "0", "paygo.E010"),
        ("PAYOUT_APPROVAL_ABOVE", "lots", "paygo.E010"),
        ("PAYOUT_APPROVAL_ABOVE", "-1", "paygo.E010"),
        ("PAYOUT_APPROVAL_ABOVE", "10.5", "no error"),
        ("REFUND_APPROVAL_ABOVE", "1e3", "paygo.E010"),
        ("ZCASH_ACCOUNT", "-1", "paygo.E013"),
        ("ZCASH_ACCOUNT", "2147483648", "paygo.E013"),
        ("ZCASH_ACCOUNT", "2147483647", "no error"),
        ("ZCASH_ACCOUNT", "\u0661", "paygo.E013"),
        ("ZCASH_ACCOUNT", "default", "paygo.E013"),
        ("ZCASH_ACCOUNT", "3F2B6C1E-8D4A-4E0B-9C57-1A2B3C4D5E6F", "no error"),
    ],
)
def test_names_a_wrong_setting(settings, name, value, expected):
    setattr(settings, name, value)

    assert ids() == (set() if expected == "no error" else {expected})


def test_bounds_every_number_that_is_read_from_the_environment():
    source = (Path(settings.BASE_DIR) / "paygo" / "settings.py").read_text()
    read = set(re.findall(r'env\.(?:int|float)\(\s*"(\w+)"', source))

    # A client's share of the streams has a check of its own.
    assert read - {"STREAM_LIMIT_PER_CLIENT"} == set(BOUNDS)


def test_refuses_a_sandbox_on_the_main_network(settings):
    settings.ZCASH_NETWORK = "main"
    settings.PAYGO_SANDBOX = True

    assert "paygo.E009" in ids()


def test_refuses_webhooks_to_this_machine_on_the_main_network(settings):
    settings.ZCASH_NETWORK = "main"
    settings.PAYGO_SANDBOX = False
    settings.ZCASH_MIN_CONFIRMATIONS = 10
    settings.WEBHOOK_ALLOW_LOOPBACK = True

    assert ids() == {"paygo.E018"}


def test_leaves_a_client_a_share_of_the_streams(settings):
    assert 0 < settings.STREAM_LIMIT_PER_CLIENT < settings.STREAM_LIMIT


def test_wants_a_number_for_an_account_of_zcashd(settings):
    settings.ZCASH_WALLET_DIALECT = "zcashd"
    settings.ZCASH_ACCOUNT = "3f2b6c1e-8d4a-4e0b-9c57-1a2b3c4d5e6f"

    assert ids() == {"paygo.E013"}


def test_warns_of_few_confirmations_on_the_main_network(settings):
    settings.ZCASH_NETWORK = "main"
    settings.PAYGO_SANDBOX = False
    settings.ZCASH_MIN_CONFIRMATIONS = 1

    assert ids() == {"paygo.W001"}


def test_warns_where_one_operator_alone_could_send_any_sum(settings):
    settings.ZCASH_NETWORK = "main"
    settings.PAYGO_SANDBOX = False
    settings.PAYOUT_APPROVAL_ABOVE = ""

    assert ids() == {"paygo.W003"}


def test_no_command_begins_with_a_warning():
    out = io.StringIO()

    call_command("check", stdout=out, stderr=out)

    assert "System check identified no issues" in out.getvalue()
