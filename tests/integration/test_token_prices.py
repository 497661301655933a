"""What vendors cost in tokens: frozen for each session at its start, never above what was signed."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing import engine, interval, live, pauses
from billing.engine import StartRequest
from billing.errors import AuthorizationExhausted, RateExceedsAuthorization
from billing.ethereum.errors import ChainUnknown
from billing.models_ethereum import Authorization
from billing.records import SessionRecord
from core import db
from core.models import User
from sessions_app.errors import VendorNotFound
from sessions_app.models import StreamingSession, Vendor, VendorTokenPrice
from sessions_app.rules import EndReason
from tests.factories import (
    ALICE,
    ALICE_ETHEREUM,
    NOW,
    USD,
    ZEC,
    after,
    make_active_permission,
    make_authorization,
    make_client,
    make_vendor,
    pay,
    stream,
)
from tests.tokens import CHAIN, OTHER_CHAIN, configure_usdt, set_token_price
from zcash.errors import LimitExceeded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vera(tmp_path: Path, settings: Any) -> User:
    configure_usdt(tmp_path, settings, CHAIN, OTHER_CHAIN)
    client = make_client()
    make_vendor(client)
    make_vendor(client, slug="cheap")
    return client


def end(client: User, code: str, *, now: datetime) -> SessionRecord:
    return engine.end(code, client_id=client.pk, now=now)


def paid(record: SessionRecord) -> list[tuple[str, int, int]]:
    return [(each.asset, each.rate, each.amount) for each in record.transactions]


def run(now: datetime) -> None:
    assert interval.run_interval(now=now, engine="test", chunk_size=10).put_aside == []


def versions() -> list[tuple[int, int, int | None]]:
    found = VendorTokenPrice.objects.order_by("id")
    return list(found.values_list("version", "chain_id", "price_units_per_hour"))


class TestTheVersions:
    def test_are_counted_over_all_tokens_of_a_vendor(self, vera: User) -> None:
        added = [
            set_token_price(vera, USD),
            set_token_price(vera, 2 * USD, chain_id=OTHER_CHAIN),
            set_token_price(vera, None),
        ]
        set_token_price(vera, 7, vendor="cheap")

        assert [each.version for each in added] == [1, 2, 3]
        assert versions() == [
            (1, CHAIN, USD),
            (2, OTHER_CHAIN, 2 * USD),
            (3, CHAIN, None),
            (1, CHAIN, 7),
        ]
        assert Vendor.objects.get(slug="vendor123").token_price_version == 3

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE sessions_vendortokenprice SET price_units_per_hour = 1",
            "DELETE FROM sessions_vendortokenprice",
            "TRUNCATE sessions_vendortokenprice CASCADE",
        ],
    )
    def test_never_change(self, vera: User, change: str) -> None:
        set_token_price(vera, USD)

        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            db.execute(change)

        assert versions() == [(1, CHAIN, USD)]

    @pytest.mark.parametrize("units", [0, -1, 10**30 + 1])
    def test_are_rates_that_can_be_metered(self, vera: User, units: int) -> None:
        with pytest.raises(LimitExceeded) as refused:
            set_token_price(vera, units)

        assert (refused.value.field, versions()) == ("rate_per_hour", [])

    def test_are_of_chains_and_tokens_that_are_accepted(self, vera: User) -> None:
        with pytest.raises(ChainUnknown) as no_chain:
            set_token_price(vera, USD, chain_id=1)
        with pytest.raises(ChainUnknown) as no_token:
            set_token_price(vera, USD, token="0x" + "44" * 20)

        assert (no_chain.value.field, no_token.value.field, versions()) == ("chain_id", "token", [])

    def test_of_another_client_are_none_of_its_business(self, vera: User) -> None:
        mallory = make_client("mallory")
        make_vendor(mallory)

        with pytest.raises(VendorNotFound):
            set_token_price(mallory, 1, vendor="cheap")
        set_token_price(mallory, 1)
        make_authorization(vera, linked=None)
        code = stream(vera, wallet=ALICE_ETHEREUM)

        assert paid(end(vera, code, now=after(hours=1))) == [("USDT", USD, USD)]


class TestAStart:
    def test_costs_what_each_vendor_says(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None, rate=3 * USD)
        set_token_price(vera, 2 * USD)
        set_token_price(vera, 500_001, vendor="cheap")
        make_vendor(vera, slug="without")
        slugs = ("vendor123", "cheap", "without")
        codes = [stream(vera, wallet=ALICE_ETHEREUM, vendor=each) for each in slugs]
        run(after(seconds=1234))

        records = [end(vera, code, now=after(hours=1)) for code in codes]

        assert [paid(each) for each in records] == [
            [("USDT", 2 * USD, 2 * USD)],
            [("USDT", 500_001, 500_001)],
            [("USDT", 3 * USD, 3 * USD)],
        ]
        authorization.refresh_from_db()
        assert authorization.charged_units == 5 * USD + 500_001

    def test_is_metered_by_the_set_at_its_price(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None, rate=3 * USD)
        set_token_price(vera, 2 * USD)
        stream(vera, wallet=ALICE_ETHEREUM)

        run(after(hours=1))

        authorization.refresh_from_db()
        assert authorization.charged_units == 2 * USD

    def test_is_told_with_its_price(self, vera: User) -> None:
        make_authorization(vera, linked=None, limit=4 * USD, rate=3 * USD)
        set_token_price(vera, 2 * USD)

        started = engine.start(StartRequest(ALICE_ETHEREUM, "vendor123"), client_id=vera.pk, now=NOW)

        assert (started.asset, started.asset_rate) == ("USDT", 2 * USD)
        assert started.depletes_at == started.granted_until == after(hours=2).isoformat()

    def test_may_cost_just_what_was_signed(self, vera: User) -> None:
        make_authorization(vera, linked=None, rate=2 * USD)
        set_token_price(vera, 2 * USD)

        code = stream(vera, wallet=ALICE_ETHEREUM)

        assert paid(end(vera, code, now=after(hours=1))) == [("USDT", 2 * USD, 2 * USD)]

    def test_is_refused_where_the_vendor_is_dearer_than_what_was_signed(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None, rate=2 * USD)
        set_token_price(vera, 2 * USD + 1)

        with pytest.raises(RateExceedsAuthorization) as refused:
            stream(vera, wallet=ALICE_ETHEREUM)

        assert refused.value.context == {
            "vendor_id": "vendor123",
            "authorization_id": str(authorization.public_id),
            "asset": "USDT",
            "vendor_rate_per_hour": "2000001",
            "authorization_rate_per_hour": "2000000",
        }
        assert not StreamingSession.objects.exists()

    def test_needs_money_at_the_vendors_price(self, vera: User) -> None:
        make_authorization(vera, linked=None, cutoff=5_000, rate=1000 * USD)
        with pytest.raises(AuthorizationExhausted):
            stream(vera, wallet=ALICE_ETHEREUM, vendor="cheap")

        set_token_price(vera, USD)

        assert stream(vera, wallet=ALICE_ETHEREUM)

    def test_takes_no_price_in_the_same_token_of_another_chain(self, vera: User) -> None:
        make_authorization(vera, linked=None, rate=3 * USD)
        set_token_price(vera, USD, chain_id=OTHER_CHAIN)

        code = stream(vera, wallet=ALICE_ETHEREUM)

        assert paid(end(vera, code, now=after(hours=1))) == [("USDT", 3 * USD, 3 * USD)]


class TestAChange:
    def test_leaves_what_runs_and_is_for_what_starts_then(self, vera: User) -> None:
        make_authorization(vera, linked=None, rate=3 * USD)
        set_token_price(vera, USD)
        old = stream(vera, wallet=ALICE_ETHEREUM, ref="old")
        set_token_price(vera, 2 * USD)
        new = stream(vera, wallet=ALICE_ETHEREUM, ref="new")
        set_token_price(vera, None)
        newest = stream(vera, wallet=ALICE_ETHEREUM, ref="newest")

        records = [end(vera, code, now=after(hours=1)) for code in (old, new, newest)]

        assert [paid(each) for each in records] == [
            [("USDT", USD, USD)],
            [("USDT", 2 * USD, 2 * USD)],
            [("USDT", 3 * USD, 3 * USD)],
        ]

    def test_leaves_a_session_that_is_paused(self, vera: User) -> None:
        make_authorization(vera, linked=None, rate=3 * USD)
        set_token_price(vera, USD)
        code = stream(vera, wallet=ALICE_ETHEREUM)
        pauses.pause(code, client_id=vera.pk, now=after(hours=1))
        set_token_price(vera, 2 * USD)
        pauses.resume(code, client_id=vera.pk, now=after(hours=2))

        record = end(vera, code, now=after(hours=3))

        assert paid(record) == [("USDT", USD, USD), ("USDT", USD, USD)]

    def test_leaves_a_session_that_is_still_on_zec(self, vera: User) -> None:
        make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
        make_authorization(vera, rate=3 * USD)
        code = stream(vera)
        set_token_price(vera, USD)

        record = end(vera, code, now=after(hours=2))

        assert paid(record) == [("ZEC", ZEC, ZEC), ("USDT", 3 * USD, 3 * USD)]

    def test_of_what_was_signed_lets_no_dearer_session_resume(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None, rate=3 * USD)
        set_token_price(vera, 2 * USD)
        code = stream(vera, wallet=ALICE_ETHEREUM)
        pauses.pause(code, client_id=vera.pk, now=after(hours=1))
        Authorization.objects.filter(pk=authorization.pk).update(status="revoked", closed_at=after(hours=1))
        make_authorization(vera, linked=None, rate=USD, now=after(hours=1))

        with pytest.raises(RateExceedsAuthorization):
            pauses.resume(code, client_id=vera.pk, now=after(hours=2))

        assert StreamingSession.objects.get().status == "paused"


class TestAFallback:
    def test_costs_what_each_vendor_said_at_the_start(self, vera: User) -> None:
        make_active_permission(vera, requested=2 * ZEC, rate=1 * ZEC)
        make_authorization(vera, rate=3 * USD)
        set_token_price(vera, 2 * USD)
        set_token_price(vera, 700_000, vendor="cheap")
        codes = [stream(vera, vendor=each) for each in ("vendor123", "cheap")]
        for vendor in ("vendor123", "cheap"):
            set_token_price(vera, 3 * USD, vendor=vendor)

        records = [end(vera, code, now=after(hours=2)) for code in codes]

        assert [paid(each) for each in records] == [
            [("ZEC", ZEC, ZEC), ("USDT", 2 * USD, 2 * USD)],
            [("ZEC", ZEC, ZEC), ("USDT", 700_000, 700_000)],
        ]

    def test_is_granted_ahead_at_the_vendors_price(self, vera: User) -> None:
        make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
        make_authorization(vera, limit=2 * USD, rate=2 * USD)
        set_token_price(vera, USD)

        started = engine.start(StartRequest(ALICE, "vendor123"), client_id=vera.pk, now=NOW)
        run(after(hours=9))

        assert (started.granted_until, started.fallback) == (after(hours=3).isoformat(), "USDT")
        assert StreamingSession.objects.get().ended_at == after(hours=3)

    def test_leaves_the_session_that_is_dearer_than_what_was_signed(self, vera: User) -> None:
        make_active_permission(vera, requested=2 * ZEC, rate=1 * ZEC)
        make_authorization(vera, rate=USD)
        set_token_price(vera, USD + 1)
        set_token_price(vera, USD, vendor="cheap")
        dear = engine.start(StartRequest(ALICE, "vendor123"), client_id=vera.pk, now=NOW)
        cheap = engine.start(StartRequest(ALICE, "cheap"), client_id=vera.pk, now=NOW)
        seen = [
            live.of_session(each.session_code, client_id=vera.pk, now=NOW).granted_until
            for each in (dear, cheap)
        ]

        records = [end(vera, each.session_code, now=after(hours=2)) for each in (dear, cheap)]

        assert (dear.fallback, cheap.fallback) == (None, "USDT")
        assert seen == [after(hours=1), after(hours=11)]
        assert records[0].session.ended_at == after(hours=1)
        assert records[0].end_reason == EndReason.EXHAUSTED
        assert [paid(each) for each in records] == [
            [("ZEC", ZEC, ZEC)],
            [("ZEC", ZEC, ZEC), ("USDT", USD, USD)],
        ]

    def test_keeps_its_price_after_a_return_to_zec(self, vera: User) -> None:
        permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
        make_authorization(vera, rate=3 * USD)
        set_token_price(vera, USD)
        code = stream(vera)
        run(after(seconds=5400))
        set_token_price(vera, 2 * USD)
        pay(permission, ZEC, now=after(hours=2))

        record = end(vera, code, now=after(hours=4))

        assert paid(record) == [("ZEC", ZEC, ZEC), ("USDT", USD, USD), ("ZEC", ZEC, ZEC), ("USDT", USD, USD)]
