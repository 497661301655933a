"""Loopback ports: a free one, and the same one again after a restart."""

import secrets
import socket
from contextlib import closing
from pathlib import Path

from paygo.devstack.errors import StackError

LOOPBACK = "127.0.0.1"
# Below what Linux, macOS and Windows give to connections and to whoever lets them choose.
_QUIET = range(20_000, 32_768)


def bind_error(port: int, *, host: str = LOOPBACK) -> OSError | None:
    """Why a server could not listen on this TCP port now; None if it could."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # Connections of an earlier run in TIME_WAIT do not occupy the port for a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def free_port() -> int:
    """A loopback TCP port that nothing listens on at this moment.

    One of the system's own choice could be given to another before the caller's server listens on it.
    """
    for port in secrets.SystemRandom().sample(_QUIET, 100):
        if bind_error(port) is None:
            return port
    raise StackError(f"A hundred ports on {LOOPBACK} were tried, and no server can listen on any")


def kept_port(record: Path) -> int:
    """The port recorded in a file by an earlier start if it is free, else another one, recorded."""
    try:
        port = int(record.read_text(encoding="ascii"))
    except (OSError, ValueError):
        port = 0
    if not 1024 <= port <= 65535 or bind_error(port):
        port = free_port()
        record.write_text(f"{port}\n", encoding="ascii")
    return port
