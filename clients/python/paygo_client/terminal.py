"""How things look in a terminal: amounts, a bar, a line that changes, a QR code."""

import io
import sys
from decimal import Decimal
from typing import Self

import segno

_WIDTH = 30


def zec(amount: Decimal | int) -> str:
    """Return an amount to the zatoshi, never in powers of ten."""
    return f"{Decimal(amount):.8f}"


def bar(done: int, whole: int) -> str:
    """Return a bar of how much is done."""
    filled = _WIDTH * min(done, whole) // max(1, whole)
    return f"[{'#' * filled}{'.' * (_WIDTH - filled)}]"


def qr(text: str) -> str:
    """Return a QR code of blocks, light on dark, as wallets' cameras read it from a screen."""
    drawn = io.StringIO()
    segno.make_qr(text, error="m").terminal(drawn, compact=True)
    return drawn.getvalue()


class Line:
    """A line that is written over; where nobody watches, each change is a line of its own."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live and self._shown:
            print()

    def show(self, text: str) -> None:
        """Show a text in place of the last one."""
        if text == self._shown:
            return
        if self._live:
            print(f"\r{text}{' ' * max(0, len(self._shown) - len(text))}", end="", flush=True)
        else:
            print(text, flush=True)
        self._shown = text
