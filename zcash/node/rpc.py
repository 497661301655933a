"""JSON-RPC over HTTP, as Zcash nodes and wallets speak it, towards a server that is not trusted.

One object with `"jsonrpc": "2.0"` and an array of parameters per request. zcashd answers errors with status
500, 404 or 400 and a JSON body, newer servers with 200: the body counts first, the status only without one.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
import urllib3
from requests.auth import AuthBase

from core.deadline import DeadlineAdapter, deadline, remaining_seconds

from .port import NodeNotReady, NodeRefused, NodeUnavailable

MAX_BODY_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_MAX_COOKIE_BYTES = 4096
_MAX_MESSAGE = 300
# How many threads of a process may be on a call, and how long another waits for its turn.
_LINE = BoundedSemaphore(6)
_LINE_SECONDS = 1.0
_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403
_REDIRECTS = range(300, 400)
# src/rpc/protocol.h of zcashd: safe mode (in zallet: recovering from a reorg), initial download, warming up.
_NOT_READY = frozenset({-2, -10, -28})


@dataclass(frozen=True, slots=True)
class SettingNames:
    """What messages call the settings that lead to a server; `only_reads`: no call to it changes anything."""

    url: str
    credentials: str
    cookie_file: str
    only_reads: bool


WALLET = SettingNames(
    url="ZCASH_RPC_URL",
    credentials="ZCASH_RPC_USER and ZCASH_RPC_PASSWORD",
    cookie_file="ZCASH_RPC_COOKIE_FILE",
    only_reads=False,
)
# zebrad takes nothing but its cookie; a proxy in front of it may want user and password, in the URL.
NODE = SettingNames(
    url="ZCASH_NODE_URL",
    credentials="ZCASH_NODE_URL (zebrad wants its cookie: ZCASH_NODE_COOKIE_FILE)",
    cookie_file="ZCASH_NODE_COOKIE_FILE",
    only_reads=True,
)


class AnswerTooLarge(NodeUnavailable):
    """The answer is longer than is read of any; asked for a smaller part, the node may give it."""


class RpcClient:
    """A connection of one thread to a JSON-RPC server, kept alive between calls."""

    def __init__(
        self,
        url: str,
        *,
        user: str = "",
        password: str = "",
        cookie_file: str = "",
        timeout_seconds: float = 10.0,
        names: SettingNames = WALLET,
    ) -> None:
        self._names = names
        self._url, credentials = _split_credentials(url, user=user, password=password, names=names)
        # For messages: the path of a hosted node's URL can be a key.
        self._server = _server(self._url)
        self._credentials = "" if cookie_file else credentials
        self._cookie_file = cookie_file
        self._timeout_seconds = timeout_seconds
        self._ids = count(1)
        self._session = _Session()
        # Proxies, .netrc and certificates of the environment must not get between PayGo and its wallet.
        self._session.trust_env = False
        self._session.mount("http://", DeadlineAdapter())
        self._session.mount("https://", DeadlineAdapter())

    def call(self, method: str, *params: object) -> object:
        """Return the result of an RPC method, within the time-out whatever the server does.

        Numbers with a fraction are Decimal, never float.

        Raises:
            NodeRefused: the server understood the call and refused it.
            NodeNotReady: it is warming up, downloading or recovering.
            AnswerTooLarge: it answered more than `MAX_BODY_BYTES`.
            NodeUnavailable: it is down, slow, or answered what cannot be understood.
        """
        call_id = str(next(self._ids))
        request = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}
        try:
            with self._place_in_line(), deadline(self._timeout_seconds):
                status, body = self._exchange(json.dumps(request).encode())
            document = _document(body, status=status)
        except NodeUnavailable:
            # Not every server says 401 of an outdated cookie.
            self._forget_cookie()
            raise
        return _result(document, status=status, method=method, call_id=call_id)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    @contextmanager
    def _place_in_line(self) -> Iterator[None]:
        """Let few threads of a process wait for the node: a hanging one must not take all of them."""
        if not _LINE.acquire(timeout=_LINE_SECONDS):
            self._fail("is busy with other calls of this process", TimeoutError())
        try:
            yield
        finally:
            _LINE.release()

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        try:
            status, body = self._admitted(request)
        except (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            self._fail("did not answer in time", error)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self._fail("cannot be reached, or cut the answer short", error)
        self._refuse_status(status)
        return status, body

    def _admitted(self, request: bytes) -> tuple[int, bytes]:
        """Post a request, and once more with a new cookie: the node writes one at each of its starts."""
        try:
            status, body = self._post(request)
        except requests.ConnectionError:
            # zebrad hangs up on an outdated cookie; but a call that could change something is not repeated.
            if not self._names.only_reads or not self._has_new_cookie():
                raise
        else:
            if status != _UNAUTHORIZED or not self._cookie_file:
                return status, body
            self._forget_cookie()
        return self._post(request)

    def _has_new_cookie(self) -> bool:
        used = self._credentials
        self._forget_cookie()
        return self._authorization() != used

    def _post(self, request: bytes) -> tuple[int, bytes]:
        response = self._session.post(
            self._url,
            data=request,
            # A compressed answer could be a thousand times its size.
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            auth=_BasicAuth(self._authorization()),
            timeout=remaining_seconds(),
            allow_redirects=False,
            stream=True,
        )
        with response:
            return response.status_code, self._read(response.raw)

    def _read(self, raw: urllib3.BaseHTTPResponse) -> bytes:
        body = bytearray()
        while chunk := raw.read(_CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise AnswerTooLarge(f"the node at {self._server} answered more than {MAX_BODY_BYTES} bytes")
        return bytes(body)

    def _authorization(self) -> str:
        if self._cookie_file and not self._credentials:
            self._credentials = _read_cookie(self._cookie_file, names=self._names)
        return self._credentials

    def _forget_cookie(self) -> None:
        if self._cookie_file:
            self._credentials = ""

    def _refuse_status(self, status: int) -> None:
        if status == _UNAUTHORIZED:
            raise NodeUnavailable(f"the node at {self._server} refused {self._credential_settings()}")
        if status == _FORBIDDEN:
            raise NodeUnavailable(
                f"the node at {self._server} takes no calls from this machine: see its setting rpcallowip"
            )
        if status in _REDIRECTS:
            raise NodeUnavailable(
                f"the node at {self._server} answered with a redirect, which is not followed"
            )

    def _credential_settings(self) -> str:
        if self._cookie_file:
            return f"the cookie in {self._names.cookie_file}"
        return f"the credentials in {self._names.credentials}"

    def _fail(self, how: str, error: Exception) -> NoReturn:
        raise NodeUnavailable(f"the node at {self._server} {how}") from error


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Know no redirects: even unfollowed ones would have their body read, however large it is."""


