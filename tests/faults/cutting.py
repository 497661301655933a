"""Proxies that cut a connection at any message: an operation can be tried with a cut at each of its points.

A message is cut in front of: a request never arrives, an answer is lost although the server has done what it
was asked. So the cuts at 1, 2, 3 … are every state in which client and server can lose each other.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO, Self

Address = tuple[str, int]

_JOIN_SECONDS = 10.0
_SHOWN_BYTES = 60


@dataclass
class Window:
    """What passed between client and server while scissors were open, in order."""

    at: int | None
    strike: Callable[[], None] = lambda: None
    messages: list[str] = field(default_factory=list)

    @property
    def has_cut(self) -> bool:
        """Whether there was such a message to cut."""
        return self.at is not None and len(self.messages) >= self.at


class Scissors:
    """Counts the messages of all proxies that share it, and says which one is to be cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window: Window | None = None

    @contextmanager
    def open(self, *, at: int | None = None, strike: Callable[[], None] = lambda: None) -> Iterator[Window]:
        """Count messages during the block, and cut the one of this number (the first is 1), None for none.

        What is to happen besides when it is cut has happened before anybody notices the cut.
        """
        window = self._window = Window(at, strike)
        try:
            yield window
        finally:
            self._window = None

    def cut(self, message: str) -> bool:
        """Count a message that is about to be passed on; return whether it must not be."""
        with self._lock:
            window = self._window
            if window is None:
                return False
            window.messages.append(message)
            is_cut = len(window.messages) == window.at
            if is_cut:
                window.strike()
            return is_cut


class _Proxy:
    """Listens on a free port of this machine and serves each connection in threads of its own.

    What `upstream` says counts for the next connection.
    """

    def __init__(self, scissors: Scissors, *, upstream: Address) -> None:
        self.upstream = upstream
        self._scissors = scissors
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: dict[socket.socket, threading.Thread] = {}
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self._listener.getsockname()
        return host, port

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_error: object) -> None:
        # A mere close would leave the thread waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(_JOIN_SECONDS)
        self._listener.close()
        for client, thread in list(self._open.items()):
            _end(client, socket.SHUT_RDWR)
            thread.join(_JOIN_SECONDS)

    def wait(self) -> None:
        """Wait until all connections are over, on the server's side too."""
        for thread in list(self._open.values()):
            thread.join(_JOIN_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._open[client] = thread
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self.upstream) as server:
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connect(client, server)
        del self._open[client]

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        raise NotImplementedError


class PostgresProxy(_Proxy):
    """Cuts between any two messages of PostgreSQL's protocol, version 3, without TLS.

    The client learns of a cut once the server's backend is gone, with its locks: what is done next meets
    no remains of it.
    """

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        is_cut = threading.Event()
        asking = threading.Thread(target=self._ask, args=(client, server, is_cut), daemon=True)
        asking.start()
        with suppress(OSError), server.makefile("rb") as answers:
            for message in _messages(answers):
                if not is_cut.is_set() and self._scissors.cut(f"< {_shown(message)}"):
                    is_cut.set()
                    _end(server, socket.SHUT_WR)
                if not is_cut.is_set():
                    client.sendall(message)
        _end(client, socket.SHUT_RDWR)
        asking.join(_JOIN_SECONDS)

    def _ask(self, client: socket.socket, server: socket.socket, is_cut: threading.Event) -> None:
        with suppress(OSError), client.makefile("rb") as requests:
            for message in chain([_startup(requests)], _messages(requests)):
                if self._scissors.cut(f"> {_shown(message)}"):
                    is_cut.set()
                    break
                server.sendall(message)
        # The backend takes this for the end of its client, and rolls back what it has not committed.
        _end(server, socket.SHUT_WR)


class HttpProxy(_Proxy):
    """Cuts each exchange of HTTP/1.1 at three points, which count as messages.

    Before the request has arrived; after the server has answered and before anything of that is passed on;
    in the middle of the answer's body.
    """

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        with client.makefile("rb") as requests, server.makefile("rb") as answers:
            while request := b"".join(_http_message(requests)):
                if self._scissors.cut("> request"):
                    return
                server.sendall(request)
                head, body = _http_message(answers)
                if not head or self._scissors.cut("< answer"):
                    return
                if self._scissors.cut("< rest of the answer"):
                    client.sendall(head + body[: len(body) // 2])
                    return
                client.sendall(head + body)


@contextmanager
def running(*proxies: _Proxy) -> Iterator[None]:
    """Run proxies during the block."""
    with ExitStack() as stack:
        for proxy in proxies:
            stack.enter_context(proxy)
        yield


def _end(connection: socket.socket, how: int) -> None:
    with suppress(OSError):
        connection.shutdown(how)


def _startup(stream: BinaryIO) -> bytes:
    # The one message without a type.
    size = stream.read(4)
    return size + stream.read(max(0, int.from_bytes(size) - 4))


def _messages(stream: BinaryIO) -> Iterator[bytes]:
    """Yield messages: a letter, the length in four bytes, which it includes, and what there is to say."""
    while len(head := stream.read(5)) == 5:
        yield head + stream.read(int.from_bytes(head[1:]) - 4)


def _shown(message: bytes) -> str:
    return message[:1].decode() + " " + message[5:_SHOWN_BYTES].rstrip(b"\0").decode(errors="replace")


def _http_message(stream: BinaryIO) -> tuple[bytes, bytes]:
    """Read one message whose length its head tells; both parts are empty at the stream's end."""
    head, length = b"", 0
    for line in stream:
        head += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if line == b"\r\n":
            return head, stream.read(length)
    return b"", b""
