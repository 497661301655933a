"""A receiver of webhooks on this machine, over real HTTP, that answers as a test says."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook

from core.models import WebhookEndpoint

_LONGEST_WAIT_SECONDS = 30


@dataclass
class Receiver:
    """What came in, and what to answer."""

    url: str = ""
    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    # Seconds between the bytes of the answer.
    drip: float = 0
    # Until it is set nothing is answered; what came in is noted before.
    gate: threading.Event = field(default_factory=threading.Event)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def verified(self, secret: str) -> list[dict[str, object]]:
        """Return every event that came in, each checked by the library as a client would."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.got]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a receiver until the end of the block."""
    known = Receiver()
    known.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            known.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            known.gate.wait(_LONGEST_WAIT_SECONDS)
            if known.drip:
                self._drip()
                return
            self.send_response(known.status)
            for name, value in known.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(known.body)))
            self.end_headers()
            self.wfile.write(known.body)

        def _drip(self) -> None:
            for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000:
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:
                    return
                time.sleep(known.drip)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        known.url = f"http://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield known
        server.shutdown()


def secret_of(endpoint: WebhookEndpoint) -> str:
    """Return the secret as it is now."""
    endpoint.refresh_from_db()
    return endpoint.secret
