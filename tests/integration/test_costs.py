"""What operations cost where no clock is needed to tell: round trips, rows written, bytes of the log."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from billing import engine, interval, live, sql
from core import db
from core.models import User
from sessions_app.models import Vendor
from tests.factories import NOW, after, make_active_permission, make_client, make_crowd, make_vendor, stream
from zcash.sql import draw_page

pytestmark = pytest.mark.django_db

# Bytes of the write-ahead log for each settlement: two row versions, one index entry.
MOST_WAL = 600
SIZE = 2_000


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


@contextmanager
def round_trips() -> Iterator[list[str]]:
    """Note what is sent to the database, but not the bounds of transactions."""
    sent: list[str] = []

    def note(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
        if not statement.startswith(("SAVEPOINT", "RELEASE")):
            sent.append(statement)
        return execute(statement, parameters, many, context)

    with connection.execute_wrapper(note):
        yield sent


OPERATIONS: dict[str, tuple[Callable[[User, str], Any], int]] = {
    "start": (lambda vera, _: stream(vera, ref="another", now=after(seconds=9)), 4),
    "start again": (lambda vera, _: stream(vera, now=after(seconds=9)), 4),
    "heartbeat": (lambda vera, code: engine.heartbeat(code, client_id=vera.pk, now=after(seconds=9)), 4),
    "end": (lambda vera, code: engine.end(code, client_id=vera.pk, now=after(seconds=9)), 4),
    "status": (lambda vera, code: live.of_session(code, client_id=vera.pk, now=after(seconds=9)), 2),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_call_takes_few_round_trips(vera: User, name: str) -> None:
    make_active_permission(vera)
    code = stream(vera, heartbeat=60)
    operation, most = OPERATIONS[name]

    with round_trips() as sent:
        operation(vera, code)

    assert len(sent) <= most, sent


def test_the_status_of_an_ended_session_takes_few_round_trips(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera)
    engine.end(code, client_id=vera.pk, now=after(seconds=9))

    with round_trips() as sent:
        live.of_session(code, client_id=vera.pk, now=after(seconds=10))

    assert len(sent) <= 2, sent


def written() -> dict[str, int]:
    """Return how many rows this transaction has written to each table."""
    rows = db.rows("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables")
    return {name: int(count) for name, count in rows}


def test_an_interval_writes_two_rows_for_each_permission(vera: User) -> None:
    make_crowd(vera, vendor=Vendor.objects.get(client=vera), size=SIZE)
    before = written()

    interval.run_interval(now=after(hours=1), engine="test", chunk_size=500)

    made = {name: count - before.get(name, 0) for name, count in written().items()}
    # The audit rows lie in the partition of the day, where there is one.
    settled = sum(made.pop(name) for name in list(made) if name.startswith("zcash_permission_audit_settled"))
    assert settled == SIZE
    assert {name: count for name, count in made.items() if count} == {
        "zcash_permission": SIZE,
        "billing_intervalrun": 2,
    }


def test_a_settlement_writes_few_bytes_of_the_log(vera: User) -> None:
    """Whole pages that follow a checkpoint are nobody's fault: the least of three intervals counts."""
    make_crowd(vera, vendor=Vendor.objects.get(client=vera), size=SIZE)
    statement, parameters = page_statement()

    each = [
        wal_bytes(
            statement, {**parameters, **dict.fromkeys(("to", "before", "booked_at"), after(hours=hours))}
        )
        for hours in (1, 2, 3)
    ]

    assert 0 < min(each) <= MOST_WAL * SIZE, [total / SIZE for total in each]


def page_statement() -> tuple[str, dict[str, Any]]:
    """Return the statement that settles a page, as it is sent, before anything is due."""
    sent: list[tuple[str, dict[str, Any]]] = []

    def note(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
        sent.append((statement, parameters))
        return execute(statement, parameters, many, context)

    instants = dict.fromkeys(("to", "before", "booked_at"), NOW)
    with connection.execute_wrapper(note):
        draw_page(sql.USED_BY_METER, after_id=0, limit=SIZE, actor="engine", skip_busy=False, **instants)
    return sent[0]


def wal_bytes(statement: str, parameters: dict[str, Any]) -> int:
    """Run a statement and return how much it wrote to the log."""
    (plans,) = db.row(f"EXPLAIN (ANALYZE, WAL, FORMAT JSON) {statement}", parameters)
    return int(
        json.loads(plans)[0]["Plan"]["WAL Bytes"] if isinstance(plans, str) else plans[0]["Plan"]["WAL Bytes"]
    )