class _BasicAuth(AuthBase):
    """HTTP Basic from `user:password`; in UTF-8, which the tuple form of `requests` cannot say."""

    def __init__(self, credentials: str) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._credentials:
            encoded = base64.b64encode(self._credentials.encode()).decode()
            request.headers["Authorization"] = f"Basic {encoded}"
        return request


def _split_credentials(url: str, *, user: str, password: str, names: SettingNames) -> tuple[str, str]:
    """Return the URL without its user info, so that no message can show it, and the credentials."""
    try:
        parts = urlsplit(url)
        # `port` is checked only when it is read.
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise NodeUnavailable(f"{names.url} is not an http or https URL")
    if not user and parts.username:
        user, password = unquote(parts.username), unquote(parts.password or "")
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return urlunsplit(bare), f"{user}:{password}" if user else ""


def _server(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _read_cookie(path: str, *, names: SettingNames) -> str:
    try:
        with Path(path).open("rb") as file:
            cookie = file.read(_MAX_COOKIE_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        raise NodeUnavailable(f"the file in {names.cookie_file} cannot be read") from error
    if ":" not in cookie:
        raise NodeUnavailable(f"the file in {names.cookie_file} holds no cookie")
    return cookie


def _document(body: bytes, *, status: int) -> dict[str, Any]:
    try:
        document = json.loads(body.decode(), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise NodeUnavailable(f"the node answered what is no JSON (HTTP status {status})") from error
    if not isinstance(document, dict):
        raise NodeUnavailable(f"the node answered no JSON-RPC object (HTTP status {status})")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _result(document: dict[str, Any], *, status: int, method: str, call_id: str) -> object:
    error = document.get("error")
    # A server that could not read the request cannot know its id either.
    if document.get("id") != call_id and not (error is not None and document.get("id") is None):
        raise NodeUnavailable(f"the node answered another call than {method}")
    if error is not None:
        _refuse(error, method=method)
    if status != _OK or "result" not in document:
        raise NodeUnavailable(f"the node answered {method} without a result (HTTP status {status})")
    return document["result"]


def _refuse(error: object, *, method: str) -> NoReturn:
    code = error.get("code") if isinstance(error, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    if not isinstance(code, int) or isinstance(code, bool) or not isinstance(message, str):
        raise NodeUnavailable(f"the node answered {method} with an error that is none")
    message = message[:_MAX_MESSAGE]
    if code in _NOT_READY:
        raise NodeNotReady(f"the node is not ready: {message} ({code})")
    raise NodeRefused(method, rpc_code=code, rpc_message=message)
