"""Leaky buckets in Redis, and in the process while Redis is away."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from paygo import ratelimit
from paygo.ratelimit import Rate, parse_rate, take

# Nothing leaks out of it during a test.
TEN_AN_HOUR = Rate(10, 3600)


@pytest.fixture(params=["redis", "process"])
def bucket(request: pytest.FixtureRequest, settings: Any) -> Any:
    """The name of an empty bucket, in either place."""
    ratelimit.forget()
    if request.param == "process":
        ratelimit._shared._away_until = float("inf")
    yield uuid4().hex
    ratelimit.forget()


@pytest.mark.parametrize("text", ["", "0/m", "600/d", "-1/s", "6e2/m", "600/m ", "\u0663/m", "9999999999/s"])
def test_refuses_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="calls per"):
        parse_rate(text)


def test_reads_rates() -> None:
    assert parse_rate("600/m") == Rate(600, 60)
    assert parse_rate("off") is None


def test_lets_as_many_through_as_there_are_and_not_one_more(bucket: str) -> None:
    taken = [take(bucket, TEN_AN_HOUR) for _ in range(12)]

    assert [each.allowed for each in taken] == [True] * 10 + [False] * 2
    assert [each.remaining for each in taken] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]


def test_says_when_the_next_call_is_possible_and_when_all_are(bucket: str) -> None:
    for _ in range(10):
        full = take(bucket, TEN_AN_HOUR)
    refused = take(bucket, TEN_AN_HOUR)

    assert full.full_again_seconds == pytest.approx(3600, abs=60)
    assert refused.retry_after_seconds == pytest.approx(360, abs=60)


def test_empties_with_time(bucket: str) -> None:
    rate = Rate(20, 1)
    while take(bucket, rate).allowed:
        pass

    time.sleep(0.12)

    assert take(bucket, rate).allowed


def test_counts_buckets_apart(bucket: str) -> None:
    for _ in range(10):
        take(bucket, TEN_AN_HOUR)

    assert take(f"{bucket}-other", TEN_AN_HOUR).allowed


def test_is_exact_when_many_call_at_once(bucket: str) -> None:
    barrier = threading.Barrier(16)

    def call(_: int) -> int:
        barrier.wait()
        return sum(take(bucket, TEN_AN_HOUR).allowed for _ in range(5))

    with ThreadPoolExecutor(16) as crowd:
        allowed = sum(crowd.map(call, range(16)))

    assert allowed == 10


def test_counts_a_large_bucket_ahead_and_to_the_last_call(bucket: str) -> None:
    allowed = [take(bucket, Rate(400, 864_000)).allowed for _ in range(1000)]

    assert allowed == [True] * 400 + [False] * 600


def test_locks_nobody_out_after_the_clock_of_redis_was_set_back() -> None:
    ratelimit.forget()
    name, year_ahead = uuid4().hex, int((time.time() + 365 * 86400) * 1_000_000)
    client = ratelimit.get_redis_connection("quick")
    client.set(f"paygo:limit:{name}", year_ahead)

    assert take(name, Rate(10, 1)).retry_after_seconds == 1


class TestWithoutRedis:
    @pytest.fixture(autouse=True)
    def _away(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        def no_connection(_: str) -> Any:
            raise ConnectionRefusedError("nobody listens")

        ratelimit.forget()
        monkeypatch.setattr(ratelimit, "get_redis_connection", no_connection)
        yield
        ratelimit.forget()

    def test_limits_all_the_same(self) -> None:
        name = uuid4().hex

        assert sum(take(name, TEN_AN_HOUR).allowed for _ in range(50)) == 10

    def test_counts_every_call_of_a_large_bucket(self) -> None:
        name = uuid4().hex

        assert sum(take(name, Rate(400, 864_000)).allowed for _ in range(1000)) == 400

    def test_asks_a_redis_that_is_away_once_in_a_while(self, caplog: pytest.LogCaptureFixture) -> None:
        for _ in range(50):
            take(uuid4().hex, TEN_AN_HOUR)

        assert caplog.text.count("rate_limits_without_redis") == 1

    def test_takes_bounded_memory_and_stays_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ratelimit, "_MAX_LOCAL", 5)

        allowed = sum(take(f"guesses:{uuid4().hex}", TEN_AN_HOUR).allowed for _ in range(100))

        assert len(ratelimit._local._empty_at_us["guesses"]) <= 6
        assert allowed == 5 + 10

    def test_who_guesses_from_many_addresses_takes_no_place_from_keys(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ratelimit, "_MAX_LOCAL", 5)
        for _ in range(100):
            take(f"guesses:{uuid4().hex}", TEN_AN_HOUR)

        assert [take(f"calls:{uuid4().hex}", TEN_AN_HOUR).remaining for _ in range(5)] == [9] * 5
