"""How calls are made: one session, bounded time, and repetitions that never do anything twice."""

import contextlib
import json
import random
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from paygo_client.errors import ApiError, NoAnswer, problem
from paygo_client.sse import Event, Reader

_VERSION = "0.1.0"
_REPEATABLE = {429, 502, 503, 504}
_IN_FLIGHT = "idempotency_key_in_flight"
# A stream that says nothing gives a sign of life every 15 s, if the operator has not chosen otherwise.
_SILENT_SECONDS = 60.0
_LAST = "end"
_REDIRECTS = 300
_KEY = re.compile(r"[A-Za-z0-9_-]*")


class Transport:
    """Makes the calls of `paygo_client.calls`.

    A call that creates something carries an Idempotency-Key of its own making, so that it is repeated safely
    where the answer was lost; pass `idempotency_key` to go on repeating it after this process has ended.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float = 30.0,
        attempts: int = 4,
        longest_wait_seconds: float = 30.0,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError(f"{url!r} is no address of a service: http://127.0.0.1:8080 is one")
        if not _KEY.fullmatch(key):
            raise ValueError("an API key is letters, digits, _ and -")
        self._url = url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._longest_wait_seconds = longest_wait_seconds
        self._http = requests.Session()
        self._http.headers["User-Agent"] = f"paygo-client/{_VERSION}"
        self._key = key
        # Not as a header of the session: a netrc file of this machine would take its place.
        self._http.auth = self._authorized

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _authorized(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _json(self, method: str, path: str, **how: Any) -> Any:
        return _decoded(self._call(method, path, **how))

    def _bytes(self, method: str, path: str, **how: Any) -> bytes:
        return self._call(method, path, **how).content

    def _nothing(self, method: str, path: str, **how: Any) -> None:
        self._call(method, path, **how)

    def _stream(self, method: str, path: str, *, query: Mapping[str, Any] | None = None) -> Iterator[Event]:
        """Yield events until the service says `end`, or the caller has enough.

        A connection that breaks, or that the service closes, is opened anew from the last event on.

        Raises:
            ApiError: the service has refused the stream.
            NoAnswer: it could not be opened, after all attempts.
        """
        reader = Reader()
        while True:
            answer = self._call(method, path, query=query, follows=reader)
            with answer, contextlib.suppress(requests.RequestException):
                for event in reader.read(_lines(answer)):
                    yield event
                    if event.kind == _LAST:
                        return
            time.sleep(min(reader.retry_seconds, self._longest_wait_seconds))

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        follows: Reader | None = None,
    ) -> requests.Response:
        """Return the answer of a success; of a stream that follows, as soon as it begins.

        Raises:
            ApiError: the service has refused the call.
            NoAnswer: there was none, after all attempts.
        """
        sent = self._sent(query=query, body=body, follows=follows)
        if method == "POST":
            sent["headers"]["Idempotency-Key"] = idempotency_key or str(uuid.uuid4())
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                answer = self._http.request(method, self._url + path, **sent)
            except requests.RequestException as error:
                if last:
                    raise NoAnswer(f"nobody answers at {self._url}: {_reason(error)}") from error
                self._wait(attempt, None)
                continue
            # A redirect is none: a POST would go on as a GET, and the key to whoever it names.
            if answer.status_code < _REDIRECTS:
                return answer
            with answer:
                refusal = problem(answer)
            if last or not _may_repeat(refusal):
                raise refusal
            self._wait(attempt, refusal.retry_after_seconds)
        raise AssertionError("the last attempt returns or raises")

    def _sent(
        self, *, query: Mapping[str, Any] | None, body: Mapping[str, Any] | None, follows: Reader | None
    ) -> dict[str, Any]:
        """Return what requests is told of a call."""
        headers: dict[str, str] = {}
        sent: dict[str, Any] = {
            "params": _text_of(query),
            "headers": headers,
            "timeout": self._timeout_seconds,
            "allow_redirects": False,
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
            sent["data"] = json.dumps(body, default=_number).encode()
        if follows is not None:
            sent |= {"stream": True, "timeout": (self._timeout_seconds, _SILENT_SECONDS)}
            if follows.last_id:
                headers["Last-Event-ID"] = follows.last_id
        return sent

    def _wait(self, attempt: int, asked_seconds: float | None) -> None:
        """Wait as long as the service asks for, else longer each time, with jitter."""
        jitter = random.uniform(0.5, 1.5)  # noqa: S311  # nobody gains by guessing it
        seconds = 0.25 * 2**attempt * jitter if asked_seconds is None else asked_seconds
        time.sleep(min(seconds, self._longest_wait_seconds))

    @staticmethod
    def _part(text: str) -> str:
        return quote(str(text), safe="")

    @staticmethod
    def _given(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
        return {**required, **{name: value for name, value in optional.items() if value is not None}}


def _reason(error: BaseException) -> str:
    """Return the innermost reason in a few words: what is around it names objects of libraries."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return str(error) or type(error).__name__


def _lines(answer: requests.Response) -> Iterator[bytes]:
    if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        raise NoAnswer(f"the answer of {answer.url} is no stream")
    # In larger pieces an event of a stream that is not chunked would wait for those after it to fill one.
    return answer.iter_lines(chunk_size=1)


def _may_repeat(refusal: ApiError) -> bool:
    return refusal.status in _REPEATABLE or refusal.code == _IN_FLIGHT


def _decoded(answer: requests.Response) -> Any:
    try:
        return _loads(answer.text)
    except ValueError as error:
        raise NoAnswer(f"the answer of {answer.url} is no JSON") from error


def _loads(text: str) -> Any:
    # Decimal keeps what the service wrote; 0.1 ZEC as a float is not a tenth.
    return json.loads(text, parse_float=Decimal)


def _number(value: Any) -> float:
    if isinstance(value, Decimal):
        # Exact: a float holds every amount up to 21 million ZEC to the zatoshi.
        return float(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


def _text_of(query: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (query or {}).items() if value is not None}
