"""Whether the books are right, and whether the wallet holds all that they say is owed.

The ledger is compared with every table (the invariants L of `audit.sql`), its liabilities with what the
wallet holds, and what the account has paid with the journal (`billing.outgoing`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing import audit, earnings, ledger, outgoing
from billing.ledger_models import Reconciliation
from billing.ledger_rules import OWED, ZEC, Account
from billing.models import WalletSend
from billing.rules import IN_FLIGHT_SEND
from core import db
from core.amounts import zec_text
from zcash import reorgs
from zcash.node.port import WalletPort

_TIMEOUT_S = 900
_LETTER = "L"


@dataclass(frozen=True)
class Coverage:
    """What is owed, by account, and what there is to pay it with, in zatoshis.

    `booked_zat` is what the books say that the wallet holds; `pending_zat` what vendors, of what they are
    owed, cannot have paid out yet. `under_way_zat` has been asked of the wallet, which may have paid it;
    `lost_zat` has left the chain and is not taken back yet.
    """

    owed: dict[Account, int]
    booked_zat: int
    holdings_zat: int | None
    pending_zat: int
    under_way_zat: int
    lost_zat: int

    @property
    def owed_zat(self) -> int:
        """All that is owed to viewers and vendors."""
        return sum(self.owed.values())

    @property
    def missing_zat(self) -> int:
        """What the wallet lacks of what is owed, 0 where it was not asked."""
        if self.holdings_zat is None:
            return 0
        return max(0, self.owed_zat - self.holdings_zat - self.under_way_zat)


def coverage(*, wallet: WalletPort | None, now: datetime) -> Coverage:
    """Return what is owed and what the wallet holds.

    Raises:
        NodeUnavailable: the wallet cannot be asked.
    """
    holdings_zat = wallet.holdings() if wallet else None
    with db.snapshot():
        totals = ledger.totals()
        sends = WalletSend.objects.filter(status__in=IN_FLIGHT_SEND)
        under_way = [payment["amount_zat"] for send in sends for payment in send.payments]
        return Coverage(
            owed={account: totals.get((account, ZEC), 0) for account in OWED},
            booked_zat=-totals.get((Account.WALLET, ZEC), 0),
            holdings_zat=holdings_zat,
            pending_zat=earnings.pending_of_all(now=now),
            under_way_zat=sum(under_way),
            lost_zat=sum(each.amount_zat for each in reorgs.lost()),
        )


def broken_invariants() -> list[str]:
    """Return one sentence for each invariant of the ledger that does not hold."""
    found = audit.run(late=None, timeout_s=_TIMEOUT_S, letter=_LETTER)
    return [f"{each.name}: {_first(each.violations)}" for each in found if each.violations]


def compare(*, wallet: WalletPort | None, now: datetime) -> tuple[Coverage, Reconciliation]:
    """Return what is owed and held, with all that is wrong; nothing is written.

    Raises:
        NodeUnavailable: the wallet cannot be asked.
    """
    covered = coverage(wallet=wallet, now=now)
    findings = broken_invariants()
    if covered.missing_zat:
        findings.append(_uncovered(covered))
    if halted := outgoing.halted():
        findings.append(f"Sending is halted: {halted}")
    found = Reconciliation(
        at=now,
        owed_zat=covered.owed_zat,
        booked_zat=covered.booked_zat,
        holdings_zat=covered.holdings_zat,
        parts=parts(covered),
        findings=findings,
    )
    return covered, found


def parts(covered: Coverage) -> dict[str, int]:
    """Return what is owed by what it is, in zatoshis, and what the wallet has been asked to pay."""
    return {
        "permissions": covered.owed[Account.PERMISSION],
        "refunds": covered.owed[Account.REFUND],
        "vendors_pending": covered.pending_zat,
        "vendors_available": covered.owed[Account.VENDOR] - covered.pending_zat,
        "payouts": covered.owed[Account.PAYOUT],
        "under_way": covered.under_way_zat,
    }


def latest() -> Reconciliation | None:
    """Return the last comparison that was kept."""
    return Reconciliation.objects.order_by("-at").first()


def _uncovered(covered: Coverage) -> str:
    text = (
        f"the wallet holds {zec_text(covered.holdings_zat or 0)} ZEC, {zec_text(covered.missing_zat)} ZEC "
        f"less than the {zec_text(covered.owed_zat)} ZEC that are owed"
    )
    if covered.lost_zat:
        text += f"; {zec_text(covered.lost_zat)} ZEC wait to be taken back (manage.py reversals)"
    return text


def _first(violations: list[dict[str, Any]]) -> str:
    return ", ".join(f"{column}={value}" for column, value in violations[0].items())
