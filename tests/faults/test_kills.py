"""Engines, web servers and the database itself are killed at any moment while viewers stream over HTTP."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from paygo.devstack.postgres import PostgresCluster
from tests.faults.fleet import Fleet, campaign, private_cluster, stop_at_once

# `make soak` strikes more often, and at other lives than these.
KILLS, STOPS, SEED = 200, 20, 4

pytestmark = pytest.mark.timeout(120 + KILLS + 5 * STOPS)

log = structlog.get_logger(__name__)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    with private_cluster(tmp_path_factory.mktemp("kills")) as cluster:
        yield cluster


@pytest.fixture
def fleet(cluster: PostgresCluster, tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(cluster.url(), folder=tmp_path) as fleet:
        yield fleet


def assert_right(found: dict[str, Any], *, strikes: int) -> None:
    written = found.pop("log")
    log.info("campaign", **found)
    assert found["wrong"] == [], written
    assert found["deadlocks"] == 0
    # It was no idle fleet: there was something to lose.
    assert found["strikes"] == strikes
    assert min(found["starts"], found["ends"], found["roll_overs"], found["exhausted"]) > 0


def test_nothing_acknowledged_is_lost_when_processes_are_killed(fleet: Fleet) -> None:
    found = campaign(fleet, strike=fleet.kill_one, strikes=KILLS, seed=SEED, tick=lambda: None)

    assert_right(found, strikes=KILLS)
    assert fleet.kills == KILLS


def test_nothing_acknowledged_is_lost_when_the_database_stops_at_once(
    fleet: Fleet, cluster: PostgresCluster
) -> None:
    def strike(_: random.Random) -> None:
        stop_at_once(cluster)

    found = campaign(fleet, strike=strike, strikes=STOPS, seed=SEED, tick=lambda: None)

    assert_right(found, strikes=STOPS)
