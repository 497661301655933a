"""A server that can misbehave: faults of the node, its host and the network, switched on by `sim_fault`."""

import contextlib
import select
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from .auth import Credentials
from .faults import Fault, Faults, Kind
from .http import Handler, HttpServer
from .rpc import Rpc, methods_called

_POLL_SECONDS = 0.05
_HUGE_BYTES = 1 << 30
_CHUNK_BYTES = 1 << 16
# Nobody listens there; whoever follows a redirect does not come back with an answer.
_ELSEWHERE = "http://127.0.0.2:1/"
# Close without a farewell: what is not sent is dropped, and the peer gets a reset (RST).
_LINGER_NOT = struct.pack("ii", 1, 0)


class FaultyHandler(Handler):
    """One connection to a server that can misbehave."""

    server: "FaultyServer"

    def answer(self, body: bytes) -> None:
        """Answer a request that was admitted, or do to it what the fault that is switched on says."""
        faults = self.server.faults
        fault = faults.take(methods_called(body)) if faults.is_armed else None
        misbehave = self._misbehaviours.get(fault.kind) if fault else None
        if fault and misbehave:
            misbehave(self, body, fault)
        else:
            status, text = self.server.rpc.answer(body, fault=fault)
            self.reply(status, text, content_type="application/json")

    def _slow(self, body: bytes, fault: Fault) -> None:
        self.server.closing.wait(fault.seconds)
        super().answer(body)

    def _hang(self, _body: bytes, _fault: Fault) -> None:
        self.close_connection = True
        while not self.server.closing.is_set():
            # Readable now means that the client is gone, or sends what nobody will answer.
            readable, _, _ = select.select([self.connection], [], [], _POLL_SECONDS)
            if readable:
                return

    def _half(self, body: bytes, _fault: Fault) -> None:
        status, text = self.server.rpc.answer(body)
        whole = text.encode()
        self.close_connection = True
        self.head(status, content_type="application/json", length=len(whole))
        self.wfile.write(whole[: len(whole) // 2])

    def _not_json(self, _body: bytes, _fault: Fault) -> None:
        self.reply(200, "<html><body>It works!</body></html>", content_type="text/html")

    def _server_error(self, _body: bytes, _fault: Fault) -> None:
        # zcashd's words when too many calls wait for a thread.
        self.reply(500, "Work queue depth exceeded", content_type="text/plain")

    def _redirect(self, _body: bytes, _fault: Fault) -> None:
        self.head(302, content_type=None, length=0, location=_ELSEWHERE)

    def _reset_before(self, _body: bytes, _fault: Fault) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)

    def _reset_after(self, body: bytes, fault: Fault) -> None:
        self.server.rpc.answer(body)
        self._reset_before(body, fault)

    def _huge(self, _body: bytes, _fault: Fault) -> None:
        head, tail = b'{"result":"', b'","error":null,"id":null}'
        self.close_connection = True
        self.head(200, content_type="application/json", length=_HUGE_BYTES)
        self.wfile.write(head)
        self.wfile.flush()
        self._fill(_HUGE_BYTES - len(head) - len(tail))
        self.wfile.write(tail)

    def _fill(self, count: int) -> None:
        """Send so many bytes one chunk at a time, until the client is gone or the server stops."""
        chunk = b"x" * _CHUNK_BYTES
        self.connection.settimeout(_POLL_SECONDS)
        while count and not self.server.closing.is_set():
            with contextlib.suppress(TimeoutError):
                count -= self.connection.send(chunk[:count])

    _misbehaviours: ClassVar[dict[Kind, Callable[["FaultyHandler", bytes, Fault], None]]] = {
        Kind.SLOW: _slow,
        Kind.HANG: _hang,
        Kind.HALF: _half,
        Kind.NOT_JSON: _not_json,
        Kind.HUGE: _huge,
        Kind.REDIRECT: _redirect,
        Kind.RESET_BEFORE: _reset_before,
        Kind.RESET_AFTER: _reset_after,
        Kind.SERVER_ERROR: _server_error,
    }


class FaultyServer(HttpServer):
    """A server that can misbehave."""

    handler = FaultyHandler

    def __init__(
        self, address: tuple[str, int], *, rpc: Rpc, credentials: Sequence[Credentials], faults: Faults
    ) -> None:
        """Bind and listen.

        Raises:
            OSError: the address cannot be had.
        """
        self.faults = faults
        super().__init__(address, rpc=rpc, credentials=credentials)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection; one to be reset without the farewell that a client would take for an end."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_LINGER_NOT)) == _LINGER_NOT:
            self.close_request(request)
        else:
            super().shutdown_request(request)
