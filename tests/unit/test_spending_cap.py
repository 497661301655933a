"""How long an amount lasts, to the millisecond."""

from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from billing.projection import Link, funded_until_ms, runner
from billing.rules import Meter, longest_ms
from core.amounts import MAX_ZAT

RATES = st.integers(1, MAX_ZAT)
AMOUNTS = st.integers(0, MAX_ZAT)


@given(rate=RATES, amount_zat=AMOUNTS)
@example(rate=1, amount_zat=MAX_ZAT)
@example(rate=MAX_ZAT, amount_zat=0)
@example(rate=MAX_ZAT, amount_zat=MAX_ZAT)
def test_is_the_last_millisecond_that_costs_no_more(rate: int, amount_zat: int) -> None:
    last_ms = longest_ms(rate, amount=amount_zat)

    meter = Meter(1, rate, 0, last_ms + 2)
    assert meter.amount(last_ms) <= amount_zat < meter.amount(last_ms + 1)


@given(rate=RATES, amount_zat=AMOUNTS, share=st.fractions(0, 1))
def test_is_never_shorter_for_being_cut_in_two(rate: int, amount_zat: int, share: Fraction) -> None:
    whole_ms = longest_ms(rate, amount=amount_zat)
    first_ms = int(whole_ms * share)

    left_zat = amount_zat - Meter(1, rate, 0, whole_ms).amount(first_ms)

    assert left_zat >= 0
    assert first_ms + longest_ms(rate, amount=left_zat) >= whole_ms


def test_is_carried_net_from_permission_to_permission() -> None:
    # 1000 zat an hour is one every 3.6 s: 5 zat last until just before the 6th, at 21.6 s.
    capped = runner(1, 1_000, started_ms=0, own_bound_ms=10**9, max_amount=5)
    chain = [Link(2, 1_000, 10**9), Link(2, 1_000, 10**9), Link(100, 1_000, 10**9)]

    ends = funded_until_ms([capped], chain=chain, settled_ms=0)

    # The last stretch, of one zatoshi, begins when the second is used up, at 14.4 s.
    assert ends == {1: 14_400 + 7_199}
