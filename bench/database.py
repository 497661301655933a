"""A throwaway database for benchmarks, on the server that the tests use; Django is set up on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

NAME = "paygo_bench"


@contextmanager
def bench_database() -> Iterator[None]:
    """Make an empty, migrated database and drop it afterwards; import Django models only inside."""
    import psycopg

    from paygo.devstack.testing import ensure_test_services

    os.environ.setdefault("PAYGO_SECRET_KEY", "only-for-benchmarks")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paygo.settings")
    os.environ["PAYGO_LOG_LEVEL"] = "WARNING"
    os.environ.update(ensure_test_services())
    server = os.environ["DATABASE_URL"]
    os.environ["DATABASE_URL"] = urlunsplit(urlsplit(server)._replace(path=f"/{NAME}"))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {NAME}")
    try:
        _migrate()
        yield
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def _migrate() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
