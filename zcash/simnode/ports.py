"""One port of the simulated node: who may call, in which dialect, and the threads that answer."""

import threading
from pathlib import Path

from .auth import COOKIE_USER, CookieFile, Credentials
from .dialects import Dialect
from .faults import Faults
from .faulty import FaultyServer
from .methods import Registry
from .node import Node
from .rpc import Rpc

_COOKIE_NAME = ".cookie"


class Port:
    """A port to listen on; the cookie, in a directory of its own, is new at every start."""

    def __init__(
        self, dialect: Dialect, *, address: tuple[str, int], directory: Path, login: Credentials | None
    ) -> None:
        self.dialect = dialect
        self.cookie_file = directory / _COOKIE_NAME
        self._address = address
        self._login = login
        self._cookie = CookieFile(self.cookie_file)

    @property
    def url(self) -> str:
        """The URL to call, without credentials."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def user(self) -> str:
        """The name to call with."""
        return self._login.user or "" if self._login else COOKIE_USER

    def start(self, node: Node, *, methods: Registry, faults: Faults) -> None:
        """Listen, write a new cookie, and serve from threads of its own.

        Raises:
            OSError: the address cannot be had.
        """
        rpc = Rpc(node, methods=methods, dialect=self.dialect)
        self._server = FaultyServer(self._address, rpc=rpc, credentials=[], faults=faults)
        self.renew_cookie()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def renew_cookie(self) -> None:
        """Let nobody call with an old cookie any more."""
        self._server.credentials = self._credentials()

    def stop(self) -> None:
        """Stop serving and cut all connections."""
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()
        self._thread.join()
        self._cookie.remove()

    def _credentials(self) -> list[Credentials]:
        if self._login and self.dialect is Dialect.ZCASHD:
            return [self._login]
        password = self._cookie.write()
        # zebrad compares the password alone; zallet takes its cookie beside the users it was given.
        cookie = Credentials(None if self.dialect is Dialect.ZEBRA else COOKIE_USER, password)
        return [cookie, self._login] if self._login else [cookie]
