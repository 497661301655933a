"""The file of chains: the example holds, and what is wrong is named."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from billing.ethereum import chains, keys
from billing.ethereum.errors import ConfigurationUnfit
from tests.evm.node import BASE

EXAMPLE = BASE / "docs" / "operators" / "ethereum-chains.example.toml"


@pytest.fixture(autouse=True)
def _addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETHEREUM_RPC_URL", "https://ethereum.example/key")
    monkeypatch.setenv("BASE_RPC_URL", "https://base.example/key")


def read(settings: Settings, path: Path) -> tuple[chains.Chain, ...]:
    settings.ETHEREUM_CHAINS_FILE = str(path)
    return chains.all_chains()


def test_the_example_has_several_chains_at_once(settings: Settings) -> None:
    ethereum, base, local = read(settings, EXAMPLE)

    assert [each.chain_id for each in (ethereum, base, local)] == [1, 8453, 31337]
    assert (ethereum.collector_of(ethereum.tokens[0]), base.tokens[0].collect_units) == (None, 500_000)
    assert base.rpc_url == "https://base.example/key"
    assert local.collector_of(local.tokens[0]) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("chain_id = 8453", "chain_id = 1", "twice"),
        ("confirmations = 12", "confirmations = 0", "confirmations"),
        ("decimals = 6", 'decimals = "6"', "decimals"),
        ("0x5aAeb6053F", "0x5aaeb6053F", "checksum"),
        ('first_debt = "10"', 'first_debt = "1"', "collect_at <= first_debt"),
        ('collect_least = "2.00"', 'collect_least = "6"', "collect_least <= collect_at"),
        ('collect_least = "2.00"', "", "collect_least must be"),
        ('collector = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"', 'collector = ""', "collector must be"),
        ('collect_at = "5.00"', 'collect_at = "0.0000001"', "decimals"),
        ('first_debt = "10"', 'first_debt = "1e80"', "below 2"),
        ("collector = false", 'collector = "no"', "true or false"),
        ("collector = false", "collector = true", "has none"),
        ("max_fee_gwei = 60", "max_fee = 60", "unknown: max_fee"),
        ("env:BASE_RPC_URL", "env:NOT_SET", "rpc_url"),
        ('symbol = "USDT"', 'symbol = "ZEC"', "ZEC"),
        ("[[chain]]", "[[chain", "ETHEREUM_CHAINS_FILE"),
    ],
)
def test_names_what_is_wrong(settings: Settings, tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "chains.toml"
    path.write_text(EXAMPLE.read_text().replace(old, new))

    with pytest.raises(ConfigurationUnfit, match=said):
        read(settings, path)


def test_what_has_one_name_on_two_chains_counts_in_one_unit(settings: Settings, tmp_path: Path) -> None:
    same, other = tmp_path / "same.toml", tmp_path / "other.toml"
    same.write_text(EXAMPLE.read_text().replace('"USDC"', '"USDT"'))
    other.write_text(same.read_text().replace("decimals = 6", "decimals = 18", 1))

    assert [each.tokens[0].symbol for each in read(settings, same)][:2] == ["USDT", "USDT"]
    with pytest.raises(ConfigurationUnfit, match="USDT has other decimals"):
        read(settings, other)


def test_a_key_that_others_may_read_is_refused_and_shows_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.write_text("0x" + "11" * 32)
    monkeypatch.setenv("ETHEREUM_KEY_FILE", str(path))

    path.chmod(0o644)
    with pytest.raises(ConfigurationUnfit, match="chmod 600"):
        keys.load()
    path.chmod(0o600)
    assert "1111" not in repr(keys.load())
    path.write_text("0xnot a key of mine")
    with pytest.raises(ConfigurationUnfit) as refused:
        keys.load()
    assert "not a key" not in str(refused.value)
    assert refused.value.__cause__ is None
