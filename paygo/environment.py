"""Where settings come from: the environment, then `.env`, then what a running `make run` wrote.

Standard library only: the launcher of `make run` and Django's settings both read it.
"""

import os
import shlex
from pathlib import Path

# Set for the processes of a stack and for tests, whose environment is complete already.
NO_FILES = "PAYGO_NO_ENV_FILES"
STACK_PID = "PAYGO_STACK_PID"
STACK_STARTED = "PAYGO_STACK_STARTED"


def load_environment(base_dir: Path) -> None:
    """Fill os.environ from `.env`, then from the `.paygo/env` of a live stack; what is set stays as it is."""
    if os.environ.get(NO_FILES):
        return
    env_file = base_dir / ".paygo" / "env"
    stack = read_env_file(env_file)
    alive = stack_is_alive(stack)
    if not alive:
        forget_sourced(env_file)
    load_dotenv(base_dir)
    if alive:
        _fill(stack)


def forget_sourced(env_file: Path) -> None:
    """Drop what a shell has sourced from the `env` of a stack: it is no wish of the user."""
    for name, value in read_env_file(env_file).items():
        if os.environ.get(name) == value:
            del os.environ[name]


def load_dotenv(base_dir: Path) -> None:
    """Fill os.environ from the `.env` of the checkout; what is set stays as it is."""
    if not os.environ.get(NO_FILES):
        _fill(read_env_file(base_dir / ".env"))


def read_env_file(path: Path) -> dict[str, str]:
    """Read `NAME=value` lines, `export` and shell quotes allowed; a file that is missing has none.

    Raises ValueError naming file and line for one that is neither an assignment, a comment nor empty.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, PermissionError):
        return {}
    values: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        values.update(_parse_line(line, where=f"{path}:{number}"))
    return values


def stack_is_alive(values: dict[str, str]) -> bool:
    """Say whether the process that wrote these values still runs: same pid and same start, not a zombie."""
    pid = values.get(STACK_PID, "")
    return pid.isascii() and pid.isdigit() and process_started(int(pid)) == values.get(STACK_STARTED)


def process_started(pid: int) -> str | None:
    """A token that tells a process from a later one with the same pid; None for a dead one or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None if Path("/proc/self/stat").exists() else _alive_without_proc(pid)
    # The name in parentheses may hold spaces; after it come state (field 3) and start time (field 22).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _alive_without_proc(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "unknown"


def _parse_line(line: str, *, where: str) -> dict[str, str]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if words[:1] == ["export"]:
        words = words[1:]
    if not words:
        return {}
    name, equals, value = words[0].partition("=")
    if len(words) > 1 or not equals or not name.isidentifier():
        raise ValueError(f"{where}: not a NAME=value line (a value with spaces needs quotes)")
    return {name: value}


def _fill(values: dict[str, str]) -> None:
    for name, value in values.items():
        os.environ.setdefault(name, value)
