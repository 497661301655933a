"""HTTP/1.1 around the RPC: limits, credentials, keep-alive."""

import contextlib
import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

from .auth import Credentials
from .dialects import Dialect
from .rpc import Rpc

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 20
MAX_CONNECTIONS = 128
IDLE_SECONDS = 60.0

# zcashd's, so that guessing passwords takes long.
_WRONG_PASSWORD_DELAY_SECONDS = 0.25
_JOIN_SECONDS = 5.0


class HttpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread for each connection; closing the server closes them."""

    allow_reuse_address = True
    request_queue_size = MAX_CONNECTIONS

    # What serves a connection.
    handler: type["Handler"]

    def __init__(self, address: tuple[str, int], *, rpc: Rpc, credentials: Sequence[Credentials]) -> None:
        """Bind and listen.

        Raises:
            OSError: the address cannot be had.
        """
        self.rpc = rpc
        self.credentials = credentials
        self.closing = threading.Event()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._connections_lock = threading.Lock()
        super().__init__(address, self.handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection in a thread of its own; beyond `MAX_CONNECTIONS`, close it."""
        if len(self._connections) >= MAX_CONNECTIONS:
            self.shutdown_request(request)
            return
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        # Before the thread runs: whoever closes the server must not miss it.
        with self._connections_lock:
            self._connections[request] = thread
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection until it ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._connections_lock:
                del self._connections[request]

    def handle_error(self, *_connection: Any) -> None:
        """Log what went wrong on a connection; a client that goes away is no error."""
        log.debug("a connection failed: %r", sys.exc_info()[1])

    def close_connections(self) -> None:
        """End every connection once the call that it is in has been answered."""
        self.closing.set()
        with self._connections_lock:
            connections = dict(self._connections)
        for connection in connections:
            # An idle thread wakes up with nothing read; a busy one sees `closing` when it has answered.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        for thread in connections.values():
            thread.join(_JOIN_SECONDS)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: HttpServer
    protocol_version = "HTTP/1.1"
    server_version = "zcash-simnode"
    sys_version = ""
    timeout = IDLE_SECONDS
    # Head and body leave in one packet: in two, Nagle and delayed acknowledgement add 40 ms to every call.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer one request body."""
        body = self._body()
        if body is None:
            return
        # jsonrpsee, below zallet and zebrad, serves every path alike.
        if self.path != "/" and self.server.rpc.dialect is Dialect.ZCASHD:
            self.reply(404)
        elif self._admitted():
            self.answer(body)

    def answer(self, body: bytes) -> None:
        """Answer a request that was admitted."""
        status, text = self.server.rpc.answer(body)
        self.reply(status, text, content_type="application/json")

    def _refuse_method(self) -> None:
        # Whatever body came along is not read: what follows it could not be told from it.
        self.close_connection = True
        self.reply(405, "JSONRPC server handles only POST requests", content_type="text/plain")

    # The base class looks for these names.
    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse_method  # noqa: N815

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        refusal = None
        if not length or "Transfer-Encoding" in self.headers:
            refusal = 411
        elif (
            not (length.isascii() and length.isdigit()) or len(self.headers.get_all("Content-Length", [])) > 1
        ):
            refusal = 400
        elif len(length) > len(str(MAX_BODY_BYTES)) or int(length) > MAX_BODY_BYTES:
            refusal = 413
        if refusal is None:
            return self._read(int(length))
        self.close_connection = True
        self.reply(refusal)
        return None

    def _read(self, length: int) -> bytes | None:
        body = self.rfile.read(length)
        if len(body) == length:
            return body
        self.close_connection = True
        return None

    def _admitted(self) -> bool:
        authorization = self.headers.get("Authorization")
        if authorization is not None and any(each.admits(authorization) for each in self.server.credentials):
            return True
        if self.server.rpc.dialect is Dialect.ZEBRA:
            # Its refusal is an error below HTTP: the connection ends without an answer.
            self.close_connection = True
            return False
        if authorization is not None:
            time.sleep(_WRONG_PASSWORD_DELAY_SECONDS)
        self.reply(401)
        return False

    def reply(self, status: int, text: str = "", *, content_type: str | None = None) -> None:
        """Send a whole answer."""
        body = text.encode()
        self.head(status, content_type=content_type, length=len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def head(self, status: int, *, content_type: str | None, length: int, location: str = "") -> None:
        """Send the head of an answer whose body has so many bytes."""
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="jsonrpc"')
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(length))
        if self.server.closing.is_set():
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_message: Any) -> None:
        """Say nothing: a poller's requests would drown everything else."""
