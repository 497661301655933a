"""Child processes that cannot outlive the process that started them."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from paygo.environment import process_started

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def spawn(
    args: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its output appended to `log`.

    It gets `death_signal` when this process dies, even by SIGKILL. Linux ties that to the thread that
    forks, so call this from the main thread. `user` (root only) is the account it runs as.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(word) for word in args],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid(), death_signal),
            **account(user),
        )


def die_with_parent() -> None:
    """Get SIGTERM when the `make` that runs this process dies; a shell in the background may leave."""
    if _libc is not None and os.environ.get("MAKELEVEL"):
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def account(user: str | None) -> dict[str, Any]:
    """The subprocess arguments that run a child as another account; none for the own one."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def stop(
    child: subprocess.Popen[bytes], *, signum: signal.Signals = signal.SIGTERM, seconds: float = 5.0
) -> None:
    """End a child with `signum` to its main process; its whole session with SIGKILL after `seconds`."""
    if child.poll() is None:
        child.send_signal(signum)
        try:
            child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            kill_group(child.pid)
            child.wait()


def kill_group(pid: int) -> None:
    """SIGKILL to a child and all that it started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def end_leftover(pid: int, *, started: str, signum: signal.Signals, seconds: float = 5.0) -> bool:
    """End a process of an earlier run, which is no child of this one; True if there was one to end."""
    if process_started(pid) != started:
        return False
    os.kill(pid, signum)
    if not wait_until(lambda: process_started(pid) != started, seconds=seconds):
        kill_group(pid)
        wait_until(lambda: process_started(pid) != started, seconds=5.0)
    return True


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    """Wait for a condition; False when it does not come true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def _die_with(parent: int, signum: signal.Signals) -> Callable[[], None]:
    # Runs in the child after its change of user, which would clear the signal, and before exec.
    def arrange() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arrange
