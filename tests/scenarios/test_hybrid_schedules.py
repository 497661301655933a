"""The same independence of schedules where a token pays, too: over to it, back from it, to its own end.

The walk by milliseconds (tests.oracle) knows both sources.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from billing import covering, live
from billing.ethereum import authorizing
from billing.models_ethereum import Authorization
from core.errors import DomainError
from sessions_app import vendors
from sessions_app.models import Vendor
from tests import books
from tests.factories import NOW, after, make_authorization
from tests.oracle import Oracle
from tests.oracle_rows import Outcome
from tests.scenarios import test_schedule_independence as independence
from tests.scenarios.test_schedule_independence import (
    HORIZON_MS,
    INSTANTS,
    TICKS,
    Call,
    Paid,
    Product,
    Script,
    Tick,
)

pytestmark = pytest.mark.django_db

_small_world = independence._small_world


@dataclass(frozen=True)
class Signed:
    """What the viewer signed: units an hour, the limit, what of it the chain bears out, its last instant.

    `prices` are those that vendors have in the token, by their price in ZEC: some are above what was signed.
    """

    rate: int
    limit: int
    cutoff: int
    expires_ms: int
    prices: Mapping[int, int]


def _signed(parts: tuple[int, int, int, int, dict[int, int]]) -> Signed:
    rate, limit, cutoff, expires_ms, percents = parts
    prices = {price: rate * percent // 100 for price, percent in percents.items()}
    return Signed(rate, limit, min(limit, cutoff), expires_ms, prices)


# Three prices, so that some permissions cover some sessions.
PRICES = st.sampled_from([2_000_000, 20_000_000, 200_000_000])
SIGNED = st.tuples(
    # From three units a second to three a millisecond, and as many as an 18-digit token has.
    st.one_of(st.integers(10_000, 10_000_000), st.integers(10**18, 10**19)),
    st.one_of(st.integers(1, 10_000), st.just(10**20)),
    st.one_of(st.integers(0, 10_000), st.integers(10**14, 10**16), st.just(10**20)),
    st.one_of(INSTANTS, st.just(10 * HORIZON_MS), st.just(10 * HORIZON_MS)),
    # What vendors cost in the token, in percent of what was signed.
    st.dictionaries(PRICES, st.sampled_from([1, 50, 99, 100, 101])),
).map(_signed)
PERMISSIONS = st.lists(
    st.builds(
        Paid,
        amount_zat=st.one_of(st.integers(1, 2_000), st.integers(1, 20_000)),
        rate=PRICES,
        expires_ms=st.one_of(INSTANTS, st.just(10 * HORIZON_MS), st.just(10 * HORIZON_MS)),
    ),
    min_size=1,
    max_size=3,
)


def _calls() -> st.SearchStrategy[list[Call]]:
    """Calls of a wallet whose ZEC is often used up: most sessions have neither lease nor cap."""
    starts = st.builds(
        Call,
        at_ms=st.integers(1, HORIZON_MS // 2),
        name=st.just("start"),
        value=PRICES,
        lease_s=st.sampled_from([None, None, None, 2]),
        cap_zat=st.sampled_from([None, None, None, None, 5_000]),
    )
    pays = st.builds(Call, at_ms=INSTANTS, name=st.just("pay"), number=st.integers(0, 2))
    others = [
        st.builds(Call, at_ms=INSTANTS, name=st.just("end"), number=st.integers(0, 4)),
        st.builds(
            Call,
            at_ms=INSTANTS,
            name=st.just("credit"),
            number=st.integers(0, 2),
            value=st.integers(1, 20_000),
        ),
        st.builds(Call, at_ms=INSTANTS, name=st.sampled_from(["pause", "resume"]), number=st.integers(0, 3)),
    ]
    rare = [
        st.builds(Call, at_ms=INSTANTS, name=st.just("revoke"), number=st.integers(0, 2)),
        st.builds(Call, at_ms=INSTANTS, name=st.just("revoke_token")),
    ]
    script = st.tuples(
        st.lists(pays, min_size=1, max_size=4),
        st.lists(starts, min_size=2, max_size=4),
        st.lists(st.one_of(*others), max_size=6),
        st.lists(st.one_of(*rare), max_size=1),
    )
    return script.map(lambda parts: sorted([c for part in parts for c in part], key=lambda c: c.at_ms))


@settings(
    max_examples=200,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    permissions=PERMISSIONS,
    signed=SIGNED,
    calls=_calls(),
    ticks=TICKS,
)
@pytest.mark.timeout(600)
def test_both_sources_give_what_the_walk_by_milliseconds_gives(
    db: None,
    permissions: list[Paid],
    signed: Signed,
    calls: list[Call],
    ticks: list[Tick],
) -> None:
    expected = _walk(permissions, signed, calls)

    with independence._rolled_back():
        product = Hybrid(permissions, signed)
        product.live(calls, ticks)

        assert product.story() == _story(expected, permissions)
        assert books.violations() == []


class Hybrid(Product):
    """PayGo living a script of a viewer who has signed for a token."""

    def __init__(self, permissions: list[Paid], signed: Signed) -> None:
        super().__init__(permissions)
        self.prices = signed.prices
        self.authorization = make_authorization(
            self.client,
            rate=signed.rate,
            limit=signed.limit,
            cutoff=signed.cutoff,
            expires_at=after(ms=signed.expires_ms),
        )

    def read(self, tick: Tick) -> None:
        super().read(tick)
        now = independence._clock(tick)
        seen = authorizing.show(client_id=self.client.pk, public_id=self.authorization.public_id, now=now)
        assert seen.remaining_units >= 0
        for code in filter(None, self.codes):
            live.of_session(code, client_id=self.client.pk, now=now)

    def _vendor(self, price: int) -> str:
        is_new = price not in self.vendors
        slug = super()._vendor(price)
        if is_new and price in self.prices:
            vendors.publish_in_token(
                Vendor.objects.get(client=self.client, slug=slug).pk,
                chain_id=self.authorization.chain_id,
                token_address=self.authorization.token_address,
                price_units_per_hour=self.prices[price],
                actor="tests",
                now=NOW,
            )
        return slug

    def revoke_token(self, call: Call) -> None:
        with suppress(DomainError):
            authorizing.revoke(
                client_id=self.client.pk, public_id=self.authorization.public_id, now=after(ms=call.at_ms)
            )

    def story(self) -> dict[str, Any]:
        covering.bring_current(self.authorization.pk, now=after(ms=HORIZON_MS))
        token = Authorization.objects.get(pk=self.authorization.pk)
        return {**super().story(), "token": (token.status, token.charged_units)}


class HybridScript(Script):
    """Translates the script, with the token's revocation."""

    def add(self, call: Call) -> None:
        if call.name == "revoke_token":
            self.oracle.call(call.at_ms, "revoke_token")
        else:
            super().add(call)


def _walk(permissions: list[Paid], signed: Signed, calls: list[Call]) -> Outcome:
    oracle = Oracle()
    oracle.link_token(
        rate=signed.rate,
        limit=signed.limit,
        cutoff=signed.cutoff,
        expires_at=signed.expires_ms,
        prices=signed.prices,
    )
    for number, paid in enumerate(permissions):
        oracle.add_permission(
            number,
            rate_zat_per_hour=paid.rate,
            expires_at=paid.expires_ms,
            status="pending",
            requested_zat=paid.amount_zat,
        )
    scripted = HybridScript(oracle, permissions)
    for call in calls:
        scripted.add(call)
    return oracle.run(HORIZON_MS)


def _story(outcome: Outcome, permissions: list[Paid]) -> dict[str, Any]:
    assert outcome.token is not None
    token = (str(outcome.token.status), outcome.token.charged)
    return {**independence._story(outcome, permissions), "token": token}
