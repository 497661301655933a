"""How calls are made: one session, bounded time, and repetitions that never do anything twice."""

import json
import random
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import requests

from paygo_client.errors import ApiError, NoAnswer, problem

_VERSION = "0.1.0"
_REPEATABLE = {429, 503}
_IN_FLIGHT = "idempotency_key_in_flight"
_GATEWAY = {502, 504}


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    id: str
    kind: str
    data: Any


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
        self._url = url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._longest_wait_seconds = longest_wait_seconds
        self._http = requests.Session()
        self._http.headers["User-Agent"] = f"paygo-client/{_VERSION}"
        if key:
            self._http.headers["Authorization"] = f"Bearer {key}"

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _json(self, method: str, path: str, **how: Any) -> Any:
        return _decoded(self._call(method, path, **how))

    def _bytes(self, method: str, path: str, **how: Any) -> bytes:
        return self._call(method, path, **how).content

    def _nothing(self, method: str, path: str, **how: Any) -> None:
        self._call(method, path, **how)

    def _stream(self, method: str, path: str, *, query: Mapping[str, Any] | None = None) -> Iterator[Event]:
        """Yield events until the server ends the stream."""
        answer = self._http.request(
            method, self._url + path, params=_text_of(query), stream=True, timeout=self._timeout_seconds
        )
        with answer:
            if not answer.ok:
                raise problem(answer)
            yield from events(answer.iter_lines(decode_unicode=True))

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        repeatable: bool = True,
    ) -> requests.Response:
        """Return the answer of a success.

        Raises:
            ApiError: the service has refused the call.
            NoAnswer: there was none, after all attempts; a call that is not repeatable is made once.
        """
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())} if method == "POST" else {}
        content = None if body is None else json.dumps(body, default=_number).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                answer = self._http.request(
                    method,
                    self._url + path,
                    params=_text_of(query),
                    data=content,
                    headers=headers,
                    timeout=self._timeout_seconds,
                )
            except requests.RequestException as error:
                if last or not repeatable:
                    raise NoAnswer(f"{method} {path}: {error}") from error
                self._wait(attempt, None)
                continue
            if answer.ok:
                return answer
            refusal = problem(answer)
            if last or not _may_repeat(refusal, repeatable=repeatable):
                raise refusal
            self._wait(attempt, refusal.retry_after_seconds)
        raise AssertionError("the last attempt returns or raises")

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


def events(lines: Iterator[str]) -> Iterator[Event]:
    """Yield server-sent events out of lines (the HTML standard's format); comments are heartbeats."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line and name:
            fields.setdefault(name, []).append(value.removeprefix(" "))
        elif not line and fields:
            if data := "\n".join(fields.get("data", [])):
                yield Event(_last(fields, "id"), _last(fields, "event") or "message", _loads(data))
            fields = {}


def _last(fields: Mapping[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[-1]


def _may_repeat(refusal: ApiError, *, repeatable: bool) -> bool:
    if refusal.status in _REPEATABLE or refusal.code == _IN_FLIGHT:
        return True
    return repeatable and refusal.status in _GATEWAY


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
