"""Fixtures for every test: real PostgreSQL and Valkey, and books that balance after every database test."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from paygo.devstack.testing import ensure_test_services, redis_of_worker

# First of all: it forgets what the `.paygo/env` of `make run` has set, and would forget what is set here.
os.environ.update(ensure_test_services())
os.environ["DJANGO_SETTINGS_MODULE"] = "paygo.settings"
os.environ.setdefault("PAYGO_SECRET_KEY", "only-for-tests")
os.environ.setdefault("PAYGO_SANDBOX", "1")
os.environ.setdefault("ZCASH_MIN_CONFIRMATIONS", "3")
# A loaded machine takes its time to make and drop the database of a worker.
os.environ.setdefault("PAYGO_STATEMENT_TIMEOUT_MS", "120000")
# Nor does one wait in vain there for who has only not had its turn; those about being busy wait less.
os.environ.setdefault("PAYGO_LOCK_TIMEOUT_MS", "20000")
# Every test calls from one address; those about the limits set their own.
os.environ.setdefault("RATE_LIMIT_PUBLIC", "off")
os.environ.setdefault("RATE_LIMIT_GUESSES", "off")
os.environ.setdefault("RATE_LIMIT_LINKS", "off")
os.environ.setdefault("RATE_LIMIT_PAGES", "off")
os.environ.setdefault("RATE_LIMIT_DEMOS", "off")
# The operators of a test are made a moment before; those about approvers set their own.
os.environ.setdefault("APPROVAL_ACCOUNT_AGE_HOURS", "0")

import django

django.setup()

from django.core.management.commands import flush as flush_command
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import DjangoDbBlocker

from core import clock
from tests import books

_NO_VACUUM_OF_LEAVES = """
DO $$ DECLARE leaf regclass; BEGIN
    FOR leaf IN SELECT relid FROM pg_partition_tree('zcash_permission_audit') WHERE isleaf LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', leaf);
    END LOOP;
END $$
"""


def _delete_past_the_triggers(
    _style: object, connection: BaseDatabaseWrapper, **_options: object
) -> list[str]:
    """The audit log refuses to be emptied: in the test database alone its triggers are asleep.

    TRUNCATE would make every table and index anew, for hardly a row: it takes a hundred times as long.
    """
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return [
        "SET session_replication_role = replica",
        # A server of the test that has just been stopped may not have given back its last rows yet.
        "SET lock_timeout = '60s'",
        *[f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables],
        "INSERT INTO core_clock (id, offset_ms) VALUES (1, 0)",
        "INSERT INTO billing_mailcursor (id) VALUES (1)",
        "SET session_replication_role = origin",
        "RESET lock_timeout",
    ]


flush_command.sql_flush = _delete_past_the_triggers


pytest_plugins = ["tests.noskip"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The test database, whose audit log no vacuum holds: who makes a leaf of it waits 40 ms for a lock."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(_NO_VACUUM_OF_LEAVES)


@pytest.fixture(autouse=True)
def _fresh_clock() -> Iterator[None]:
    """No test inherits the clock reading of another, whose sandbox offset is rolled back."""
    clock.forget()
    yield
    clock.forget()


@pytest.fixture(autouse=True)
def _books_balance(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every database test the invariants hold, whatever it did."""
    asked = {"db", "transactional_db", "live_server"} & set(request.fixturenames)
    uses_database = bool(asked) or request.node.get_closest_marker("django_db") is not None
    if uses_database:
        # Set up before this fixture, so that it is torn down after the check.
        request.getfixturevalue("_django_db_helper")
    yield
    if uses_database and not request.node.get_closest_marker("unbalanced"):
        assert books.violations() == []


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: Sequence[Any]) -> None:
    for number, spec in enumerate(specs, start=1):
        spec.env["REDIS_URL"] = redis_of_worker(number)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "unbalanced: the test breaks the books on purpose")
