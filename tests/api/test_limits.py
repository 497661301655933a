"""How many calls a key, and an address without a key, may make."""

import re
from typing import Any

import pytest

from core import clock
from paygo import ratelimit
from paygo.api import keys
from tests.api.world import PERMISSIONS, SESSIONS, UNKNOWN_ID, Api, make_api, permission_body, rows

pytestmark = pytest.mark.usefixtures("node")

SHOWN = f"{PERMISSIONS}/{UNKNOWN_ID}"
HEALTH = "/api/v1/health"
# Each part of health looks by a thread of its own, with a connection that commits what it saw of the node.
of_health = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _three_calls_each(settings: Any) -> None:
    """Three calls an hour of each kind; a day of four is refused."""
    for name in ("CALLS", "NODE_CALLS", "PUBLIC", "GUESSES"):
        setattr(settings, f"RATE_LIMIT_{name}", "3/h")
    ratelimit.forget()


@pytest.fixture(autouse=True)
def _empty_buckets() -> None:
    """Every test calls from the same address."""
    client = ratelimit.get_redis_connection("quick")
    for key in client.scan_iter("paygo:limit:*"):
        client.delete(key)


def statuses(api: Api, path: str, *, calls: int = 5, **headers: str) -> list[int]:
    return [api.get(path, **headers).status for _ in range(calls)]


def test_refuses_a_key_one_call_too_many(vera: Api) -> None:
    assert statuses(vera, SHOWN, calls=4) == [404, 404, 404, 429]


def test_says_what_to_do(vera: Api) -> None:
    answers = [vera.get(SHOWN) for _ in range(4)]

    assert answers[0].headers["RateLimit-Policy"] == '"calls";q=3;w=3600'
    assert re.fullmatch(r'"calls";r=2;t=1[12]\d\d', answers[0].headers["RateLimit"])
    assert (answers[3].status, answers[3].code) == (429, "rate_limited")
    assert re.fullmatch(r'"calls";r=0;t=3[56]\d\d', answers[3].headers["RateLimit"])
    assert 1190 <= int(answers[3].headers["Retry-After"]) <= 1200


def test_counts_the_calls_of_a_key_and_not_of_its_address(vera: Api, mallory: Api) -> None:
    statuses(vera, SHOWN)

    assert mallory.get(SHOWN).status == 404


def test_counts_calls_that_ask_the_node_apart(vera: Api) -> None:
    statuses(vera, SHOWN)
    created = [vera.post(PERMISSIONS, permission_body()).status for _ in range(4)]

    assert created == [201, 201, 201, 429]


def test_does_nothing_for_a_call_too_many_and_keeps_no_answer_for_its_key(vera: Api, settings: Any) -> None:
    for _ in range(3):
        vera.post(PERMISSIONS, {})
    before = rows()

    refused = vera.post(PERMISSIONS, permission_body(), idempotency_key="one")
    after = rows()
    settings.RATE_LIMIT_NODE_CALLS = "off"
    repeated = vera.post(PERMISSIONS, permission_body(), idempotency_key="one")

    assert (refused.status, repeated.status) == (429, 201)
    assert after == before


def test_counts_a_call_without_the_scope_too(node: Any, db: None) -> None:
    reader = make_api("reader", scopes=("sessions:read",))

    assert statuses(reader, SHOWN, calls=4) == [403, 403, 403, 429]


def test_slows_down_guesses_and_nobody_with_a_good_key(vera: Api, nobody: Api) -> None:
    assert vera.get(SHOWN).status == 404
    guesses = [guess(nobody, number).status for number in range(4)]

    assert guesses == [401, 401, 401, 429]
    assert nobody.get(SHOWN).status == 429
    assert vera.get(SHOWN).status == 404


@pytest.mark.parametrize("wrong", ["pg_wrong", None])
def test_a_good_key_that_no_process_has_seen_yet_does_not_suffer_from_guesses(
    vera: Api, nobody: Api, wrong: str | None
) -> None:
    headers = {"authorization": f"Bearer {wrong}"} if wrong else {}
    assert statuses(nobody, SHOWN, calls=4, **headers) == [401, 401, 401, 429]
    keys.forget()

    assert vera.get(SHOWN).status == 404


def test_a_guess_too_many_costs_the_database_one_look(
    nobody: Api, db: None, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        guess(nobody, number)

    with django_assert_num_queries(1):
        refused = guess(nobody, 4)

    assert refused.code == "rate_limited"
    assert re.fullmatch(r'"guesses";r=0;t=3[56]\d\d', refused.headers["RateLimit"])


def test_tells_who_guesses_where_he_stands(nobody: Api, db: None) -> None:
    answers = [guess(nobody, 1), nobody.get(SHOWN)]

    assert [each.status for each in answers] == [401, 401]
    assert {each.headers["RateLimit-Policy"] for each in answers} == {'"guesses";q=3;w=3600'}
    assert [each.headers["RateLimit"][:13] for each in answers] == ['"guesses";r=2', '"guesses";r=1']


def guess(nobody: Api, number: int) -> Any:
    return nobody.get(SHOWN, authorization=f"Bearer pg_{number}")


@of_health
def test_limits_calls_that_need_no_key_by_address(nobody: Api) -> None:
    assert statuses(nobody, HEALTH, calls=4) == [200, 200, 200, 429]


@of_health
@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip", "client_ip", "x_client_ip"])
def test_is_not_fooled_by_a_header(nobody: Api, header: str) -> None:
    answers = [nobody.get(HEALTH, **{header: f"198.51.100.{number}"}).status for number in range(6)]

    assert answers == [200, 200, 200, 429, 429, 429]


def test_works_on_while_redis_is_away(vera: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_connection(_: str) -> Any:
        raise ConnectionRefusedError

    monkeypatch.setattr(ratelimit, "get_redis_connection", no_connection)

    assert statuses(vera, SHOWN, calls=4) == [404, 404, 404, 429]
    ratelimit.forget()


def test_can_be_switched_off(vera: Api, settings: Any) -> None:
    settings.RATE_LIMIT_CALLS = "off"

    answers = [vera.get(f"{SESSIONS}?limit=1") for _ in range(5)]

    assert [each.status for each in answers] == [200] * 5
    assert "RateLimit" not in answers[0].headers


def test_rotation_gives_a_key_no_further_calls(vera: Api) -> None:
    assert vera.user is not None
    first = vera.post("/api/v1/keys/rotate", {"overlap_seconds": 3600})
    second = Api(vera.user, first.body["key"]).post("/api/v1/keys/rotate", {"overlap_seconds": 3600})

    newest, other = Api(vera.user, second.body["key"]), Api(vera.user, _another_key(vera))

    assert statuses(newest, SHOWN, calls=2) == [404, 429]
    assert vera.get(SHOWN).status == 429
    assert other.get(SHOWN).status == 404


def _another_key(api: Api) -> str:
    assert api.user is not None
    return keys.create(api.user, name="another", now=clock.now())
