"""The ledger in the formats of plain-text accounting (hledger, beancount), and as CSV.

One entry for each transfer, in the order of booking, dated by the day (UTC) on which it was booked. An
account's name ends with the key of the row that it belongs to; `manage.py exportledger` streams them.
"""

import csv
import re
from collections.abc import Iterator
from datetime import date, datetime

from billing.ledger_models import Transfer
from billing.ledger_rules import ZEC, Account
from core.amounts import zec_text

_PARENT = {
    Account.WALLET: "assets",
    Account.PERMISSION: "liabilities",
    Account.REFUND: "liabilities",
    Account.VENDOR: "liabilities",
    Account.PAYOUT: "liabilities",
    Account.AUTHORIZATION: "assets",
    Account.TREASURY: "assets",
    Account.OWNER: "equity",
    Account.FEES: "income",
    Account.LOSSES: "expenses",
}
_CHUNK = 2_000
_HEADER = (
    "id",
    "booked_at",
    "at",
    "kind",
    "cause_id",
    "debit",
    "debit_of",
    "credit",
    "credit_of",
    "asset",
    "amount_units",
)


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def transfers(*, since: datetime | None, until: datetime | None) -> Iterator[Transfer]:
    """Yield what was booked in [since, until), in the order of booking, a part at a time."""
    found = Transfer.objects.order_by("id")
    if since:
        found = found.filter(booked_at__gte=since)
    if until:
        found = found.filter(booked_at__lt=until)
    return found.iterator(chunk_size=_CHUNK)


def as_hledger(found: Iterator[Transfer]) -> Iterator[str]:
    """Yield a journal for hledger (and ledger)."""
    for each in found:
        debit, credit = (":".join(name) for name in _names(each))
        amount = _amount(each, named=_quoted(each.asset))
        tags = f"transfer:{each.pk}, cause:{each.cause_id}, at:{each.at.isoformat()}"
        yield (f"{_day(each)} {each.kind}  ; {tags}\n    {debit}    {amount}\n    {credit}    -{amount}\n\n")


def as_beancount(found: Iterator[Transfer]) -> Iterator[str]:
    """Yield a file for beancount; an account is opened on the day of its first entry."""
    opened: set[str] = set()
    for each in found:
        names = [":".join(_beancount(part) for part in name) for name in _names(each)]
        for name in names:
            if name not in opened:
                opened.add(name)
                yield f"{_day(each)} open {name}\n"
        amount = _amount(each, named=_currency(each.asset))
        yield (
            f'{_day(each)} * "{each.kind}"\n  transfer: "{each.pk}"\n  cause: "{each.cause_id}"\n'
            f'  at: "{each.at.isoformat()}"\n  {names[0]}  {amount}\n  {names[1]}  -{amount}\n\n'
        )


def as_csv(found: Iterator[Transfer]) -> Iterator[str]:
    """Yield a table; `amount_units` counts the asset's smallest unit."""
    writer = csv.writer(_Echo())
    yield writer.writerow(_HEADER)
    for each in found:
        yield writer.writerow(
            [
                each.pk,
                each.booked_at.isoformat(),
                each.at.isoformat(),
                each.kind,
                each.cause_id,
                each.debit,
                each.debit_of,
                each.credit,
                each.credit_of,
                each.asset,
                each.amount_units,
            ]
        )


FORMATS = {"hledger": as_hledger, "beancount": as_beancount, "csv": as_csv}


def _names(transfer: Transfer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return _name(transfer.debit, transfer.debit_of), _name(transfer.credit, transfer.credit_of)


def _name(account: str, of: int) -> tuple[str, ...]:
    name = (_PARENT[Account(account)], account)
    return (*name, str(of)) if of else name


def _beancount(part: str) -> str:
    """Return a part of a name as beancount has it: it begins with a capital letter or a digit."""
    return part.capitalize()


def _quoted(asset: str) -> str:
    """Return an asset as hledger has it: in quotes, unless it is letters alone."""
    return asset if asset.isalpha() else '"' + asset.replace('"', "") + '"'


def _currency(asset: str) -> str:
    """Return an asset as beancount has it: capital letters, digits and points, a letter first.

    What it cannot have is told by its number, so that USD+ does not become USD.
    """
    told = re.sub(r"[^A-Z0-9.]|\.$", lambda found: f"{ord(found[0]):X}", asset.upper())
    return told if told[0].isalpha() else f"X{told}"


def _amount(transfer: Transfer, *, named: str) -> str:
    units = transfer.amount_units
    return f"{zec_text(units) if transfer.asset == ZEC else units} {named}"


def _day(transfer: Transfer) -> date:
    return transfer.booked_at.date()
