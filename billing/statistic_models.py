"""The statistics' roll-up: what the dashboard reads instead of the rows that it tells of."""

from django.db import models
from django.db.models import Q

from sessions_app.models import Vendor


class HourlyFigure(models.Model):
    """One number of one hour: a sum of what happened in it, or the last measurement in it.

    `value` is in the asset's smallest unit where the name ends with its unit, else a count; `asset` is empty
    where there is none.
    """

    hour = models.DateTimeField()
    name = models.TextField()
    asset = models.TextField(default="")
    value = models.DecimalField(max_digits=78, decimal_places=0)

    class Meta:
        db_table = "billing_hourlyfigure"
        constraints = [
            # Its index is the one by which the dashboard reads.
            models.UniqueConstraint(
                fields=["name", "hour", "asset"], name="billing_hourlyfigure_once_an_hour"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.hour:%Y-%m-%d %H}"


class DailyFigure(models.Model):
    """The sum of one number of one day (UTC), from its hours."""

    day = models.DateField()
    name = models.TextField()
    asset = models.TextField(default="")
    value = models.DecimalField(max_digits=78, decimal_places=0)

    class Meta:
        db_table = "billing_dailyfigure"
        constraints = [
            # Its index is the one by which the dashboard reads.
            models.UniqueConstraint(fields=["name", "day", "asset"], name="billing_dailyfigure_once_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.day}"


class VendorDay(models.Model):
    """What one vendor's streams cost on one day (UTC), from final transactions."""

    day = models.DateField()
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="+", db_index=False)
    asset = models.TextField()
    amount = models.DecimalField(max_digits=78, decimal_places=0)
    streamed_ms = models.BigIntegerField()
    transactions = models.BigIntegerField()

    class Meta:
        db_table = "billing_vendorday"
        constraints = [
            models.UniqueConstraint(fields=["day", "vendor", "asset"], name="billing_vendorday_once_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.vendor_id} {self.day}"


class StatisticsMark(models.Model):
    """The one row that says how far the statistics are: no hour, or day, before it is counted again."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    hours_final_to = models.DateTimeField(null=True)
    days_final_to = models.DateTimeField(null=True)
    counted_at = models.DateTimeField(null=True)
    vendors_counted_at = models.DateTimeField(null=True)
    # Since when sources have not been settled for long, and which: a sum over them.
    stuck_since = models.DateTimeField(null=True)
    stuck = models.TextField(default="", db_default="")
    # The best vendors of each range, as (vendor, asset, amount, milliseconds): counted with the days.
    top_vendors = models.JSONField(default=dict)

    class Meta:
        db_table = "billing_statisticsmark"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="billing_statisticsmark_single_row")]

    def __str__(self) -> str:
        return f"hours before {self.hours_final_to} are final"
