"""The journal: one JSON object a line, appended and synced before an answer leaves, read back at start."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from .errors import DataDirError

Event = dict[str, Any]

_NAME = "journal.jsonl"


class Journal:
    """The append-only file of a data directory, held by one process at a time."""

    def __init__(self, datadir: Path) -> None:
        """Open and lock the journal of a data directory, creating both where missing.

        Raises:
            DataDirError: another process holds it, or it cannot be opened.
        """
        self._path = datadir / _NAME
        try:
            datadir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise DataDirError(f"cannot open {self._path}: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise DataDirError(f"another simulated node is using {datadir}") from error

    def read(self) -> list[Event]:
        """Return every event; what a killed process left of its last line is cut off.

        Raises:
            DataDirError: a line in between is damaged.
        """
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(0)
            content = file.read()
        complete = content.rfind(b"\n") + 1
        if complete < len(content):
            os.ftruncate(self._fd, complete)
        return [
            self._event(number, line) for number, line in enumerate(content[:complete].splitlines(), start=1)
        ]

    def _event(self, number: int, line: bytes) -> Event:
        try:
            event: Event = json.loads(line)
        except ValueError as error:
            raise DataDirError(f"line {number} of {self._path} is damaged") from error
        return event

    def append(self, events: list[Event]) -> None:
        """Write events to the disk, all or none.

        Raises:
            OSError: nothing was written.
        """
        data = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events).encode()
        size = os.fstat(self._fd).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(self._fd, data[written:])
            os.fsync(self._fd)
        except OSError:
            # Half a line would swallow the next one.
            os.ftruncate(self._fd, size)
            raise

    def close(self) -> None:
        """Let go of the journal."""
        os.close(self._fd)
