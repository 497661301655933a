"""HTTP connections under a wall-clock deadline.

The time-out of `requests` bounds each read alone, so a server that sends one byte a second holds its caller
for as long as it likes. Here every read and write of a call gets what is left of the call's one deadline.
Only the look-up of a host name cannot be held to it: the resolver has its own limit. Who must not wait for
that one leaves it behind (`bounded`).
"""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

_T = TypeVar("_T")

_ends_at: ContextVar[float] = ContextVar("_ends_at")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bound everything that the connections of `DeadlineAdapter` do in this block."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def remaining_seconds() -> float:
    """Return what is left of the deadline of this block.

    Raises:
        TimeoutError: nothing is left.
    """
    left = _ends_at.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def bounded(call: Callable[[], _T]) -> _T:
    """Return what a call does that nothing can interrupt, a look-up say; it is left behind at the deadline.

    Raises:
        TimeoutError: the deadline has passed; and whatever the call raises before.
    """
    done: Future[_T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except Exception as error:  # noqa: BLE001  # whoever waits raises it
            done.set_exception(error)

    threading.Thread(target=run, name="bounded", daemon=True).start()
    return done.result(timeout=remaining_seconds())


class WithDeadline(HTTPAdapter):
    """Holds the connections of a transport adapter of `requests` to the deadline."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of this adapter hand out connections with a deadline."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


class DeadlineAdapter(WithDeadline):
    """A transport adapter that keeps one connection and holds it to the deadline."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        # The socket's own raw file keeps the socket open until the body is read.
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(remaining_seconds())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """A connected socket whose reads and writes end at the deadline; the rest is the socket's."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader: io.BufferedReader | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def makefile(self, _mode: str) -> io.BufferedReader:
        self._reader = io.BufferedReader(_TimedReader(self._sock))
        return self._reader

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(remaining_seconds())
        self._sock.sendall(data)

    def abandon(self) -> None:
        """Close the answer as well, which a socket's own `close` leaves open to be read."""
        if self._reader is not None:
            self._reader.close()
        self._sock.close()


class _Timed(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock: Any = _TimedSocket(self.sock)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3 overrides it like this
        sock = self.sock
        try:
            return super().getresponse()
        except BaseException:
            # An answer whose head cannot be understood would stay open until it is garbage-collected.
            sock.abandon()
            raise


class _TLSConnection(_Timed, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Timed


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection
