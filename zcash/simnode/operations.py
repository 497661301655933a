"""Asynchronous operations: a table in memory, forgotten at every restart as both wallets do."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from .errors import RpcError
from .jsontext import Json


class Work(Protocol):
    """What an operation does."""

    def __call__(self, *, broadcast: bool) -> Json:
        """Return the operation's result; without `broadcast` nothing that it builds is sent out.

        Raises:
            RpcError: what the operation fails with.
        """


class Status(StrEnum):
    """How far an operation is, in the wallets' own words."""

    QUEUED = "queued"
    EXECUTING = "executing"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens any more."""
        return self in (Status.SUCCESS, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Failure:
    """How an operation failed, in JSON-RPC's terms."""

    code: int
    message: str


@dataclass(slots=True)
class Operation:
    """One operation; `created_at` is in unix seconds, `result` set on success, `failure` on failure."""

    id: str
    method: str
    params: Json
    created_at: int
    work: Work
    status: Status = Status.QUEUED
    result: Json = None
    failure: Failure | None = None


class Operations:
    """The operations since the last restart, oldest first.

    They run at once, one after the other. `hold` keeps new ones where they are, the oldest executing and the
    others queued; `failure` makes them fail instead; without `broadcast` what they build is not sent out.
    """

    def __init__(self) -> None:
        self.hold = False
        self.failure: Failure | None = None
        self.broadcast = True
        self._operations: dict[str, Operation] = {}

    def start(self, method: str, *, params: Json, work: Work, now: int) -> str:
        """Start an operation and return its id; an `RpcError` out of `work` makes it fail."""
        operation = Operation(f"opid-{uuid.uuid4()}", method, params, now, work)
        self._operations[operation.id] = operation
        self.run()
        return operation.id

    def run(self) -> None:
        """Finish every operation that is not held."""
        unfinished = [each for each in self._operations.values() if not each.status.is_final]
        if self.hold:
            for operation in unfinished[:1]:
                operation.status = Status.EXECUTING
            return
        for operation in unfinished:
            self._finish(operation)

    def _finish(self, operation: Operation) -> None:
        operation.failure = self.failure
        if operation.failure is None:
            try:
                operation.result = operation.work(broadcast=self.broadcast)
            except RpcError as error:
                operation.failure = Failure(error.code, error.message)
        operation.status = Status.FAILED if operation.failure else Status.SUCCESS

    def find(self, ids: Collection[str] = ()) -> list[Operation]:
        """Return the operations of these ids, all without any; unknown ids are left out."""
        return [each for each in self._operations.values() if not ids or each.id in ids]

    def remove(self, operation: Operation) -> None:
        """Forget one operation."""
        del self._operations[operation.id]

    def forget(self) -> None:
        """Forget all of them, finished or not; what is held never happens."""
        self._operations.clear()
