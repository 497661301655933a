"""Server-sent events (HTML, section 9.2), out of the lines of an answer."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_LONGEST_RETRY_MS = 60_000


@dataclass(frozen=True)
class Event:
    """One server-sent event; `id` is where a stream goes on after it."""

    id: str
    kind: str
    data: Any


@dataclass
class Reader:
    """Reads events, over any number of connections: what the service has said of the stream is kept."""

    last_id: str = ""
    retry_seconds: float = 1.0

    def read(self, lines: Iterable[bytes]) -> Iterator[Event]:
        """Yield the events of one connection; one that it leaves unfinished is dropped, and comes again."""
        block: dict[str, list[str]] = {}
        for line in lines:
            if line:
                name, _, value = line.decode("utf-8", "replace").partition(":")
                block.setdefault(name, []).append(value.removeprefix(" "))
                continue
            self._note(block)
            if data := "\n".join(block.get("data", ())):
                kind = block.get("event", ["message"])[-1]
                yield Event(self.last_id, kind, json.loads(data, parse_float=Decimal))
            block = {}

    def _note(self, block: Mapping[str, Sequence[str]]) -> None:
        # Only of a whole block: else an event whose id has come, and whose data has not, would be missed.
        self.last_id = block.get("id", [self.last_id])[-1]
        wait = block.get("retry", [""])[-1]
        if wait.isascii() and wait.isdigit():
            self.retry_seconds = min(int(wait), _LONGEST_RETRY_MS) / 1000
