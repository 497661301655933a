"""The simulated node as a whole: state, a port or two, and a miner."""

import logging
import threading
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from .auth import Credentials
from .dialects import Dialect
from .faults import Faults
from .node import Clock, Node, unix_now
from .ports import Port
from .tables import Switches, methods_of

log = logging.getLogger(__name__)

_NODE_DIRECTORY = "zebrad"


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
        node_port: int | None = None,
        block_seconds: float | None = None,
        dialect: str = Dialect.ZCASHD,
        clock: Clock = unix_now,
    ) -> None:
        """Take the settings; port 0 is any free one, `node_port` zebrad's, no password means a cookie file.

        Raises:
            ValueError: no wallet speaks the dialect.
        """
        if dialect not in (Dialect.ZCASHD, Dialect.ZALLET):
            raise ValueError(f"the dialect of a wallet is zcashd or zallet, not {dialect}")
        self._datadir = Path(datadir)
        login = Credentials(user or "", password) if password else None
        self._wallet_port = Port(Dialect(dialect), address=(bind, port), directory=self._datadir, login=login)
        self._node_port: Port | None = None
        if node_port is not None:
            directory = self._datadir / _NODE_DIRECTORY
            self._node_port = Port(Dialect.ZEBRA, address=(bind, node_port), directory=directory, login=None)
        self._block_seconds = block_seconds
        self._clock = clock
        self._stopping = threading.Event()
        # Unlike an event, it may be used by a signal handler that interrupts `wait` (its put is reentrant).
        self._stop_requests: SimpleQueue[None] = SimpleQueue()
        self._started: list[Port] = []
        self._miner: threading.Thread | None = None

    def start(self) -> None:
        """Load the state, listen, and serve from threads of its own.

        Raises:
            DataDirError: the data directory cannot be used.
            OSError: a port cannot be had.
        """
        self._stopping.clear()
        self._node = Node(self._datadir, clock=self._clock)
        try:
            self._listen()
        except BaseException:
            self._stop_ports()
            self._node.close()
            raise
        if self._block_seconds:
            self._miner = threading.Thread(target=self._mine, args=(self._block_seconds,), daemon=True)
            self._miner.start()

    def _listen(self) -> None:
        # Of both ports together: a fault that is switched on at one is met at the other.
        switches = Switches(Faults(), stop=self.request_stop)
        for port in filter(None, (self._wallet_port, self._node_port)):
            methods = methods_of(port.dialect, switches=switches)
            port.start(self._node, methods=methods, faults=switches.faults)
            self._started.append(port)
        self._node.on_restart = self._renew_cookies

    def _renew_cookies(self) -> None:
        for port in self._started:
            port.renew_cookie()

    def stop(self) -> None:
        """Stop serving, cut all connections and let go of the data directory; safe to call twice."""
        if not self._started:
            return
        self._stopping.set()
        self._stop_ports()
        if self._miner:
            self._miner.join()
        self._miner = None
        self._node.close()

    def _stop_ports(self) -> None:
        while self._started:
            self._started.pop().stop()

    def request_stop(self) -> None:
        """Make `wait` return; may be called from a signal handler."""
        self._stop_requests.put(None)

    def wait(self) -> None:
        """Return once somebody asked the node to stop, by RPC or `request_stop`."""
        self._stop_requests.get()

    @property
    def url(self) -> str:
        """The URL of the wallet, without credentials."""
        return self._wallet_port.url

    @property
    def node_url(self) -> str | None:
        """The URL of zebrad's methods, None without a second port."""
        return self._node_port.url if self._node_port else None

    @property
    def user(self) -> str:
        """The name that the wallet is called with."""
        return self._wallet_port.user

    @property
    def cookie_file(self) -> Path:
        """Where the wallet's cookie is, unless zcashd has a password instead."""
        return self._wallet_port.cookie_file

    @property
    def node_cookie_file(self) -> Path | None:
        """Where zebrad's cookie is, None without a second port."""
        return self._node_port.cookie_file if self._node_port else None

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
