"""What a monitor asks of the money, in Prometheus's text format; all of it is read from the database."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from billing import foreign, outgoing, reconciliation, refunds, rounds
from billing.ledger_models import Reconciliation

_DIFFERS = ("under_way", "incoming", "lost", "unexplained", "difference")


def text(*, now: datetime) -> str:
    """Return every metric as it is at `now`; what was never measured is left out."""
    return "".join(f"{line}\n" for line in [*_books(now=now), *_sending(now=now), *_billing()])


def _books(*, now: datetime) -> Iterator[str]:
    overdue = reconciliation.is_overdue(now=now)
    yield from _gauge("paygo_books_overdue", "1: nobody has compared the books for long.", overdue)
    latest = reconciliation.latest()
    if latest is not None:
        yield from _compared(latest)


def _compared(latest: Reconciliation) -> Iterator[str]:
    yield from _gauge("paygo_books_right", "1: the last comparison found nothing wrong.", latest.is_right)
    yield from _gauge(
        "paygo_books_findings", "What the last comparison found to be wrong.", len(latest.findings)
    )
    yield from _gauge(
        "paygo_books_compared_timestamp_seconds",
        "When books and wallet were compared.",
        latest.at.timestamp(),
    )
    yield from _gauge("paygo_books_wallet_zat", "What the wallet holds by the books.", latest.booked_zat)
    if latest.holdings_zat is not None:
        yield from _gauge("paygo_wallet_zat", "What the wallet holds by its own word.", latest.holdings_zat)
    owed = {name: zat for name, zat in latest.parts.items() if name not in _DIFFERS}
    differs = {name: zat for name, zat in latest.parts.items() if name in _DIFFERS}
    yield from _labelled("paygo_owed_zat", "What is owed, by what it is.", owed)
    yield from _labelled("paygo_books_apart_zat", "What books and wallet differ by, and why.", differs)


def _sending(*, now: datetime) -> Iterator[str]:
    halted = bool(outgoing.halted())
    yield from _gauge("paygo_sending_halted", "1: nothing is sent before somebody has looked.", halted)
    unexplained = len(foreign.unexplained())
    yield from _gauge("paygo_unexplained_transactions", "Payments that nobody knew.", unexplained)
    waiting = refunds.waiting_too_long(now=now)
    yield from _gauge("paygo_refunds_waiting_too_long", "Refunds due for an hour, or failing.", waiting)


def _billing() -> Iterator[str]:
    late = rounds.lateness()
    yield from _gauge("paygo_billing_late", "1: the interval has not run in time.", late.late)
    yield from _gauge("paygo_billing_put_aside", "Permissions that the last interval left.", late.put_aside)
    if late.seconds is not None:
        yield from _gauge("paygo_billing_age_seconds", "Since the last interval began.", late.seconds)


def _gauge(name: str, says: str, value: float) -> Iterator[str]:
    yield from (*_head(name, says), f"{name} {_number(value)}")


def _labelled(name: str, says: str, values: Mapping[str, int]) -> Iterator[str]:
    # The labels are names of this project: nothing in them has to be quoted.
    yield from (*_head(name, says), *(f'{name}{{of="{each}"}} {_number(v)}' for each, v in values.items()))


def _head(name: str, says: str) -> tuple[str, str]:
    return f"# HELP {name} {says}", f"# TYPE {name} gauge"


def _number(value: float) -> str:
    return str(int(value)) if isinstance(value, int) else repr(value)
