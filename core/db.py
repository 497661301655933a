"""Transactions and raw SQL: operations open a transaction, steps require one, nobody nests."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.backends.postgresql.base import ServerBindingCursor

from core.errors import Busy

T = TypeVar("T")
_RACES = 10

# In this order: no lock in time, deadlock, serialization failure, statement time-out.
_BUSY_STATES = {"55P03", "40P01", "40001", "57014"}


class LostRace(Exception):
    """Somebody changed what this operation is about while it waited for a lock: it starts again.

    It is raised rather than handled in place because the locks it took meanwhile may be in the wrong order;
    only the end of the transaction gives them back.
    """


@contextmanager
def operation() -> Iterator[None]:
    """Open the one transaction of a public operation; it never runs inside another.

    Raises:
        Busy: a lock or statement time-out, a deadlock: nothing was changed, the call may be repeated.
    """
    try:
        with transaction.atomic(durable=True):
            yield
    except OperationalError as error:
        if sqlstate(error) in _BUSY_STATES:
            raise Busy("another call holds what this one needs; try again") from error
        raise


@contextmanager
def snapshot() -> Iterator[None]:
    """Let several reads see one state of the database; inside an operation its locks do."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic(durable=True):
        execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def require_transaction() -> None:
    """Fail loudly when a step is called outside of an operation: it would commit half of a change."""
    if not connection.in_atomic_block:
        raise RuntimeError("a step was called outside of a transaction")


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE code behind a Django database error, if there is one."""
    return getattr(error.__cause__, "sqlstate", None)


def constraint(error: BaseException) -> str | None:
    """Return the name of the constraint behind a Django IntegrityError, if there is one."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None)


def again(call: Callable[[], T]) -> T:
    """Return what a whole operation returns, repeating it where it lost a race.

    Raises:
        Busy: it lost again and again; nothing was changed.
    """
    for _ in range(_RACES):
        try:
            return call()
        except LostRace:
            continue
    raise Busy("others were faster each time; try again")


def advisory_number(name: str) -> int:
    """Return the number under which PostgreSQL knows the advisory lock of a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Hold a named advisory lock of this connection; yield False where another process has it."""
    number = advisory_number(name)
    (held,) = row("SELECT pg_try_advisory_lock(%(number)s)", {"number": number})
    try:
        yield held
    finally:
        if held:
            execute("SELECT pg_advisory_unlock(%(number)s)", {"number": number})


def rows(statement: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Return all rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def row(statement: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
    """Return the one row of a statement that always has one."""
    (found,) = rows(statement, parameters)
    return found


def prepared(statement: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Return all rows of a statement that the server plans once for each connection.

    It is for the hot statements of calls: to plan one of them takes longer than to run it.
    """
    connection.ensure_connection()
    bound: Any = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]  # a psycopg cursor
    with connection.make_cursor(bound) as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def execute(statement: str, parameters: Mapping[str, Any] | None = None) -> int:
    """Run a statement; return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
