"""Migrations inside a test: there and back in its transaction, with the schema to itself."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from core import db


def migrate(*targets: tuple[str, str | None]) -> None:
    """Migrate to TARGETS, or to the newest of every app. DDL is transactional: the test's rollback undoes it.

    A migration takes whole tables for itself. What an earlier test has left behind (a thread's connection, a
    vacuum of its rows) does not need them any more, and on a busy machine can hold them long.
    """
    db.execute("SET LOCAL lock_timeout = '60s'")
    db.rows(
        "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets) or executor.loader.graph.leaf_nodes())
