"""Tests that run at the same time share no database, neither PostgreSQL's nor Redis's."""

import os

import pytest
from django.conf import settings

from paygo.devstack.testing import OWN_REDIS, redis_of_worker

SERVER = "redis://:secret@127.0.0.1:7/0"


def test_each_worker_has_a_redis_database_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", SERVER)
    monkeypatch.setenv(OWN_REDIS, SERVER)

    assert [redis_of_worker(number)[-2:] for number in (1, 2, 16)] == ["/1", "/2", "/0"]


def test_a_server_of_the_users_own_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", SERVER)
    monkeypatch.setenv(OWN_REDIS, "redis://elsewhere/0")

    assert redis_of_worker(1) == SERVER


def test_the_service_is_configured_for_the_database_of_this_worker(worker_id: str) -> None:
    assert os.environ["REDIS_URL"] == settings.REDIS_URL
    if worker_id != "master" and OWN_REDIS in os.environ:
        number = int(worker_id.removeprefix("gw")) + 1
        assert settings.REDIS_URL.rpartition("/")[2] == str(number % 16)
