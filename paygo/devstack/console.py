"""What the terminal shows of a stack: steps of the start, and a short line for what is worth a look."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from paygo.devstack.errors import StackError

_COLOURS = ("36", "32", "33", "35", "34", "96", "92", "95")
_LINES_AT_ONCE = 10
_CELERY_LINE = re.compile(r"\[[^]]*: (?P<level>[A-Z]+)/[^]]*\] (?P<message>.*)")
_LOUD = ("warning", "error", "critical")
# Said by Celery at every start under root, and by granian of threads that wait for the database.
_NOISE = (
    "superuser privileges",
    "SecurityWarning",
    "absolutely not recommended",
    "Configuration allows spawning",
)


def say(text: str, *, name: str = "paygo") -> None:
    """Print a line with the coloured name of the process that it is about."""
    print(f"{coloured(f'{name:<8}', name)} {text}", flush=True)


def coloured(text: str, name: str) -> str:
    """The text in the colour of a name; plain where the output is no terminal or NO_COLOR is set."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLOURS[sum(name.encode()) % len(_COLOURS)]}m{text}\x1b[0m"


@contextmanager
def step(name: str) -> Iterator[Callable[[str], None]]:
    """Print a step of the start, and how long it took; call what it yields with a detail to show."""
    started = time.monotonic()
    details: list[str] = []
    print(f"  {name:<22}", end="", flush=True)
    try:
        yield details.append
    except StackError:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - started:5.1f} s  {' '.join(details)}".rstrip(), flush=True)


class LogFollower:
    """Reads what a process appends to its log, and shows the lines that are worth a look."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def show_new(self) -> None:
        """Print a short form of the new warnings, errors and events; the rest is in the file."""
        shown = [text for line in self._new_lines() if (text := shorten(line))]
        for text in shown[:_LINES_AT_ONCE]:
            say(text, name=self.name)
        if len(shown) > _LINES_AT_ONCE:
            say(f"... {len(shown) - _LINES_AT_ONCE} more lines in {self.path}", name=self.name)

    def last_line(self) -> str:
        """The last line that says something, for a process that has died."""
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")[-4000:]
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return _cut(lines[-1]) if lines else ""

    def _new_lines(self) -> list[str]:
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        # A line that is still being written is left for the next time.
        complete = data.rpartition(b"\n")[0]
        if complete:
            self._offset += len(complete) + 1
        return complete.decode("utf-8", "replace").splitlines() if complete else []


def shorten(line: str) -> str:
    """The short form of a log line for the terminal; empty for one that is only worth the file."""
    if any(word in line for word in _NOISE):
        return ""
    if line.startswith("{"):
        return _shorten_json(line)
    if match := _CELERY_LINE.match(line):
        return _cut(match["message"]) if match["level"].lower() in _LOUD else ""
    is_error = re.match(r"(\w+\.)*\w*(Error|Exception)\b|\[?(WARNING|ERROR)\b|CommandError", line)
    return _cut(line) if is_error else ""


def _shorten_json(line: str) -> str:
    try:
        record = json.loads(line)
    except ValueError:
        return _cut(line)
    hidden = {"event", "level", "logger", "timestamp", "exception", "exc_info"}
    if str(record.get("level", "")).lower() not in _LOUD:
        return ""
    rest = " ".join(f"{key}={value}" for key, value in record.items() if key not in hidden)
    return _cut(f"{record.get('level')}: {record.get('event', '')} {rest}".strip())


def _cut(text: str) -> str:
    width = max(40, shutil.get_terminal_size((120, 24)).columns - 10)
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable if len(printable) <= width else printable[: width - 3] + "..."
