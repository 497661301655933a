"""The policy of confirmations: which text is one, and how many it asks for."""

import pytest
from pytest_django.fixtures import Settings

from paygo.checks import check_settings
from zcash.confirmations import parse_tiers
from zcash.rules import required_confirmations

ZEC = 100_000_000


@pytest.mark.parametrize(
    ("text", "tiers"),
    [
        ("", {}),
        ("10:3", {10 * ZEC: 3}),
        (" 10 : 3 , 0.5:100 ,", {10 * ZEC: 3, ZEC // 2: 100}),
    ],
)
def test_reads_tiers(text: str, tiers: dict[int, int]) -> None:
    assert parse_tiers(text) == tiers


@pytest.mark.parametrize(
    "text",
    [
        "10",
        ":3",
        "10:",
        "10:0",
        "10:-1",
        "10:101",
        "10:3.5",
        "10:3:4",
        "10:\u0663",
        "ten:3",
        "0:3",
        "1e1:3",
        "NaN:3",
        "0.000000001:3",
        "10:" + "9" * 5000,
        "10:5,20:6,10.0:3",
    ],
)
def test_refuses_what_is_none_in_a_system_check(text: str, settings: Settings) -> None:
    settings.ZCASH_CONFIRMATION_TIERS = text

    assert [message.id for message in check_settings()] == ["paygo.E011"]


@pytest.mark.parametrize(
    ("young_zat", "needed"),
    [(0, 3), (10 * ZEC - 1, 3), (10 * ZEC, 6), (100 * ZEC - 1, 6), (100 * ZEC, 20), (10**15, 20)],
)
def test_asks_for_as_many_as_the_highest_tier_that_is_reached(young_zat: int, needed: int) -> None:
    tiers = {10 * ZEC: 6, 100 * ZEC: 20}

    assert required_confirmations(young_zat, base=3, tiers=tiers) == needed


def test_a_tier_asks_for_no_less_than_every_payment_needs() -> None:
    assert required_confirmations(10 * ZEC, base=10, tiers={1 * ZEC: 3}) == 10


def test_a_higher_tier_asks_for_no_less_than_a_lower_one() -> None:
    assert required_confirmations(10 * ZEC, base=1, tiers={1 * ZEC: 8, 5 * ZEC: 4}) == 8
