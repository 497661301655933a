"""The collector in a process of its own, which goes round in a child of it and is killed there.

It reads a JSON object a line, {"now": an instant, "seconds": how long the child may live, or null}; it says
{"killed": whether it was, "seconds": how long it lived}; it ends with its input.
"""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from tests.evm.node import BASE


@contextmanager
def collecting(**environment: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """Yield a function that lets the collector go round once, for so many seconds at most."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.evm.forked"],
        cwd=BASE,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def go_round(*, now: datetime, seconds: float | None) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"now": now.isoformat(), "seconds": seconds}) + "\n")
            process.stdin.flush()
            found: dict[str, Any] = json.loads(process.stdout.readline())
            return found

        try:
            yield go_round
        finally:
            process.kill()


def main() -> None:
    """Serve until the input ends."""
    import django

    django.setup()
    from billing.ethereum import keys, libraries

    # The children have loaded then what takes long.
    keys.load()
    with libraries.loading():
        import web3  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _live(datetime.fromisoformat(request["now"]))
        killed = _outlived(pid, seconds=request["seconds"])
        answer = {"killed": killed, "seconds": time.monotonic() - began}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _live(now: datetime) -> None:
    """Be the child: it never returns."""
    from billing.ethereum import collector, keys

    try:
        collector.run(key=keys.load(), read_clock=lambda: now)
    except BaseException:  # noqa: BLE001 - Whatever it is, the child must not go on as its parent.
        traceback.print_exc()
    finally:
        os._exit(0)


def _outlived(pid: int, *, seconds: float | None) -> bool:
    """Kill a child that still lives after so many seconds; whether it did."""
    until = None if seconds is None else time.monotonic() + seconds
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if until is not None and time.monotonic() >= until:
            os.kill(pid, signal.SIGKILL)
            return os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        time.sleep(0.001)
    return False


if __name__ == "__main__":
    main()
