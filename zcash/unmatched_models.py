"""The table of what the wallet received and no permission was asked for."""

from django.db import models
from django.db.models import Q

from core.amounts import MAX_ZAT


class UnmatchedDeposits(models.QuerySet["UnmatchedDeposit"]):
    """Outputs that nobody is credited with."""

    def waiting(self) -> "UnmatchedDeposits":
        """Of which no operator has said that nothing more is to be done, the largest first."""
        return self.filter(resolved_at=None).order_by("-amount_zat", "id")


class UnmatchedDeposit(models.Model):
    """One output that the account received at an address of no permission: nobody is credited with it.

    A row is here as long as that is so: what becomes a permission's is a `Deposit`, and what can never be
    mined any more is none. `resolved_at` is when an operator said that nothing more is to be done.
    """

    txid = models.TextField()
    pool = models.TextField()
    output_index = models.BigIntegerField()
    address = models.TextField()
    amount_zat = models.BigIntegerField()
    # None while it waits in the mempool.
    height = models.IntegerField(null=True)
    first_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    objects = UnmatchedDeposits.as_manager()

    class Meta:
        db_table = "zcash_unmatched"
        constraints = [
            models.UniqueConstraint(fields=["txid", "pool", "output_index"], name="zcash_unmatched_once"),
            models.CheckConstraint(
                condition=Q(amount_zat__gt=0, amount_zat__lte=MAX_ZAT), name="zcash_unmatched_amount"
            ),
        ]
        indexes = [
            # What waits for an operator.
            models.Index(
                fields=["-amount_zat", "id"],
                name="zcash_unmatched_waiting",
                condition=Q(resolved_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.txid}:{self.pool}:{self.output_index}"

    @property
    def details(self) -> dict[str, str | int]:
        """What it is, as the record of operators' actions names it: the row itself may go."""
        return {
            "txid": self.txid,
            "pool": self.pool,
            "output_index": self.output_index,
            "amount_zat": self.amount_zat,
            "address": self.address,
        }
