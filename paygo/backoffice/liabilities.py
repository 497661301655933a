"""What is owed to viewers and vendors, account by account, against what the wallet holds to pay it with.

It is the last comparison that the worker has kept: both sides are of one instant, and the page reads one row.
"""

from datetime import datetime
from decimal import Decimal

from billing import reconciliation
from billing.ledger_models import Reconciliation
from paygo.backoffice.texts import ago, zec

# What, how it is, and its tone.
State = tuple[str, str, str]

_PARTS = (
    ("Left of permissions", "permissions"),
    ("Refunds on their way", "refunds"),
    ("Vendors, pending", "vendors_pending"),
    ("Vendors, available", "vendors_available"),
    ("Payouts on their way", "payouts"),
)


def states(*, now: datetime) -> list[State]:
    """Return the lines of the card."""
    latest = reconciliation.latest()
    if latest is None:
        return [("Compared", "never: manage.py reconcile", "")]
    parts = [(title, _zec(latest.parts[name]), "") for title, name in _PARTS if name in latest.parts]
    return [
        *parts,
        ("Owed to viewers and vendors", _zec(latest.owed_zat), ""),
        *_holdings(latest),
        ("Findings", f"{len(latest.findings)}", "good" if latest.is_right else "bad"),
        ("Compared", f"{ago(now - latest.at)} ago", ""),
    ]


def _holdings(latest: Reconciliation) -> list[State]:
    """Return what the wallet holds, and by how much that is more or less than what is owed."""
    if latest.holdings_zat is None:
        return [("The wallet holds", "was not asked", "")]
    under_way_zat = latest.parts.get("under_way", 0)
    # What it pays now may have left it, and is owed until that is known.
    over_zat = latest.holdings_zat + under_way_zat - latest.owed_zat
    return [
        ("The wallet holds", _zec(latest.holdings_zat), ""),
        *([("It pays now", _zec(under_way_zat), "")] if under_way_zat else []),
        ("It should hold, by the books", _zec(latest.holdings_zat - latest.parts.get("difference", 0)), ""),
        ("Deficit" if over_zat < 0 else "Surplus", _zec(abs(over_zat)), "bad" if over_zat < 0 else "good"),
    ]


def _zec(amount_zat: int) -> str:
    return f"{zec(Decimal(amount_zat))} ZEC"
