"""The embedded PostgreSQL: one cluster per checkout, on a loopback port, with a password.

A launcher of its own on plain binaries: the server is a child of this process and dies with it.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg
from psycopg import sql

from paygo.devstack import pgbinaries
from paygo.devstack.errors import StackError
from paygo.devstack.pgbinaries import Binaries
from paygo.devstack.ports import LOOPBACK, kept_port
from paygo.devstack.process import account, end_leftover, spawn, stop
from paygo.environment import process_started

ROLE = "paygo"
DATABASE = "paygo"
START_SECONDS = 60.0
# For a machine of two cores; fsync, full_page_writes and synchronous_commit keep their safe defaults.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


class PostgresCluster:
    """A cluster under `home`, or in /var/lib where the account that serves it cannot enter `home`."""

    def __init__(self, home: Path, *, log: Path | None = None) -> None:
        self.home = home.absolute()
        self.user = _server_account()
        self.place = self._find_place()
        self.data = self.place / "data"
        self.log = log or self.home / "postgres.log"
        self.notes: list[str] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self, *, seconds: float = START_SECONDS) -> None:
        """Make the cluster if there is none, serve it and wait until the database answers.

        Raises StackError with the server's own last words where it does not start.
        """
        binaries = self._binaries()
        self._make(binaries)
        self._end_earlier_server()
        self._port = kept_port(self.home / "port")
        self.spawn()
        self._wait(seconds=seconds)
        self._create_database()

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server process of a cluster that `start` has made; does not wait."""
        binaries = self._binaries()
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave.
        self._child = spawn(
            [binaries.directory / "postgres", "-D", self.data, "-p", str(self._port), *settings],
            log=self.log,
            env=_environment(),
            cwd=self.place,
            user=self.user,
            death_signal=signal.SIGINT,
        )
        return self._child

    def stop(self, *, seconds: float = 10.0) -> None:
        """Shut the server down; what it has acknowledged is on disk either way."""
        if self._child is not None:
            stop(self._child, signum=signal.SIGINT, seconds=seconds)
            self._child = None

    def remove(self) -> None:
        """Stop the server and delete the cluster."""
        self.stop()
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)
        self._record.unlink(missing_ok=True)

    def url(self, database: str = DATABASE) -> str:
        """The DATABASE_URL of the running server."""
        return f"postgresql://{ROLE}:{self._password()}@{LOOPBACK}:{self._port}/{database}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server process; `start` comes first."""
        assert self._child is not None
        return self._child

    @property
    def _record(self) -> Path:
        return self.home.with_name("cluster" + self.home.name.removeprefix("postgres"))

    def _find_place(self) -> Path:
        self.home.mkdir(parents=True, exist_ok=True)
        if self.user is None:
            return self.home
        if self._record.exists():
            place = Path(self._record.read_text(encoding="utf-8").strip())
        else:
            place = self._choose_place(self.user)
            self._record.write_text(f"{place}\n", encoding="utf-8")
        place.mkdir(exist_ok=True)
        shutil.chown(place, self.user)
        return place

    def _choose_place(self, user: str) -> Path:
        shutil.chown(self.home, user)
        if pgbinaries.may(user, "-w", self.home):
            return self.home
        # Never a chmod of somebody's parent directories.
        return Path("/var/lib/paygo-" + hashlib.sha256(str(self.home).encode()).hexdigest()[:12])

    def _binaries(self) -> Binaries:
        version = self.data / "PG_VERSION"
        if not version.exists():
            return pgbinaries.runnable_by(pgbinaries.find(), user=self.user)
        try:
            found = pgbinaries.find(major=int(version.read_text(encoding="ascii")))
        except StackError as error:
            raise StackError(
                f"{error} It lies in {self.data}:\n"
                "install that release, move the directory away, or set DATABASE_URL."
            ) from error
        return pgbinaries.runnable_by(found, user=self.user)

    def _make(self, binaries: Binaries) -> None:
        if self.data.exists():
            return
        # An initdb that was cut off leaves only this directory, which is never served.
        unfinished = self.place / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        password = self.place / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24) + "\n", encoding="ascii")
        if self.user is not None:
            shutil.chown(password, self.user)
        self._initdb(binaries, unfinished, password)
        unfinished.rename(self.data)

    def _initdb(self, binaries: Binaries, directory: Path, password: Path) -> None:
        command = [binaries.directory / "initdb", "-D", directory, "-U", ROLE, f"--pwfile={password}"]
        command += ["--auth=scram-sha-256", "--locale=C", "--encoding=UTF8", "--no-instructions"]
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.place,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            **account(self.user),
        )
        if done.returncode != 0:
            raise StackError(f"PostgreSQL's initdb failed in {self.place}: {_last_line(done.stderr)}")

    def _end_earlier_server(self) -> None:
        """Clear what a killed run left: its server if it still runs, else its postmaster.pid."""
        pid_file = self.data / "postmaster.pid"
        pid = _first_int(pid_file)
        if pid is None:
            return
        started = process_started(pid)
        if started is not None and _serves(pid, self.data):
            self.notes.append(
                f"PostgreSQL of an earlier run (pid {pid}) was still there and has been stopped"
            )
            end_leftover(pid, started=started, signum=signal.SIGINT, seconds=10.0)
        elif started is not None:
            # The pid now belongs to something else; PostgreSQL itself would refuse to start.
            pid_file.unlink(missing_ok=True)

    def _wait(self, *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._answers():
            child = self._child
            if child is None or child.poll() is not None:
                raise StackError(
                    f"PostgreSQL stopped while starting: {_last_fatal(self.log)} (log: {self.log})"
                )
            if time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not answer within {seconds:.0f} s (log: {self.log})")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise StackError(f"{self.place / 'password'} is not the password of its cluster") from error
            return False
        return True

    def _create_database(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchall():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _password(self) -> str:
        return (self.place / "password").read_text(encoding="ascii").strip()


def _server_account() -> str | None:
    """The account PostgreSQL runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return name
    raise StackError(
        "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it as."
    )


def _environment() -> dict[str, str]:
    # PGDATA, PGPORT, LC_* and the like of the caller's shell must not reach the server.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _serves(pid: int, data: Path) -> bool:
    # A postmaster's working directory is its cluster.
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
    except OSError:
        return not Path("/proc/self").exists()


def _first_int(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _last_fatal(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
    return (fatal or lines or ["no output"])[-1]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]
