"""What a vendor has earned, and how far it is on its way to him."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from billing import ledger_sql
from billing.ledger_rules import ZEC, Account
from core import db
from sessions_app.models import Vendor


@dataclass(frozen=True)
class Earnings:
    """A vendor's money in zatoshis: `earned` less `fees` is `pending`, `available`, `under_way` or `paid`.

    It is pending for `PAYOUT_HOLD_HOURS` after it was booked, then available until a payout takes it.
    """

    earned_zat: int
    fees_zat: int
    pending_zat: int
    available_zat: int
    under_way_zat: int
    paid_zat: int


@dataclass(frozen=True)
class TokenEarnings:
    """What a vendor has earned in a token, in its smallest unit: `earned` less `fees` is the other three.

    It is `pending` until it is collected, then `owed` until he is `paid`. None of it is paid out by this
    service: the tokens lie in the operator's treasury.
    """

    asset: str
    earned_units: int
    fees_units: int
    pending_units: int
    paid_units: int
    owed_units: int


def of_vendor(vendor: Vendor, *, now: datetime) -> Earnings:
    """Return what a vendor has earned as it is at `now`."""
    where = {"account": Account.VENDOR, "of": vendor.pk, "asset": ZEC, "since": held_since(now=now)}
    with db.snapshot():
        earned, fees, pending, balance = map(int, db.row(ledger_sql.EARNINGS, where))
        under_way, paid = map(int, db.row(ledger_sql.PAID_OUT, {"vendor": vendor.pk}))
    return Earnings(
        earned_zat=earned,
        fees_zat=fees,
        pending_zat=pending,
        available_zat=balance - pending,
        under_way_zat=under_way,
        paid_zat=paid,
    )


def pending_of_all(*, now: datetime) -> int:
    """Return what all vendors together have earned and cannot have paid out yet, in zatoshis."""
    (pending,) = db.row(ledger_sql.PENDING, {"since": held_since(now=now)})
    return int(pending)


def in_tokens(vendor: Vendor, *, until: datetime | None = None) -> list[TokenEarnings]:
    """Return what a vendor has earned in each token that paid for him, booked before an instant if given."""
    where = {"account": Account.VENDOR, "of": vendor.pk, "until": until}
    found = db.rows(ledger_sql.CHAIN_EARNINGS, where)
    return [TokenEarnings(asset, *map(int, units)) for asset, *units in found]


def held_since(*, now: datetime) -> datetime:
    """Return since when what was booked is still pending."""
    return now - timedelta(hours=settings.PAYOUT_HOLD_HOURS)
