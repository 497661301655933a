"""PostgreSQL and Valkey for a test run, started once and gone with it.

In tests/conftest.py, before Django's settings are loaded:

    os.environ.update(ensure_test_services())
    os.environ["DJANGO_SETTINGS_MODULE"] = "paygo.settings"

(not in pyproject.toml: pytest-django would load the settings before conftest.py is read). Workers of
pytest-xdist inherit the environment of the controller and start nothing.
"""

import atexit
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from paygo.devstack.errors import StackError
from paygo.devstack.pgbinaries import CHOSEN
from paygo.devstack.postgres import PostgresCluster
from paygo.devstack.valkey import Valkey
from paygo.environment import NO_FILES, forget_sourced

ROOT = Path(__file__).resolve().parents[2] / ".paygo" / "test"
# Set by the process that started it, which knows by it whose server this is.
OWN_REDIS = "PAYGO_TEST_REDIS"
MAX_RUNS = 32
_REDIS_DATABASES = 16


def ensure_test_services() -> dict[str, str]:
    """Start PostgreSQL and Valkey unless DATABASE_URL and REDIS_URL name them already; return those URLs.

    The servers live under `.paygo/test/<slot>/`, one slot per concurrent test run, kept for the next
    run. They stop when the calling process ends, by the parent-death signal even after SIGKILL.
    PAYGO_POSTGRES_BIN chooses the PostgreSQL release. `.env` and a running `make run` have no influence.
    """
    # A test run in a shell that has sourced `.paygo/env` leaves that stack alone.
    forget_sourced(ROOT.parent / "env")
    services = {NO_FILES: "1", "DATABASE_URL": "", "REDIS_URL": ""}
    services.update({name: os.environ[name] for name in services if os.environ.get(name)})
    if not services["DATABASE_URL"] or not services["REDIS_URL"]:
        _start_missing(services)
    return services


def redis_of_worker(number: int) -> str:
    """Return a database of its own for a worker of pytest-xdist, so that they do not flush each other's.

    It has to be in a worker's environment before anything of it runs: pytest-django loads the settings first.
    A server of the user's own is taken as it is.
    """
    url = os.environ["REDIS_URL"]
    if url != os.environ.get(OWN_REDIS):
        return url
    return f"{url.rpartition('/')[0]}/{number % _REDIS_DATABASES}"


def _start_missing(services: dict[str, str]) -> None:
    slot = _free_slot()
    if not services["DATABASE_URL"]:
        cluster = PostgresCluster(slot / _cluster_name())
        cluster.start()
        atexit.register(_in_this_process(cluster.stop))
        services["DATABASE_URL"] = cluster.url()
    if not services["REDIS_URL"]:
        valkey = Valkey(slot / "valkey")
        valkey.start()
        atexit.register(_in_this_process(valkey.stop))
        services["REDIS_URL"] = services[OWN_REDIS] = valkey.url()


def _cluster_name() -> str:
    chosen = os.environ.get(CHOSEN, "")
    return "postgres" + (f"-{chosen.strip('/').replace('/', '-')}" if chosen else "")


def _free_slot() -> Path:
    for number in range(MAX_RUNS):
        slot = ROOT / f"slot-{number}"
        slot.mkdir(parents=True, exist_ok=True)
        # A bare descriptor: it is never closed by this process, whose end releases the lock.
        lock = os.open(slot / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return slot
    raise StackError(f"{MAX_RUNS} test runs at once in {ROOT}: is one of them stuck?")


def _in_this_process(stop: Callable[[], None]) -> Callable[[], None]:
    # A forked child of a test runs the exit handlers of its parent.
    starter = os.getpid()
    return lambda: stop() if os.getpid() == starter else None
