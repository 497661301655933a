"""Whether the books are right, and whether the wallet holds all that they say is owed.

The ledger is compared with every table (the invariants L of `audit.sql`), its liabilities with what the
wallet holds, the wallet's account with its holdings, and what the account has paid with the journal
(`billing.outgoing`).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet, Sum

from billing import audit, earnings, foreign, ledger, outgoing
from billing.ledger_models import Reconciliation, Transfer
from billing.ledger_rules import LEFT, OWED, ZEC, Account
from billing.matching import payments_of
from billing.models import Refund
from billing.payout_models import Payout
from billing.rules import RefundStatus
from core import db
from core.amounts import zec_text
from zcash import reorgs
from zcash.models import Deposit
from zcash.node.port import WalletPort
from zcash.rules import DepositStatus

_TIMEOUT_S = 900
# What the network takes can be more than the conventional fee that was withheld: a wallet joins notes, and
# splits its change. So much at first, and so many times what was withheld, is no finding.
_FEES_OF_NOTES_ZAT, _FEES_MORE = 100_000, 2
_ROUNDS_MISSED = 3
# The wallet may have paid these, and the ledger does not say so yet.
_UNDER_WAY = (RefundStatus.SENDING, RefundStatus.UNKNOWN)
_LETTER = "L"


@dataclass(frozen=True)
class Coverage:
    """What is owed, by account, and what there is to pay it with, in zatoshis.

    `booked_zat` is what the books say that the wallet holds; `pending_zat` what vendors, of what they are
    owed, cannot have paid out yet. `under_way_zat` has been asked of the wallet, which may have paid it.

    What the books do not have yet: `incoming_zat` has been seen and is not credited, `lost_zat` has left the
    chain and is not taken back, `unexplained_zat` was paid by transactions that nobody has explained.
    `fees_zat` are the network's fees that were withheld: what the wallet pays can be more.
    """

    owed: dict[Account, int]
    booked_zat: int
    holdings_zat: int | None
    pending_zat: int
    under_way_zat: int
    incoming_zat: int
    lost_zat: int
    unexplained_zat: int
    fees_zat: int

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

    @property
    def expected_zat(self) -> int:
        """What the wallet should hold by the books and by what they will have, before what is under way."""
        return self.booked_zat + self.incoming_zat - self.lost_zat - self.unexplained_zat

    @property
    def difference_zat(self) -> int:
        """What the wallet holds more than expected (the operator's own, saved fees), or less (below 0)."""
        return 0 if self.holdings_zat is None else self.holdings_zat - self.expected_zat

    @property
    def unaccounted_zat(self) -> int:
        """What is gone from the wallet beyond what is under way and what the network can have taken."""
        may_be_gone = self.under_way_zat + _FEES_OF_NOTES_ZAT + _FEES_MORE * self.fees_zat
        return max(0, -self.difference_zat - may_be_gone)


def coverage(*, wallet: WalletPort | None, now: datetime) -> Coverage:
    """Return what is owed and what the wallet holds.

    The wallet is asked last: what arrives meanwhile makes it hold more, not less.

    Raises:
        NodeUnavailable: the wallet cannot be asked.
    """
    with db.snapshot():
        totals = ledger.totals()
        covered = Coverage(
            owed={account: totals.get((account, ZEC), 0) for account in OWED},
            booked_zat=-totals.get((Account.WALLET, ZEC), 0),
            holdings_zat=None,
            pending_zat=earnings.pending_of_all(now=now),
            under_way_zat=sum(_zat(each.filter(status__in=_UNDER_WAY)) for each in _payments()),
            incoming_zat=_zat(Deposit.objects.filter(status=DepositStatus.SEEN)),
            lost_zat=_zat(reorgs.lost()),
            unexplained_zat=sum(
                payment.amount_zat for each in foreign.unexplained() for payment in payments_of(each)
            ),
            fees_zat=sum(_zat(each.filter(status__in=LEFT), "fee_zat") for each in _payments()),
        )
    return replace(covered, holdings_zat=wallet.holdings()) if wallet else covered


def _payments() -> tuple[QuerySet[Refund], QuerySet[Payout]]:
    return Refund.objects.all(), Payout.objects.all()


def _zat(rows: QuerySet[Any], column: str = "amount_zat") -> int:
    return int(rows.order_by().aggregate(zat=Sum(column))["zat"] or 0)


def broken_invariants() -> list[str]:
    """Return one sentence for each invariant of the ledger that does not hold."""
    found = audit.run(late=None, timeout_s=_TIMEOUT_S, letter=_LETTER)
    return [f"{each.name}: {_first(each.violations)}" for each in found if each.violations]


def compare(
    *, wallet: WalletPort | None, now: datetime, chain_searched: bool
) -> tuple[Coverage, Reconciliation]:
    """Return what is owed and held, with all that is wrong; nothing is written.

    `chain_searched`: whether the caller has just looked at what the account has paid (`outgoing.look`).

    Raises:
        NodeUnavailable: the wallet cannot be asked.
    """
    covered = coverage(wallet=wallet, now=now)
    findings = broken_invariants()
    if covered.missing_zat:
        findings.append(_uncovered(covered))
    if covered.unaccounted_zat:
        findings.append(_unaccounted(covered))
    if halted := outgoing.halted():
        findings.append(f"Sending is halted: {halted}")
    found = Reconciliation(
        at=now,
        owed_zat=covered.owed_zat,
        booked_zat=covered.booked_zat,
        holdings_zat=covered.holdings_zat,
        chain_searched=chain_searched,
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
        "incoming": covered.incoming_zat,
        "lost": covered.lost_zat,
        "unexplained": covered.unexplained_zat,
        "difference": covered.difference_zat,
    }


def latest() -> Reconciliation | None:
    """Return the last comparison that was kept."""
    return Reconciliation.objects.order_by("-at").first()


def is_overdue(*, now: datetime) -> bool:
    """Whether nobody has compared the books for long, though there is something in them."""
    compared = latest()
    since = (
        compared.at
        if compared
        else Transfer.objects.order_by("id").values_list("booked_at", flat=True).first()
    )
    return since is not None and now - since > _ROUNDS_MISSED * timedelta(seconds=settings.RECONCILE_SECONDS)


def _uncovered(covered: Coverage) -> str:
    text = (
        f"the wallet holds {zec_text(covered.holdings_zat or 0)} ZEC, {zec_text(covered.missing_zat)} ZEC "
        f"less than the {zec_text(covered.owed_zat)} ZEC that are owed"
    )
    if covered.lost_zat:
        text += f"; {zec_text(covered.lost_zat)} ZEC wait to be taken back (manage.py reversals)"
    return text


def _unaccounted(covered: Coverage) -> str:
    holds, less, expected = map(
        zec_text, (covered.holdings_zat or 0, -covered.difference_zat, covered.expected_zat)
    )
    return (
        f"the wallet holds {holds} ZEC, {less} ZEC less than the {expected} ZEC that the books say: "
        "something has left it that no row tells of"
    )


def _first(violations: list[dict[str, Any]]) -> str:
    return ", ".join(f"{column}={value}" for column, value in violations[0].items())
