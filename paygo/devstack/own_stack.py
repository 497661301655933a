"""A stack for the length of one demo, beside nothing: free ports, data under `.paygo/demo`."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paygo.devstack.errors import StackError
from paygo.devstack.ports import free_port
from paygo.devstack.process import spawn, stop, wait_until
from paygo.environment import NO_FILES, STACK_PID, read_env_file, stack_is_alive

START_SECONDS = 180.0
# What names somebody's servers or settings; a stack of its own uses none of them.
_FOREIGN = ("DATABASE_URL", "REDIS_URL", "ZCASH_", "ETHEREUM_", "PAYGO_", "BILLING_", "DJANGO_")


@contextmanager
def own_stack(base_dir: Path, *, data_dir: Path) -> Iterator[dict[str, str]]:
    """Run a stack until the block ends; yields the complete environment that its clients use.

    Raises StackError with the log where it does not start.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    clean[NO_FILES] = "1"
    command = [sys.executable, "-m", "paygo.devstack", "run"]
    command += ["--data-dir", str(data_dir), "--port", str(free_port())]
    log = data_dir / "run.log"
    log.unlink(missing_ok=True)
    process = spawn(command, log=log, env=clean, cwd=base_dir)

    def is_up() -> bool:
        if process.poll() is not None:
            raise StackError(f"The stack of the demo did not start:\n{log.read_text('utf-8').strip()}")
        values = read_env_file(data_dir / "env")
        return values.get(STACK_PID) == str(process.pid) and stack_is_alive(values)

    try:
        if not wait_until(is_up, seconds=START_SECONDS, every=0.2):
            raise StackError(f"The stack of the demo did not start within {START_SECONDS:.0f} s: see {log}")
        yield {**clean, **read_env_file(data_dir / "env")}
    finally:
        stop(process, signum=signal.SIGTERM, seconds=20.0)
