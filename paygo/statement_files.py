"""A statement as CSV and as a page to print, for `paygo.api` and `paygo.pages`."""

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from tempfile import SpooledTemporaryFile

from django.http import FileResponse
from django.template.loader import render_to_string

from billing import statements
from billing.statements import Asked, Line, Read, Statement
from core import db
from core.amounts import zec_text
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
# A larger table waits on the disk for a reader who is slow.
_IN_MEMORY_BYTES = 1024 * 1024


def table(read: Read, *, asked: Asked) -> FileResponse:
    """Answer all of a statement as CSV: what the books said at one instant.

    It is written before it is sent: no reader holds a transaction open by being slow.
    """
    with ExitStack() as unless_sent:
        file = unless_sent.enter_context(SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))
        with db.snapshot():
            pages = statements.pages(read, asked=asked)
            first = next(pages)
            file.writelines(line.encode() for line in _as_csv(chain([first], pages)))
        file.seek(0)
        # The answer closes it.
        unless_sent.pop_all()
    name = f"statement-{first.name}.csv"
    return FileResponse(file, as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")


def _as_csv(pages: Iterator[Statement]) -> Iterator[str]:
    """Yield all pages of a statement as one table: an opening line, the lines, a closing line."""
    writer = csv.writer(Echo())
    yield writer.writerow(_HEADER)
    closing_zat = None
    for page in pages:
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
