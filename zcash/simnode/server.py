"""The simulated node as a whole: state, RPC, HTTP, and a miner."""

import logging
import threading
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from .auth import Credentials, remove_cookie, write_cookie
from .http import HttpServer
from .methods_control import control_methods
from .node import Clock, Node, unix_now
from .rpc import Rpc, zcashd_methods

log = logging.getLogger(__name__)


class SimNode:
    """A simulated node on its data directory; a context manager that starts and stops it."""

    def __init__(
        self,
        *,
        datadir: Path | str,
        user: str | None = None,
        password: str | None = None,
        bind: str = "127.0.0.1",
        port: int = 0,
        block_seconds: float | None = None,
        clock: Clock = unix_now,
    ) -> None:
        """Take the settings; port 0 is any free one, no password means a cookie file, as with zcashd."""
        self._datadir = Path(datadir)
        self._login = (user or "", password) if password else None
        self._address = (bind, port)
        self._block_seconds = block_seconds
        self._clock = clock
        self._stopping = threading.Event()
        # Unlike an event, it may be used by a signal handler that interrupts `wait` (its put is reentrant).
        self._stop_requests: SimpleQueue[None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Load the state, listen, and serve from threads of its own.

        Raises:
            DataDirError: the data directory cannot be used.
            OSError: the port cannot be had.
        """
        self._stopping.clear()
        self._node = Node(self._datadir, clock=self._clock)
        try:
            self._server = self._listen()
        except BaseException:
            self._node.close()
            raise
        self._threads = [threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)]
        if self._block_seconds:
            self._threads.append(
                threading.Thread(target=self._mine, args=(self._block_seconds,), daemon=True)
            )
        for thread in self._threads:
            thread.start()

    def _listen(self) -> HttpServer:
        methods = zcashd_methods()
        methods.update(control_methods(methods, stop=self.request_stop))
        credentials = Credentials(*self._login) if self._login else write_cookie(self._datadir)
        self.user = credentials.user
        return HttpServer(self._address, rpc=Rpc(self._node, methods=methods), credentials=credentials)

    def stop(self) -> None:
        """Stop serving, cut all connections and let go of the data directory; safe to call twice."""
        if not self._threads:
            return
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()
        for thread in self._threads:
            thread.join()
        self._threads = []
        if not self._login:
            remove_cookie(self._datadir)
        self._node.close()

    def request_stop(self) -> None:
        """Make `wait` return; may be called from a signal handler."""
        self._stop_requests.put(None)

    def wait(self) -> None:
        """Return once somebody asked the node to stop, by RPC or `request_stop`."""
        self._stop_requests.get()

    @property
    def url(self) -> str:
        """The URL to call, without credentials."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def height(self) -> int:
        """The height of the best block."""
        with self._node.lock:
            return self._node.chain.tip.height

    def _mine(self, seconds: float) -> None:
        while not self._stopping.wait(seconds):
            try:
                with self._node.lock:
                    self._node.mine(1)
            except OSError:
                log.exception("no block was mined: the data directory cannot be written")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
