"""The health call: every part asked for real, what is down named, no secret told."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from django.db import OperationalError

from billing.models import IntervalRun
from core import clock, db
from paygo import health
from paygo.api.health import HealthState
from tests.api.world import Api
from zcash.models import WatchedChain
from zcash.node.rpc import RpcClient
from zcash.simnode.blocks import GENESIS_HASH as GENESIS

pytestmark = [pytest.mark.usefixtures("node"), pytest.mark.django_db(transaction=True)]

HEALTH = "/api/v1/health"


@pytest.fixture(autouse=True)
def _interval_ran(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    health.forget()
    # What works answers, on a busy machine too.
    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 30.0)
    now = clock.now()
    IntervalRun.objects.create(started_at=now, finished_at=now, engine="tests")
    WatchedChain.objects.update_or_create(
        pk=1, defaults={"network": "regtest", "genesis_hash": GENESIS, "asked_at": now}
    )
    yield
    health.forget()


def test_is_ok_when_every_part_works(nobody: Api, node: RpcClient) -> None:
    answer = nobody.get(HEALTH)

    assert (answer.status, answer.body["status"], answer.body["failing"]) == (200, "ok", [])
    assert answer.body.keys() == HealthState().fields.keys()
    assert answer.body["node"]["height"] == node.call("getblockcount")
    assert answer.body["billing"]["late"] is False
    assert answer.body["billing"]["seconds_since_interval"] < 60
    assert abs(answer.body["clock"]["skew_seconds"]) < 5


def test_is_degraded_while_the_node_is_away(nobody: Api, settings: Any) -> None:
    settings.ZCASH_RPC_URL = "http://someone:secret@127.0.0.1:1"

    answer = nobody.get(HEALTH)
    strict = nobody.get(f"{HEALTH}?strict=1")

    assert (answer.status, answer.body["status"]) == (200, "degraded")
    assert answer.body["failing"] == ["node", "wallet"]
    assert (strict.status, strict.body) == (503, answer.body)
    assert "secret" not in str(answer.body)
    assert "127.0.0.1" not in str(answer.body)


def test_is_degraded_while_billing_is_late(nobody: Api) -> None:
    IntervalRun.objects.all().delete()

    answer = nobody.get(HEALTH)

    assert (answer.status, answer.body["failing"]) == (200, ["billing"])
    assert answer.body["billing"] == {
        "ok": False,
        "detail": "the billing interval is late",
        "seconds_since_interval": None,
        "late": True,
        "put_aside": 0,
    }


def test_answers_503_when_the_database_is_unusable(nobody: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise OperationalError("password=secret")

    with monkeypatch.context() as patch:
        patch.setattr(db, "row", fail)
        answer = nobody.get(HEALTH)

    assert (answer.status, answer.body["failing"]) == (503, ["database"])
    assert answer.headers["Retry-After"]
    assert "secret" not in str(answer.body)


@pytest.mark.parametrize("part", ["cache", "broker"])
def test_names_a_redis_that_is_away(
    nobody: Api, monkeypatch: pytest.MonkeyPatch, settings: Any, part: str
) -> None:
    away = "redis://127.0.0.1:1/0"
    if part == "cache":
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": away}}
    else:
        monkeypatch.setattr(health, "celery_app", Celery(broker=away, set_as_current=False))

    answer = nobody.get(HEALTH)

    assert (answer.status, answer.body["failing"]) == (200, [part])


def test_waits_two_seconds_at_most_and_asks_a_part_that_hangs_once(
    nobody: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[threading.Thread] = []
    released = threading.Event()

    def hang() -> dict[str, Any]:
        asked.append(threading.current_thread())
        released.wait(60)
        return {"ok": True}

    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 1.0)
    others = dict.fromkeys(health.PARTS, lambda: {"ok": True})
    monkeypatch.setattr(health, "PARTS", {**others, "node": hang})

    first = nobody.get(HEALTH)
    health.forget()
    second = nobody.get(HEALTH)
    still_hung = [each.is_alive() for each in asked]
    released.set()
    for each in asked:
        each.join()

    assert still_hung == [True]
    assert (first.body["failing"], second.body["failing"]) == (["node"], ["node"])


def test_asks_nobody_twice_within_two_seconds(nobody: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def count() -> dict[str, Any]:
        asked.append(1)
        return {"ok": True}

    monkeypatch.setattr(health, "PARTS", {**health.PARTS, "node": count})

    for _ in range(5):
        nobody.get(HEALTH)

    assert len(asked) == 1


def test_names_a_wallet_that_does_not_own_the_service_address(nobody: Api, settings: Any) -> None:
    settings.ZCASH_SERVICE_WALLET = "tmGys6dBuEGjch5LFnhdo5gpSa7jiNRWse6"

    answer = nobody.get(HEALTH)

    assert answer.body["failing"] == ["wallet"]
