"""Streams that a token pays for: instead of ZEC, after ZEC is used up, and until ZEC is there again."""

from datetime import datetime

import pytest

from billing import covering, engine, expiry, interval, live, metering, pauses
from billing.engine import StartRequest
from billing.errors import AuthorizationExhausted, AuthorizationExpired, AuthorizationRequired
from billing.ethereum import authorizing
from billing.ethereum.rules import AuthorizationStatus
from billing.models import Transaction
from billing.models_ethereum import Authorization
from billing.records import SessionRecord
from core import db
from core.errors import Invalid
from core.models import User
from sessions_app.models import StreamingSession
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
    make_permission,
    make_vendor,
    pay,
    stream,
)
from tests.integration.test_costs import round_trips

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


def end(client: User, code: str, *, now: datetime) -> SessionRecord:
    return engine.end(code, client_id=client.pk, now=now)


def run(now: datetime) -> None:
    done = interval.run_interval(now=now, engine="test", chunk_size=10)
    assert done.put_aside == []


def paid(record: SessionRecord) -> list[tuple[str, int, int]]:
    """What each stretch was paid in, at which rate, and its amount."""
    return [(each.asset, each.rate, each.amount) for each in record.transactions]


class TestAWalletOfEthereum:
    def test_is_billed_directly(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None)
        code = stream(vera, wallet=ALICE_ETHEREUM)
        run(after(seconds=1800))

        record = end(vera, code, now=after(hours=2, ms=1))

        assert paid(record) == [("USDT", 1 * USD, 2 * USD)]
        assert [(each.asset, each.amount, each.decimals) for each in record.totals] == [("USDT", 2 * USD, 6)]
        assert (record.amount_zat, record.status) == (0, "pending")
        authorization.refresh_from_db()
        assert (authorization.charged_units, authorization.open_transactions) == (2 * USD, 0)
        assert Transaction.objects.get().due_units == 2 * USD

    def test_stops_at_the_cutoff_to_the_millisecond(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None, cutoff=1 * USD + 1, rate=3 * USD)
        code = stream(vera, wallet=ALICE_ETHEREUM)

        record = end(vera, code, now=after(hours=5))

        # 1 000 001 units at 3 000 000 an hour: the first millisecond at which they are reached.
        assert record.session.ended_at == after(ms=1_200_002)
        assert record.end_reason == EndReason.EXHAUSTED
        assert paid(record) == [("USDT", 3 * USD, 1 * USD + 1)]
        authorization.refresh_from_db()
        assert (authorization.status, authorization.remaining_units) == (AuthorizationStatus.ACTIVE, 0)

    def test_is_exhausted_where_the_limit_is_charged(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None, limit=2 * USD)
        stream(vera, wallet=ALICE_ETHEREUM)

        run(after(hours=3))

        authorization.refresh_from_db()
        assert authorization.status == AuthorizationStatus.EXHAUSTED
        assert StreamingSession.objects.get().ended_at == after(hours=2)
        with pytest.raises(AuthorizationExhausted):
            stream(vera, wallet=ALICE_ETHEREUM, now=after(hours=3))

    def test_shares_the_last_millisecond_between_its_sessions(self, vera: User) -> None:
        make_authorization(vera, linked=None, limit=99 * USD, cutoff=30 * USD + 1, rate=777_777_777)
        codes = [stream(vera, wallet=ALICE_ETHEREUM, ref=ref) for ref in ("a", "b", "c")]

        records = [end(vera, code, now=after(hours=1)) for code in codes]

        assert sum(each.transactions[0].amount for each in records) == 30 * USD + 1
        assert {each.session.ended_at for each in records} == {records[0].session.ended_at}

    def test_ends_with_the_last_day(self, vera: User) -> None:
        make_authorization(vera, linked=None, expires_at=after(hours=1))
        code = stream(vera, wallet=ALICE_ETHEREUM)

        expiry.run(now=after(hours=4))

        record = end(vera, code, now=after(hours=4))
        assert (record.session.ended_at, record.end_reason) == (
            after(hours=1),
            EndReason.AUTHORIZATION_EXPIRED,
        )
        with pytest.raises(AuthorizationExpired):
            stream(vera, wallet=ALICE_ETHEREUM, now=after(hours=4))

    def test_needs_an_authorisation(self, vera: User) -> None:
        with pytest.raises(AuthorizationRequired):
            stream(vera, wallet=ALICE_ETHEREUM)

    def test_needs_money_for_the_shortest_stream(self, vera: User) -> None:
        make_authorization(vera, linked=None, cutoff=1)

        with pytest.raises(AuthorizationExhausted) as refused:
            stream(vera, wallet=ALICE_ETHEREUM)

        assert refused.value.context["binding"] == "debt_ceiling"

    def test_cannot_have_a_spending_cap_in_zec(self, vera: User) -> None:
        make_authorization(vera, linked=None)

        with pytest.raises(Invalid) as refused:
            stream(vera, wallet=ALICE_ETHEREUM, cap=ZEC)

        assert refused.value.field == "max_amount"

    def test_pauses_and_goes_on(self, vera: User) -> None:
        make_authorization(vera, linked=None)
        code = stream(vera, wallet=ALICE_ETHEREUM)
        pauses.pause(code, client_id=vera.pk, now=after(hours=1))
        pauses.resume(code, client_id=vera.pk, now=after(hours=2))

        record = end(vera, code, now=after(hours=3))

        assert paid(record) == [("USDT", USD, USD), ("USDT", USD, USD)]

    def test_lives_by_its_heartbeats(self, vera: User) -> None:
        make_authorization(vera, linked=None)
        code = stream(vera, wallet=ALICE_ETHEREUM, heartbeat=60)
        engine.heartbeat(code, client_id=vera.pk, now=after(seconds=50))

        run(after(hours=1))

        session = StreamingSession.objects.get()
        assert (session.ended_at, session.end_reason) == (after(seconds=110), EndReason.HEARTBEAT_LOST)

    def test_is_seen_live(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None)
        code = stream(vera, wallet=ALICE_ETHEREUM)

        seen = authorizing.show(client_id=vera.pk, public_id=authorization.public_id, now=after(seconds=90))
        session = live.of_session(code, client_id=vera.pk, now=after(seconds=90))

        assert (seen.charged_units, seen.remaining_units, seen.open_transactions) == (25_000, 9_975_000, 1)
        assert paid(session.record) == [("USDT", USD, 25_000)]
        assert session.depletes_at == after(hours=10)

    def test_is_seen_without_a_lock_or_a_write(self, vera: User) -> None:
        authorization = make_authorization(vera)
        stream(vera, wallet=ALICE_ETHEREUM)

        with round_trips() as reading:
            authorizing.show(client_id=vera.pk, public_id=authorization.public_id, now=after(seconds=90))

        assert [each for each in reading if "UPDATE" in each or "INSERT" in each] == []
        authorization.refresh_from_db()
        assert (authorization.charged_units, authorization.settled_at) == (0, NOW)

    @pytest.mark.parametrize("expired", [False, True])
    def test_is_seen_after_what_time_has_brought(self, vera: User, expired: bool) -> None:
        expires_at = after(hours=2) if expired else None
        authorization = make_authorization(vera, limit=3 * USD, expires_at=expires_at)
        stream(vera, wallet=ALICE_ETHEREUM)

        seen = authorizing.show(client_id=vera.pk, public_id=authorization.public_id, now=after(hours=4))

        told = (seen.status, seen.charged_units, seen.open_transactions)
        assert told == (("expired", 2 * USD, 0) if expired else ("exhausted", 3 * USD, 0))

    def test_is_seen_after_its_sessions_have_come_over_from_a_permission(self, vera: User) -> None:
        make_active_permission(vera, requested=1 * ZEC, rate=2 * ZEC)
        authorization = make_authorization(vera)
        stream(vera)

        seen = authorizing.show(client_id=vera.pk, public_id=authorization.public_id, now=after(hours=1))

        assert (seen.charged_units, seen.open_transactions) == (USD // 2, 1)

    @pytest.mark.parametrize("wallet", [ALICE_ETHEREUM, ALICE])
    def test_starts_and_ends_by_few_statements(self, vera: User, wallet: str) -> None:
        make_authorization(vera)
        request = StartRequest(wallet, "vendor123")

        with round_trips() as starting:
            started = engine.start(request, client_id=vera.pk, now=NOW)
        with round_trips() as ending:
            engine.end(started.session_code, client_id=vera.pk, now=after(seconds=20))

        assert len(starting) <= 4, starting
        assert len(ending) <= 4, ending


class TestFallingOver:
    def test_goes_on_at_the_instant_of_depletion(self, vera: User) -> None:
        permission = make_active_permission(vera, requested=1 * ZEC, rate=2 * ZEC)
        authorization = make_authorization(vera)
        code = stream(vera)

        record = end(vera, code, now=after(hours=1))

        assert paid(record) == [("ZEC", 2 * ZEC, 1 * ZEC), ("USDT", USD, USD // 2)]
        assert record.transactions[1].started_at == after(seconds=1800)
        assert [(each.asset, each.amount) for each in record.totals] == [("ZEC", ZEC), ("USDT", USD // 2)]
        assert record.end_reason == EndReason.ENDED_BY_CLIENT
        permission.refresh_from_db()
        authorization.refresh_from_db()
        assert (permission.status, permission.remaining_zat) == ("exhausted", 0)
        assert authorization.charged_units == USD // 2

    def test_goes_on_at_the_end_of_the_last_day(self, vera: User) -> None:
        make_active_permission(vera, expires_at=after(hours=1))
        make_authorization(vera)
        code = stream(vera)

        run(after(hours=3))
        record = end(vera, code, now=after(hours=3))

        assert [(each.asset, each.started_at) for each in record.transactions] == [
            ("ZEC", NOW),
            ("USDT", after(hours=1)),
        ]

    def test_goes_first_through_the_queue(self, vera: User) -> None:
        for _ in range(2):
            make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
        make_authorization(vera)
        code = stream(vera)

        record = end(vera, code, now=after(hours=3))

        assert paid(record) == [("ZEC", ZEC, ZEC), ("ZEC", ZEC, ZEC), ("USDT", USD, USD)]

    def test_takes_the_session_that_the_next_permission_does_not_cover(self, vera: User) -> None:
        make_active_permission(vera, requested=2 * ZEC, rate=2 * ZEC)
        make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
        make_authorization(vera)
        make_vendor(vera, slug="cheap", price=1 * ZEC)
        dear, cheap = stream(vera), stream(vera, vendor="cheap")

        # The first is used up after 40 minutes, the second an hour later.
        records = [end(vera, code, now=after(hours=2)) for code in (dear, cheap)]

        assert [[each.asset for each in record.transactions] for record in records] == [
            ["ZEC", "USDT"],
            ["ZEC", "ZEC", "USDT"],
        ]
        assert records[1].transactions[2].started_at == after(seconds=6000, ms=1)

    def test_ends_where_the_authorisation_is_used_up_too(self, vera: User) -> None:
        make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
        make_authorization(vera, limit=2 * USD)
        code = stream(vera)

        run(after(hours=9))

        record = end(vera, code, now=after(hours=9))
        assert (record.session.ended_at, record.end_reason) == (after(hours=3), EndReason.EXHAUSTED)
        assert paid(record) == [("ZEC", ZEC, ZEC), ("USDT", USD, 2 * USD)]

    @pytest.mark.parametrize(
        "change",
        [
            {"verified_at": after(hours=2)},
            {"cutoff_units": 0},
            {"status": AuthorizationStatus.SUSPENDED},
            {"linked_wallet_address": None},
            {"expires_at": after(hours=1)},
        ],
        ids=["verified later", "nothing left", "suspended", "of another wallet", "over at that instant"],
    )
    def test_does_not_where_the_authorisation_does_not_pay(
        self, vera: User, change: dict[str, object]
    ) -> None:
        make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
        authorization = make_authorization(vera)
        code = stream(vera)
        Authorization.objects.filter(pk=authorization.pk).update(**change)

        record = end(vera, code, now=after(hours=3))

        assert (record.session.ended_at, record.end_reason) == (after(hours=1), EndReason.EXHAUSTED)
        assert [each.asset for each in record.transactions] == ["ZEC"]

    def test_leaves_a_session_that_may_cost_so_much_zec_at_most(self, vera: User) -> None:
        make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
        make_authorization(vera)
        code = stream(vera, cap=5 * ZEC)

        record = end(vera, code, now=after(hours=3))

        assert (record.session.ended_at, record.end_reason) == (after(hours=1), EndReason.EXHAUSTED)

    def test_is_granted_ahead_and_offered_with_its_name(self, vera: User) -> None:
        make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
        make_authorization(vera, limit=2 * USD)

        started = engine.start(StartRequest(ALICE, "vendor123"), client_id=vera.pk, now=NOW)

        assert started.depletes_at == after(hours=1).isoformat()
        assert started.granted_until == after(hours=3).isoformat()
        assert (started.asset, started.fallback) == ("ZEC", "USDT")

    def test_is_the_same_however_late_it_is_noticed(self, vera: User) -> None:
        make_active_permission(vera, requested=1 * ZEC, rate=2 * ZEC)
        authorization = make_authorization(vera, limit=1 * USD)
        code = stream(vera)
        for seconds in (600, 1799, 1800, 1801, 3000, 5399):
            run(after(seconds=seconds))

        record = end(vera, code, now=after(hours=9))

        assert record.session.ended_at == after(seconds=1800 + 3600)
        authorization.refresh_from_db()
        assert authorization.charged_units == USD

    def test_starts_on_the_token_where_no_permission_pays(self, vera: User) -> None:
        make_authorization(vera)

        started = engine.start(StartRequest(ALICE, "vendor123"), client_id=vera.pk, now=NOW)

        assert (started.asset, started.asset_rate, started.rate_zat_per_hour) == ("USDT", USD, None)


class TestGoingBack:
    def test_returns_to_zec_when_a_deposit_is_credited(self, vera: User) -> None:
        permission = make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC)
        make_authorization(vera)
        code = stream(vera)

        pay(permission, ZEC, now=after(hours=2))
        record = end(vera, code, now=after(hours=2, seconds=1800))

        assert paid(record) == [("ZEC", ZEC, ZEC), ("USDT", USD, USD), ("ZEC", ZEC, ZEC // 2)]

    def test_takes_its_price_from_the_permission_where_it_began_on_a_token(self, vera: User) -> None:
        make_authorization(vera)
        code = stream(vera)
        permission = make_permission(vera, requested=1 * ZEC, rate=1 * ZEC, now=NOW)

        pay(permission, now=after(hours=1))
        record = end(vera, code, now=after(hours=1, seconds=1800))

        assert paid(record) == [("USDT", USD, USD), ("ZEC", ZEC, ZEC // 2)]
        assert StreamingSession.objects.get().rate_zat_per_hour == ZEC

    def test_stays_where_the_permission_does_not_cover_its_price(self, vera: User) -> None:
        make_active_permission(vera, requested=1 * ZEC, rate=2 * ZEC)
        make_authorization(vera)
        code = stream(vera)
        cheap = make_permission(vera, requested=1 * ZEC, rate=1 * ZEC, now=NOW)

        pay(cheap, now=after(hours=1))
        record = end(vera, code, now=after(hours=2))

        assert [each.asset for each in record.transactions] == ["ZEC", "USDT"]

    def test_leaves_sessions_of_the_ethereum_wallet_itself(self, vera: User) -> None:
        make_authorization(vera)
        code = stream(vera, wallet=ALICE_ETHEREUM)

        make_active_permission(vera, now=after(hours=1))

        assert [each.asset for each in end(vera, code, now=after(hours=2)).transactions] == ["USDT"]


class TestAnotherCutoff:
    def change(self, authorization: Authorization, *, cutoff: int, now: datetime) -> Authorization:
        with db.operation():
            locked = covering.lock_current(authorization.pk, now=now)
            locked.cutoff_units = cutoff
            locked.save(update_fields=["cutoff_units"])
            metering.note_cutoff(locked, now=now)
        return locked

    def test_ends_what_runs_where_nothing_is_left(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None)
        stream(vera, wallet=ALICE_ETHEREUM)

        self.change(authorization, cutoff=0, now=after(hours=1))

        session = StreamingSession.objects.get()
        assert (session.ended_at, session.end_reason) == (after(hours=1), EndReason.EXHAUSTED)

    def test_moves_the_end_of_what_runs(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None)
        code = stream(vera, wallet=ALICE_ETHEREUM)

        self.change(authorization, cutoff=2 * USD, now=after(hours=1))

        assert end(vera, code, now=after(hours=9)).session.ended_at == after(hours=2)

    def test_lets_new_streams_in_after_a_collection(self, vera: User) -> None:
        authorization = make_authorization(vera, linked=None, cutoff=1 * USD)
        stream(vera, wallet=ALICE_ETHEREUM)
        run(after(hours=2))

        self.change(authorization, cutoff=3 * USD, now=after(hours=2))

        code = stream(vera, wallet=ALICE_ETHEREUM, now=after(hours=2))
        assert end(vera, code, now=after(hours=9)).session.ended_at == after(hours=4)
