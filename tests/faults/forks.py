"""A process with Django loaded that forks others, which are cheap to start and are killed at any moment.

It reads a JSON object a line, {"job": a function of `lives`, "arguments": {...}, "result": a path or null},
and answers {"pid": ...}; with a result it waits for the child, which writes there what the function returned,
and says {"over": ...}.
Its children listen on one socket and die with it; it ends with its input, that is with whoever started it.
"""

import json
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve until the input ends."""
    # The settings are complete by now.
    import django

    django.setup()
    from tests.faults import lives

    lives.warm()
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        _say({"port": listener.getsockname()[1]})
        for line in sys.stdin:
            request = json.loads(line)
            _bury()
            pid = os.fork()
            if pid == 0:
                _live(lives, request, listener)
            _say({"pid": pid})
            if request["result"]:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)
                _say({"over": pid})


def _live(lives: Any, request: dict[str, Any], listener: socket.socket) -> None:
    """Be the child: it never returns."""
    try:
        lives.die_with_parent()
        # The next request is the parent's.
        sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123
        found = getattr(lives, request["job"])(listener, **request["arguments"])
        if request["result"]:
            Path(request["result"]).write_text(json.dumps(found, default=str), encoding="utf-8")
    except BaseException:  # noqa: BLE001 - Whatever it is, the child must not go on as its parent.
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def _bury() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
