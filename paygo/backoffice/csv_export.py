"""CSV of what a list shows under its filters; no cell is a formula to whoever opens it."""

import csv
import unicodedata
from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from core import clock
from paygo import downloads

# More rows than a spreadsheet opens at once would hold a worker for minutes.
MOST_ROWS = 100_000
_CHUNK = 2_000
# What spreadsheets take for a formula, or for the end of a cell (OWASP: CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")

# Separators, controls and formats (Unicode): no-break spaces, byte order marks, zero-width joiners.
_SKIPPED = ("Zs", "Zl", "Zp", "Cc", "Cf")


class Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def safe(value: Any) -> str:
    """Return a value as a cell: amounts and instants as they are, texts never as formulas."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool | int):
        return str(value)
    text = str(value).replace("\0", "")
    shown = text[_unseen(text) :]
    return f"'{text}" if text.startswith(_FORMULA) or shown.startswith(_FORMULA) else text


def _unseen(text: str) -> int:
    """Return how many characters begin a text that a spreadsheet may skip: spaces of any kind, BOMs."""
    return next(
        (place for place, each in enumerate(text) if unicodedata.category(each) not in _SKIPPED), len(text)
    )


def response(
    rows: QuerySet[Any],
    *,
    name: str,
    header: Sequence[str],
    cells: Callable[[Any], Sequence[Any]],
    reader: Hashable,
) -> downloads.Download:
    """Return a download of rows, at most `MOST_ROWS` of them; the last line says where there are more.

    Raises:
        Busy: see `downloads.csv_of`.
    """
    lines = _lines(rows, header=header, cells=cells)
    stamp = f"{clock.now():%Y%m%d-%H%M%S}"
    return downloads.csv_of(lines, name=f"paygo-{name}-{stamp}.csv", reader=reader)


def is_asked(request: HttpRequest) -> bool:
    """Whether a list is asked for as CSV, with the right to see it checked elsewhere."""
    return request.method == "GET" and request.GET.get("format") == "csv"


def _lines(
    rows: QuerySet[Any], *, header: Sequence[str], cells: Callable[[Any], Sequence[Any]]
) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow(header)
    for number, row in enumerate(rows[: MOST_ROWS + 1].iterator(chunk_size=_CHUNK)):
        if number == MOST_ROWS:
            yield writer.writerow([f"more than {MOST_ROWS} rows: narrow the filter"])
            return
        yield writer.writerow([safe(each) for each in cells(row)])
