"""The folder of a stack (`.paygo/`): its lock, secrets, logs, pids, and the `env` that others read."""

import fcntl
import os
import secrets
import shlex
import shutil
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

from paygo.devstack.errors import StackError
from paygo.devstack.process import end_leftover
from paygo.environment import STACK_PID, STACK_STARTED, forget_sourced, process_started, read_env_file

_LOG_BYTES = 5_000_000


class DataDir:
    """Everything that a stack keeps; deleting the folder is a fresh start."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.env_file = self.path / "env"
        self._secrets = self.path / "secrets"
        self._pids = self.path / "pids"

    def lock(self) -> None:
        """Claim the folder for this process, until it ends. Raises StackError where a stack is running."""
        for folder in (self.path, self.logs, self._secrets):
            folder.mkdir(parents=True, exist_ok=True)
        self._secrets.chmod(0o700)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StackError(self._running()) from None

    def log(self, name: str) -> Path:
        """The log file of a process; a long one of earlier runs is put aside as `.1`."""
        path = self.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def secret(self, name: str, *, value: str | None = None) -> str:
        """A secret kept over restarts: set to `value`, else what is recorded, else made at random."""
        path = self._secrets / name
        if value is None and path.exists():
            return path.read_text(encoding="utf-8").strip()
        text = value if value is not None else secrets.token_urlsafe(24)
        _write_private(path, f"{text}\n")
        return text

    def recorded(self, name: str) -> str:
        """A secret that an earlier run recorded; empty if there is none."""
        path = self._secrets / name
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""

    def write_env(self, values: Mapping[str, str]) -> None:
        """Write the shell file that `manage.py` in another terminal reads while this process lives."""
        own = {STACK_PID: str(os.getpid()), STACK_STARTED: process_started(os.getpid()) or ""}
        lines = [f"export {name}={shlex.quote(value)}" for name, value in {**values, **own}.items()]
        _write_private(self.env_file, "\n".join(lines) + "\n")

    def forget_sourced_env(self) -> None:
        """Drop what a shell has sourced from the `env` of an earlier run: it is no wish of the user."""
        forget_sourced(self.env_file)

    def record_pids(self, pids: Mapping[str, int]) -> None:
        """Note the running processes, so that the next start can end what a crash leaves behind."""
        lines = [f"{name} {pid} {process_started(pid)}\n" for name, pid in pids.items()]
        _write_private(self._pids, "".join(lines))

    def end_leftovers(self) -> Iterable[str]:
        """End the processes of an earlier run that still live; yield their names."""
        lines = self._pids.read_text(encoding="utf-8").splitlines() if self._pids.exists() else []
        for line in lines:
            name, pid, started = line.split()
            # SIGINT is PostgreSQL's fast shutdown.
            signum = signal.SIGINT if name == "postgres" else signal.SIGTERM
            if end_leftover(int(pid), started=started, signum=signum):
                yield f"{name} (pid {pid})"

    def close(self) -> None:
        """Remove what is true only while the stack runs; `env` is ignored once its process is gone."""
        self._pids.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder, and clusters that had to lie elsewhere."""
        for record in [*self.path.rglob("cluster"), *self.path.rglob("cluster-*")]:
            place = Path(record.read_text(encoding="utf-8").strip()) if record.is_file() else None
            if place and place.parent == Path("/var/lib") and place.name.startswith("paygo-"):
                shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def _running(self) -> str:
        values = read_env_file(self.env_file)
        where = f" at {values['PAYGO_URL']}" if "PAYGO_URL" in values else ""
        pid = f" (pid {values[STACK_PID]})" if STACK_PID in values else ""
        return f"PayGo is already running from this folder{where}{pid}.\nStop it there first, with Ctrl-C."


def _write_private(path: Path, text: str) -> None:
    # Complete or not at all, and never readable by others in between.
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)
