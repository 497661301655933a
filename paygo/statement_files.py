"""A statement as CSV and as a page to print, for `paygo.api` and `paygo.pages`."""

import csv
from collections.abc import Hashable, Iterator
from itertools import chain
from typing import Final

from django.template.loader import render_to_string

from billing import statements
from billing.statements import Asked, Line, Read, Statement
from core import db
from core.amounts import zec_text
from core.errors import Invalid
from paygo import downloads
from paygo.backoffice.csv_export import Echo, safe

_HEADER = (
    "booked_at",
    "at",
    "kind",
    "amount_zec",
    "balance_zec",
    "session_code",
    "started_at",
    "ended_at",
    "seconds",
    "rate_zec_per_hour",
    "reference",
)
# Some 20 MB; a longer one would hold its call's turn for long.
MOST_LINES: Final = 100_000


def table(read: Read, *, asked: Asked, reader: Hashable) -> downloads.Download:
    """Answer all of a statement as CSV: what the books said at one instant.

    Raises:
        Invalid: it has more than `MOST_LINES`.
        Busy: see `downloads.csv_of`.
    """
    with db.snapshot():
        pages = statements.pages(read, asked=asked)
        first = next(pages)
        lines = _as_csv(chain([first], pages))
        return downloads.csv_of(lines, name=f"statement-{first.name}.csv", reader=reader)


def _as_csv(pages: Iterator[Statement]) -> Iterator[str]:
    """Yield all pages of a statement as one table: an opening line, the lines, a closing line."""
    writer = csv.writer(Echo())
    yield writer.writerow(_HEADER)
    closing_zat, number = None, 0
    for page in pages:
        number += len(page.lines)
        if number > MOST_LINES:
            raise Invalid(f"more than {MOST_LINES} lines: ask for a shorter period", field="until")
        if closing_zat is None:
            yield writer.writerow(_balance("opening", page.opening_zat))
        for line in page.lines:
            yield writer.writerow(_cells(line))
        closing_zat = page.closing_zat
    yield writer.writerow(_balance("closing", closing_zat or 0))


def as_page(statement: Statement, *, next_url: str | None = None) -> str:
    """Return a page of a statement to be printed."""
    return render_to_string("pages/statement.html", {"statement": statement, "next_url": next_url})


def reference(line: Line) -> str:
    """Return what somebody looks for elsewhere: txids and numbers of payments."""
    parts = [str(line.cause[name]) for name in ("txid", "refund_id", "payout_id") if name in line.cause]
    return " ".join([*parts, *line.cause.get("txids", ())])


def _balance(kind: str, balance_zat: int) -> list[str]:
    return ["", "", kind, "", zec_text(balance_zat), *[""] * 6]


def _cells(line: Line) -> list[str]:
    # Amounts are numbers of our own: they may begin with a minus.
    stretch = line.stretch
    return [
        safe(line.booked_at),
        safe(line.at),
        line.kind,
        zec_text(line.amount_zat),
        zec_text(line.balance_zat),
        safe(line.session_code),
        safe(stretch and stretch.started_at),
        safe(stretch and stretch.ended_at),
        str(stretch.duration_ms / 1000) if stretch else "",
        zec_text(stretch.rate) if stretch else "",
        safe(reference(line)),
    ]
