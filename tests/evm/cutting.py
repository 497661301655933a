"""Ends a process at one chosen step: before or after a request to the node, or before a statement."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import requests
from django.db import connection
from web3 import HTTPProvider


class Killed(BaseException):
    """The process is gone: nothing of it may catch this."""


class Steps:
    """Counts the steps of a round; the one that is chosen is the last."""

    def __init__(self, last: int) -> None:
        self.count, self._last = 0, last

    def step(self) -> None:
        self.count += 1
        if self.count == self._last:
            raise Killed


@contextmanager
def killed_at(last: int, *, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """Let a process die at its n-th step; the steps tell whether it has come so far."""
    steps, ask = Steps(last), HTTPProvider.make_request

    def asked(self: Any, method: Any, params: Any) -> Any:
        steps.step()
        answer = ask(self, method, params)
        steps.step()
        return answer

    def stated(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        steps.step()
        return execute(sql, params, many, context)

    with monkeypatch.context() as patched, connection.execute_wrapper(stated):
        patched.setattr(HTTPProvider, "make_request", asked)
        with suppress(Killed):
            yield steps


@contextmanager
def answering(
    method: str,
    answer: dict[str, Any],
    *,
    monkeypatch: pytest.MonkeyPatch,
    to: Callable[[Any], bool] = lambda _params: True,
) -> Iterator[None]:
    """Let the node give one answer to calls of a method, as one does that lags or keeps no history."""
    ask = HTTPProvider.make_request

    def asked(self: Any, name: Any, params: Any) -> Any:
        if name == method and to(params):
            return {"jsonrpc": "2.0", "id": 1, **answer}
        return ask(self, name, params)

    with monkeypatch.context() as patched:
        patched.setattr(HTTPProvider, "make_request", asked)
        yield


@contextmanager
def silent(method: str | None, *, after: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the connection break at each call of a method (None: any), before or after the node has had it."""
    with _cut(method, requests.ConnectionError("the line is dead"), after=after, monkeypatch=monkeypatch):
        yield


@contextmanager
def killed_asking(method: str, *, after: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a process die at its first call of a method, before or after the node has had it."""
    with suppress(Killed), _cut(method, Killed(), after=after, monkeypatch=monkeypatch):
        yield


@contextmanager
def _cut(
    method: str | None, error: BaseException, *, after: bool, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    ask = HTTPProvider.make_request

    def asked(self: Any, name: Any, params: Any) -> Any:
        if method not in (None, name):
            return ask(self, name, params)
        if after:
            ask(self, name, params)
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(HTTPProvider, "make_request", asked)
        yield
