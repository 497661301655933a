"""The metering oracle against lives that were worked out by hand."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import Oracle
from tests.oracle_rows import MS_PER_HOUR, Outcome, Status

ZEC = 100_000_000
ZAT_PER_MS = MS_PER_HOUR
LATER = 1_000_000

Stretch = tuple[int, int, int, int | None, int]


def wallet(*permissions: dict[str, Any]) -> Oracle:
    """Permissions with ids from 1, at up to 9 zat/ms, that outlive the test unless said otherwise."""
    oracle = Oracle()
    for permission_id, given_fields in enumerate(permissions, start=1):
        fields = {"rate_zat_per_hour": 9 * ZAT_PER_MS, "expires_at": LATER, **given_fields}
        oracle.add_permission(permission_id, **fields)
    return oracle


def queued(remaining_zat: int, *, queued_at: int = -1, **fields: Any) -> dict[str, Any]:
    return {"remaining_zat": remaining_zat, "status": "queued", "queued_at": queued_at, **fields}


def start(
    oracle: Oracle,
    *,
    session_id: int = 1,
    at: int = 0,
    rate: int = ZAT_PER_MS,
    bound: int = LATER,
    bound_reason: str = "max_duration",
) -> None:
    oracle.call(at, "start", session_id=session_id, rate=rate, bound=bound, bound_reason=bound_reason)


def stretches(outcome: Outcome) -> list[Stretch]:
    """(session, permission, from, to, zatoshis) of each transaction, in the order of their ids."""
    return [
        (tx.session_id, tx.permission_id, tx.started_at, tx.ended_at, tx.amount_zat)
        for tx in outcome.transactions
    ]


def endings(outcome: Outcome) -> dict[int, tuple[int | None, str | None]]:
    return {session.id: (session.ended_at, session.end_reason) for session in outcome.sessions.values()}


def statuses(outcome: Outcome) -> list[Status]:
    return [permission.status for permission in outcome.permissions.values()]


def left_zat(outcome: Outcome) -> list[int]:
    return [permission.remaining_zat for permission in outcome.permissions.values()]


def answers(outcome: Outcome) -> list[str]:
    return [answer for _, answer in outcome.answers]


# An hour of the README's example lasts one second here: 2.5 ZEC per second.
SECOND_RATE = 250_000_000 * 3600


def test_charges_two_and_a_half_zec_for_the_first_of_four_hours() -> None:
    oracle = wallet({"remaining_zat": 10 * ZEC, "rate_zat_per_hour": SECOND_RATE})
    start(oracle, rate=SECOND_RATE)
    oracle.call(1000, "end", session_id=1)

    outcome = oracle.run(1500)

    assert stretches(outcome) == [(1, 1, 0, 1000, 250_000_000)]
    assert endings(outcome) == {1: (1000, "ended_by_client")}
    assert left_zat(outcome) == [750_000_000]
    assert outcome.remaining(1, at=500) == 875_000_000
    assert outcome.remaining(1, at=1500) == 750_000_000


def test_spends_ten_zec_in_exactly_four_hours() -> None:
    oracle = wallet({"remaining_zat": 10 * ZEC, "rate_zat_per_hour": SECOND_RATE})
    start(oracle, rate=SECOND_RATE)

    outcome = oracle.run(4100)

    assert outcome.remaining(1, at=3999) == 250_000
    assert outcome.remaining(1, at=4000) == 0
    assert stretches(outcome) == [(1, 1, 0, 4000, 10 * ZEC)]
    assert endings(outcome) == {1: (4000, "exhausted")}
    assert statuses(outcome) == ["exhausted"]


def test_rounds_the_running_total_down_and_never_each_millisecond() -> None:
    oracle = wallet({"remaining_zat": 3})
    start(oracle, rate=1_000_000)

    outcome = oracle.run(12)

    assert outcome.remaining_zat_by_ms[1] == [3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 0, 0]
    assert stretches(outcome) == [(1, 1, 0, 11, 3)]


def test_rounds_each_transaction_from_its_own_start() -> None:
    oracle = wallet({"remaining_zat": 3})
    start(oracle, session_id=1, at=0, rate=1_000_000)
    start(oracle, session_id=2, at=2, rate=1_000_000)

    outcome = oracle.run(20)

    assert outcome.remaining_zat_by_ms[1][:9] == [3, 3, 3, 3, 2, 2, 1, 1, 0]
    assert stretches(outcome) == [(1, 1, 0, 8, 2), (2, 1, 2, 8, 1)]


@pytest.mark.parametrize(
    ("remaining_zat", "depleted_at", "first_zat", "second_zat"),
    [(11, 3, 5, 6), (12, 3, 6, 6), (13, 3, 6, 7), (14, 3, 6, 8), (15, 3, 6, 9), (16, 4, 7, 9)],
)
def test_hands_the_last_zatoshis_out_in_the_order_of_transaction_ids(
    remaining_zat: int, depleted_at: int, first_zat: int, second_zat: int
) -> None:
    oracle = wallet({"remaining_zat": remaining_zat})
    start(oracle, session_id=7, rate=2 * ZAT_PER_MS)
    start(oracle, session_id=3, rate=3 * ZAT_PER_MS)

    outcome = oracle.run(6)

    assert stretches(outcome) == [(7, 1, 0, depleted_at, first_zat), (3, 1, 0, depleted_at, second_zat)]
    assert left_zat(outcome) == [0]
    assert statuses(outcome) == ["exhausted"]


def test_rolls_over_through_two_queued_permissions_in_order_of_payment() -> None:
    oracle = wallet({"remaining_zat": 10}, queued(5, queued_at=7), queued(20, queued_at=3))
    start(oracle)

    outcome = oracle.run(40)

    assert stretches(outcome) == [(1, 1, 0, 10, 10), (1, 3, 10, 30, 20), (1, 2, 30, 35, 5)]
    assert endings(outcome) == {1: (35, "exhausted")}
    assert statuses(outcome) == ["exhausted", "exhausted", "exhausted"]


def test_takes_the_lower_id_of_two_permissions_queued_at_one_instant() -> None:
    oracle = Oracle()
    for permission_id, fields in [(5, queued(5)), (4, queued(4)), (6, {"remaining_zat": 6})]:
        oracle.add_permission(permission_id, rate_zat_per_hour=ZAT_PER_MS, expires_at=LATER, **fields)
    start(oracle)

    outcome = oracle.run(20)

    assert stretches(outcome) == [(1, 6, 0, 6, 6), (1, 4, 6, 10, 4), (1, 5, 10, 15, 5)]


def test_numbers_the_new_transactions_in_the_order_of_the_old_ones() -> None:
    oracle = wallet({"remaining_zat": 8}, queued(100))
    start(oracle, session_id=9, at=0)
    start(oracle, session_id=4, at=0, rate=3 * ZAT_PER_MS)

    outcome = oracle.run(5)

    assert stretches(outcome) == [(9, 1, 0, 2, 2), (4, 1, 0, 2, 6), (9, 2, 2, None, 3), (4, 2, 2, None, 9)]
    assert [transaction.id for transaction in outcome.transactions] == [1, 2, 3, 4]
    assert outcome.of_session(4) == [outcome.transactions[1], outcome.transactions[3]]


def test_forgets_the_fraction_of_a_zatoshi_at_a_roll_over() -> None:
    oracle = wallet({"remaining_zat": 50, "expires_at": 7}, queued(50))
    start(oracle, rate=1_000_000)

    outcome = oracle.run(14)

    assert stretches(outcome) == [(1, 1, 0, 7, 1), (1, 2, 7, None, 1)]
    assert outcome.remaining_zat_by_ms[2][7:] == [50, 50, 50, 50, 49, 49, 49, 49]


def test_ends_a_session_that_is_too_dear_for_the_next_permission() -> None:
    oracle = wallet({"remaining_zat": 9}, queued(4, rate_zat_per_hour=ZAT_PER_MS), queued(100, queued_at=0))
    start(oracle, session_id=1)
    start(oracle, session_id=2, rate=2 * ZAT_PER_MS)

    outcome = oracle.run(8)

    assert stretches(outcome) == [(1, 1, 0, 3, 3), (2, 1, 0, 3, 6), (1, 2, 3, 7, 4), (1, 3, 7, None, 1)]
    assert endings(outcome) == {1: (None, None), 2: (3, "exhausted")}


def test_ends_a_session_at_its_bound_with_the_bounds_reason() -> None:
    oracle = wallet({"remaining_zat": 100}, queued(100))
    start(oracle, bound=5, bound_reason="heartbeat_lost")

    outcome = oracle.run(9)

    assert stretches(outcome) == [(1, 1, 0, 5, 5)]
    assert endings(outcome) == {1: (5, "heartbeat_lost")}
    assert statuses(outcome) == ["active", "queued"]
    assert left_zat(outcome) == [95, 100]


def test_gives_a_session_bounded_at_the_depletion_its_share_but_no_roll_over() -> None:
    oracle = wallet({"remaining_zat": 12}, queued(30))
    start(oracle, session_id=1, rate=2 * ZAT_PER_MS, bound=3, bound_reason="heartbeat_lost")
    start(oracle, session_id=2, rate=3 * ZAT_PER_MS)

    outcome = oracle.run(20)

    assert stretches(outcome) == [(1, 1, 0, 3, 6), (2, 1, 0, 3, 6), (2, 2, 3, 13, 30)]
    assert endings(outcome) == {1: (3, "heartbeat_lost"), 2: (13, "exhausted")}


def test_carries_the_bound_into_the_transaction_after_a_roll_over() -> None:
    oracle = wallet({"remaining_zat": 4}, queued(30))
    start(oracle, bound=10)

    outcome = oracle.run(12)

    assert stretches(outcome) == [(1, 1, 0, 4, 4), (1, 2, 4, 10, 6)]
    assert endings(outcome) == {1: (10, "max_duration")}


def test_counts_a_permission_depleted_at_its_expiry_as_expired_and_its_session_as_exhausted() -> None:
    oracle = wallet({"remaining_zat": 10, "expires_at": 10})
    start(oracle)

    outcome = oracle.run(10)

    assert stretches(outcome) == [(1, 1, 0, 10, 10)]
    assert endings(outcome) == {1: (10, "exhausted")}
    assert statuses(outcome) == ["expired"]


def test_keeps_what_is_left_at_expiry_and_names_the_expiry() -> None:
    oracle = wallet({"remaining_zat": 11, "expires_at": 10}, queued(5, rate_zat_per_hour=ZAT_PER_MS - 1))
    start(oracle)

    outcome = oracle.run(12)

    assert stretches(outcome) == [(1, 1, 0, 10, 10)]
    assert endings(outcome) == {1: (10, "permission_expired")}
    assert statuses(outcome) == ["expired", "active"]
    assert left_zat(outcome) == [1, 5]


def test_passes_over_a_queued_permission_that_expires_at_the_hand_over() -> None:
    oracle = wallet({"remaining_zat": 10}, queued(50, queued_at=-2, expires_at=10), queued(7, queued_at=-1))
    start(oracle)

    outcome = oracle.run(12)

    assert stretches(outcome) == [(1, 1, 0, 10, 10), (1, 3, 10, None, 2)]
    assert statuses(outcome) == ["exhausted", "expired", "active"]
    assert left_zat(outcome) == [0, 50, 5]


def test_expires_queued_and_exhausted_permissions_and_lapses_pending_ones_at_their_own_instants() -> None:
    oracle = wallet(
        {"remaining_zat": 2, "expires_at": 6},
        queued(100),
        queued(100, expires_at=7),
        {"status": "pending", "requested_zat": 5, "expires_at": 8},
    )
    start(oracle)

    assert statuses(oracle.run(5)) == ["exhausted", "active", "queued", "pending"]
    assert statuses(oracle.run(6)) == ["expired", "active", "queued", "pending"]
    assert statuses(oracle.run(7)) == ["expired", "active", "expired", "pending"]
    assert statuses(oracle.run(8)) == ["expired", "active", "expired", "lapsed"]


def test_ends_sessions_at_a_revocation_without_roll_over_but_moves_the_queue_up() -> None:
    oracle = wallet({"remaining_zat": 100}, queued(50))
    start(oracle, session_id=1)
    oracle.call(6, "revoke", permission_id=1)
    start(oracle, session_id=2, at=6)

    outcome = oracle.run(10)

    assert stretches(outcome) == [(1, 1, 0, 6, 6), (2, 2, 6, None, 4)]
    assert endings(outcome) == {1: (6, "permission_revoked"), 2: (None, None)}
    assert statuses(outcome) == ["revoked", "active"]
    assert left_zat(outcome) == [94, 46]


def test_revokes_what_is_not_active_without_touching_the_open_session() -> None:
    oracle = wallet({"remaining_zat": 3}, queued(50), queued(9), {"status": "pending", "requested_zat": 5})
    start(oracle)
    for permission_id in (1, 3, 4, 4):
        oracle.call(5, "revoke", permission_id=permission_id)

    outcome = oracle.run(6)

    assert statuses(outcome) == ["revoked", "active", "revoked", "revoked"]
    assert stretches(outcome) == [(1, 1, 0, 3, 3), (1, 2, 3, None, 3)]
    assert answers(outcome) == ["ok", "ok", "ok", "ok", "closed"]


def test_activates_a_pending_permission_when_its_credits_add_up() -> None:
    oracle = wallet(
        {"status": "pending", "requested_zat": 10},
        {"status": "pending", "requested_zat": 5, "expires_at": 50},
    )
    oracle.call(1, "credit", permission_id=1, amount_zat=9)
    start(oracle, session_id=1, at=2)
    oracle.call(3, "credit", permission_id=1, amount_zat=1)
    start(oracle, session_id=2, at=3)
    oracle.call(4, "credit", permission_id=2, amount_zat=6)

    outcome = oracle.run(15)

    assert answers(outcome) == ["ok", "permission_required", "ok", "ok", "ok"]
    assert stretches(outcome) == [(2, 1, 3, 13, 10), (2, 2, 13, None, 2)]
    assert outcome.permissions[2].queued_at == 4
    assert outcome.permissions[2].credited_zat == 6


def test_counts_a_top_up_from_its_own_instant() -> None:
    oracle = wallet({"remaining_zat": 10})
    start(oracle)
    oracle.call(9, "credit", permission_id=1, amount_zat=5)

    outcome = oracle.run(20)

    assert outcome.remaining_zat_by_ms[1][8:12] == [2, 6, 5, 4]
    assert stretches(outcome) == [(1, 1, 0, 15, 15)]


def test_revives_no_session_with_a_credit_at_the_depletion() -> None:
    oracle = wallet({"remaining_zat": 10})
    start(oracle)
    oracle.call(10, "credit", permission_id=1, amount_zat=5)

    outcome = oracle.run(20)

    assert stretches(outcome) == [(1, 1, 0, 10, 10)]
    assert endings(outcome) == {1: (10, "exhausted")}
    assert statuses(outcome) == ["active"]
    assert left_zat(outcome) == [5]


def test_queues_an_exhausted_permission_behind_the_one_that_took_over() -> None:
    oracle = wallet({"remaining_zat": 10}, queued(5))
    start(oracle)
    oracle.call(12, "credit", permission_id=1, amount_zat=3)

    outcome = oracle.run(30)

    assert outcome.permissions[1].queued_at == 12
    assert stretches(outcome) == [(1, 1, 0, 10, 10), (1, 2, 10, 15, 5), (1, 1, 15, 18, 3)]


@pytest.mark.parametrize("status", ["expired", "revoked", "lapsed"])
def test_keeps_money_that_arrives_for_a_closed_permission_without_opening_it(status: Status) -> None:
    oracle = wallet({"status": status, "requested_zat": 5})
    oracle.call(1, "credit", permission_id=1, amount_zat=8)

    outcome = oracle.run(2)

    assert statuses(outcome) == [status]
    assert left_zat(outcome) == [8]


def test_applies_calls_of_one_instant_in_script_order_after_the_events() -> None:
    oracle = wallet({"remaining_zat": 4}, queued(50, rate_zat_per_hour=2 * ZAT_PER_MS))
    start(oracle, session_id=1, rate=2 * ZAT_PER_MS)
    start(oracle, session_id=2, at=2, rate=3 * ZAT_PER_MS)
    oracle.call(2, "end", session_id=1)
    oracle.call(2, "end", session_id=1)

    outcome = oracle.run(5)

    assert answers(outcome) == ["ok", "rate_exceeds_permission", "ok", "not_open"]
    assert stretches(outcome) == [(1, 1, 0, 2, 4), (1, 2, 2, 2, 0)]
    assert endings(outcome) == {1: (2, "ended_by_client")}
    assert left_zat(outcome) == [0, 50]


def test_walks_anew_to_each_horizon_and_answers_only_within_it() -> None:
    oracle = wallet({"remaining_zat": 40})
    start(oracle)
    oracle.call(6, "credit", permission_id=1, amount_zat=7)

    outcome = oracle.run(5)

    assert outcome.remaining(1, at=5) == 35
    assert oracle.run(6).remaining(1, at=6) == 41
    with pytest.raises(ValueError, match="outside"):
        outcome.remaining(1, at=6)


def test_refuses_wallets_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="at most one active"):
        wallet({"remaining_zat": 4}, {"remaining_zat": 4}).run(1)
    with pytest.raises(ValueError, match="behind an active one"):
        wallet(queued(4)).run(1)
    with pytest.raises(ValueError, match="money left"):
        wallet({"remaining_zat": 0})
    with pytest.raises(ValueError, match="requested_zat"):
        wallet({"status": "pending"})
    with pytest.raises(ValueError, match="after its start"):
        start(wallet({"remaining_zat": 4}), at=5, bound=5)


SESSIONS = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from([700_001, 1_000_000, ZAT_PER_MS, 3 * ZAT_PER_MS + 1]),
        st.integers(1, 90),
    ),
    max_size=6,
)
PERMISSIONS = st.lists(st.tuples(st.integers(1, 80), st.integers(1, 120)), min_size=1, max_size=3)
TOP_UPS = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 40)), max_size=3)


@settings(max_examples=60, deadline=None)
@given(permissions=PERMISSIONS, sessions=SESSIONS, top_ups=TOP_UPS)
def test_loses_and_invents_no_zatoshi(
    permissions: list[tuple[int, int]], sessions: list[tuple[int, int, int]], top_ups: list[tuple[int, int]]
) -> None:
    first, *rest = [{"remaining_zat": zat, "expires_at": at} for zat, at in permissions]
    oracle = wallet(first, *(fields | {"status": "queued", "queued_at": -1} for fields in rest))
    for session_id, (at, rate, length_ms) in enumerate(sessions):
        start(oracle, session_id=session_id, at=at, rate=rate, bound=at + length_ms)
    for at, amount_zat in top_ups:
        oracle.call(at, "credit", permission_id=1, amount_zat=amount_zat)

    outcome = oracle.run(150)

    for permission in outcome.permissions.values():
        charged = [tx.amount_zat for tx in outcome.transactions if tx.permission_id == permission.id]
        assert permission.credited_zat == permission.remaining_zat + sum(charged)
        assert min(outcome.remaining_zat_by_ms[permission.id]) >= 0
    for tx in outcome.transactions:
        assert tx.ended_at is not None
        full_zat = tx.rate_zat_per_hour * (tx.ended_at - tx.started_at) // MS_PER_HOUR
        before_zat = tx.rate_zat_per_hour * max(0, tx.ended_at - 1 - tx.started_at) // MS_PER_HOUR
        assert before_zat <= tx.amount_zat <= full_zat
