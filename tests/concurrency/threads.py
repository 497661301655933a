"""Threads with a connection each, started by a barrier, and locks held by another connection."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import connection, connections, transaction

TIMEOUT_SECONDS = 30


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Make all calls at once, each on its own connection; return what each returned or raised, in order."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        connection.ensure_connection()
        barrier.wait(TIMEOUT_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(_on_own_connection, partial(one, call)) for call in calls]
        return [_outcome(future) for future in futures]


@contextmanager
def in_background(call: Callable[[], Any]) -> Iterator["Future[Any]"]:
    """Make a call on another connection while the block runs; the block sees to it that it can end."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(_on_own_connection, call)


def elsewhere(call: Callable[[], Any]) -> Any:
    """Make a call on another connection and wait for it."""
    with in_background(call) as future:
        return future.result(TIMEOUT_SECONDS)


@contextmanager
def lock_held(statement: str, parameters: list[int] | None = None) -> Iterator[None]:
    """Let another connection run a statement and keep its transaction open during the block."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            held.set()
            assert release.wait(TIMEOUT_SECONDS)

    with in_background(hold) as future:
        try:
            assert held.wait(TIMEOUT_SECONDS)
            yield
        finally:
            release.set()
            future.result(TIMEOUT_SECONDS)


def wait_until_blocked(count: int = 1) -> None:
    """Return once so many connections of this database wait for a lock, as the server tells."""
    wait_until(lambda: _blocked() >= count)


def wait_until_done_or_blocked(call: "Future[Any]", *, count: int) -> None:
    """Return once a call in the background has ended, or so many connections wait for a lock."""
    wait_until(lambda: call.done() or _blocked() >= count)


def wait_until(happened: Callable[[], bool]) -> None:
    """Return once a question has been answered with yes."""
    pause = threading.Event()
    for _ in range(TIMEOUT_SECONDS * 200):
        if happened():
            return
        pause.wait(0.005)
    raise AssertionError("it did not happen")


def _blocked() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def _on_own_connection(call: Callable[[], Any]) -> Any:
    try:
        return call()
    finally:
        connections.close_all()


def _outcome(future: "Future[Any]") -> Any:
    error = future.exception(TIMEOUT_SECONDS)
    return future.result() if error is None else error
