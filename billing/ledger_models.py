"""The ledger's one table."""

from functools import reduce
from operator import or_

from django.db import models
from django.db.models import Q

from billing.ledger_rules import MOVES, ONCE, ZEC
from core.units import UnitsField


def _moves() -> Q:
    moves = ((kind.value, debit.value, credit.value) for kind, (debit, credit) in MOVES.items())
    return reduce(or_, (Q(kind=kind, debit=debit, credit=credit) for kind, debit, credit in moves))


class Transfer(models.Model):
    """Money that moved from one account (`debit`) to another (`credit`); append-only.

    `debit_of` and `credit_of` say whose account, by the key of its table, 0 for the platform's own.
    `amount_units` counts the asset's smallest unit: zatoshis. `at` is the instant that counts, `booked_at`
    when it was written, in one transaction with its cause; `cause_id` is the row that `Kind` says.
    """

    kind = models.TextField()
    debit = models.TextField()
    debit_of = models.BigIntegerField(default=0)
    credit = models.TextField()
    credit_of = models.BigIntegerField(default=0)
    asset = models.TextField(default=ZEC)
    amount_units = UnitsField()
    cause_id = models.BigIntegerField()
    at = models.DateTimeField()
    booked_at = models.DateTimeField()

    class Meta:
        db_table = "billing_transfer"
        constraints = [
            models.CheckConstraint(condition=_moves(), name="billing_transfer_moves_as_its_kind"),
            models.CheckConstraint(condition=Q(amount_units__gt=0), name="billing_transfer_moves_something"),
            models.UniqueConstraint(
                fields=["kind", "cause_id"],
                condition=Q(kind__in=[kind.value for kind in ONCE]),
                name="billing_transfer_charged_once",
            ),
        ]
        indexes = [
            # An account's statement and its balance, both sides.
            models.Index(fields=["debit", "debit_of", "id"], name="billing_transfer_debit"),
            models.Index(fields=["credit", "credit_of", "id"], name="billing_transfer_credit"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_units} {self.asset}"


class Reconciliation(models.Model):
    """What one comparison of the books with the wallet found; `findings` are sentences, none: all is right.

    `holdings_zat` is None where the wallet was not asked. `parts` are the zatoshis of `owed_zat` by what they
    are, what was under way, and what books and wallet differ by (see `reconciliation.parts`).
    """

    at = models.DateTimeField(db_index=True)
    owed_zat = models.BigIntegerField()
    booked_zat = models.BigIntegerField()
    holdings_zat = models.BigIntegerField(null=True)
    # Whether it was looked for transactions of the account that nobody knows.
    chain_searched = models.BooleanField(default=False)
    parts = models.JSONField(default=dict)
    findings = models.JSONField(default=list)

    class Meta:
        db_table = "billing_reconciliation"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {'right' if self.is_right else 'wrong'}"

    @property
    def is_right(self) -> bool:
        """Whether nothing was found."""
        return not self.findings
