"""The dashboard: the business at a glance, from the roll-up and a few small tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from billing import figures, outgoing, rounds
from billing.figures import RANGES, Figures, Range
from billing.models import IntervalRun
from core import clock
from paygo.backoffice import charts, liabilities, queues
from paygo.backoffice.charts import Chart
from paygo.backoffice.texts import ago, plain, zec
from zcash.models import WatchedChain

_ZAT = 100_000_000
_MS_PER_HOUR = 3_600_000
_DEFAULT = "30d"
# What the numbers are made of: whoever may not see all of these rows sees none of the numbers.
_MADE_OF = (
    "billing.view_intervalrun",
    "billing.view_payout",
    "billing.view_reconciliation",
    "billing.view_refund",
    "billing.view_transaction",
    "sessions_app.view_vendor",
    "zcash.view_deposit",
    "zcash.view_spendingpermission",
    "zcash.view_watchedchain",
)
# The node answers every few seconds; after so long something is wrong.
_NODE_SILENT = timedelta(minutes=5)


@dataclass(frozen=True)
class Card:
    """One number at the top, with what it was before and how it went."""

    title: str
    value: str
    unit: str = ""
    note: str = ""
    change: str = ""
    is_better: bool | None = None
    sparkline: str = ""
    url: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Stage:
    """One stage of the funnel: how many permissions reached it, and how wide its bar is."""

    title: str
    count: int
    share: str
    width: float


@dataclass(frozen=True)
class Vendor:
    """A line of the best vendors."""

    name: str
    client: str
    amount: str
    hours: str
    width: float
    url: str


def callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return what the first page shows; to who may not see the business, whose word lets him."""
    if not request.user.has_perms(_MADE_OF):
        return {**context, "title": "Welcome", "counts": queues.counts(request)}
    return {**context, "title": "Dashboard", **_business(request)}


def _business(request: HttpRequest) -> dict[str, Any]:
    now = clock.now()
    asked = range_of(request)
    found = figures.read(asked, now=now)
    runs = figures.latest_runs()
    counts = queues.counts(request)
    return {
        "ranges": [(each.name, each is asked) for each in RANGES],
        "counted_at": found.counted_at,
        "is_old": found.counted_at is None or now - found.counted_at > timedelta(minutes=10),
        "cards": _cards(found, counts),
        "revenue": _revenue(found, asked),
        "hours": _hours(found, asked),
        "owed": _owed(found, asked),
        "funnel": _funnel(found),
        "interval": _interval(runs),
        "billing": _billing_state(runs),
        "node": _node(now=now),
        "books": liabilities.states(now=now),
        "vendors": _vendors(found),
        "queue_counts": [(queue, count) for queue, count in counts if count],
    }


def range_of(request: HttpRequest) -> Range:
    """Return the time range that is asked for; what is none is the usual one."""
    ranges = {each.name: each for each in RANGES}
    return ranges.get(request.GET.get("range", ""), ranges[_DEFAULT])


def _cards(found: Figures, counts: Sequence[tuple[Any, int]]) -> list[Card]:
    waiting = sum(count for _, count in counts)
    running = found.measured.get("running", Decimal(0))
    owed = found.measured.get("remaining_zat", Decimal(0)) + found.measured.get("refunding_zat", Decimal(0))
    return [
        _sum_card(found, "Revenue", "revenue", "ZEC", _ZAT, unit="ZEC"),
        _sum_card(found, "Streamed", "streamed_ms", "", _MS_PER_HOUR, unit="hours"),
        _sum_card(found, "New permissions", "created", "", 1),
        Card(
            "Streaming now",
            f"{running:,}",
            "sessions",
            note=f"{found.measured.get('active', 0):,} permissions",
        ),
        Card("Owed to viewers", zec(owed), "ZEC", note=_refunding(found)),
        Card(
            "Waiting for you",
            f"{waiting:,}",
            "cases" if waiting != 1 else "case",
            note="see the queues" if waiting else "nothing to do",
            url=reverse("admin:queues"),
            tone="warn" if waiting else "good",
        ),
    ]


def _sum_card(found: Figures, title: str, name: str, asset: str, divisor: int, *, unit: str = "") -> Card:
    total = found.totals.get((name, asset), Decimal(0))
    before = found.before.get((name, asset), Decimal(0))
    change = _change(total, before)
    return Card(
        title,
        plain(total / divisor),
        unit,
        change=change,
        is_better=total >= before,
        note="than before" if change else "",
        sparkline=charts.sparkline([float(each) for each in found.of(name, asset)]),
    )


def _change(total: Decimal, before: Decimal) -> str:
    """Return by how much it has changed; a business that has just begun is compared with nothing."""
    return f"{(total - before) / before:+.0%}" if before and total <= 10 * before else ""


def _refunding(found: Figures) -> str:
    refunding = found.measured.get("refunding_zat", Decimal(0))
    return f"{zec(refunding)} of it in refunds" if refunding else "no refunds on their way"


def _revenue(found: Figures, asked: Range) -> list[Chart]:
    """Return a chart for each asset: amounts of different money have no common axis."""
    return [_revenue_in(asset, found, asked) for asset in found.assets("revenue") or ["ZEC"]]


def _revenue_in(asset: str, found: Figures, asked: Range) -> Chart:
    unit = _ZAT if asset == "ZEC" else 1
    return charts.of_bars(
        f"Revenue per {asked.unit}, {asset}",
        [float(each / unit) for each in found.of("revenue", asset)],
        charts.labels_of(found.buckets, unit=asked.unit),
        text=lambda value: f"{plain(Decimal(value))} {asset}",
        width=charts.WIDE,
    )


def _hours(found: Figures, asked: Range) -> Chart:
    return charts.of_bars(
        f"Hours streamed per {asked.unit}",
        [float(each / _MS_PER_HOUR) for each in found.of("streamed_ms")],
        charts.labels_of(found.buckets, unit=asked.unit),
        text=lambda value: f"{plain(Decimal(value))} hours",
    )


def _owed(found: Figures, asked: Range) -> Chart:
    return charts.of_line(
        "Owed to viewers, ZEC",
        [max(0.0, float(each / _ZAT)) for each in found.left()],
        charts.labels_of(found.buckets, unit=asked.unit),
        text=lambda value: f"{plain(Decimal(value))} ZEC",
    )


_STAGES = (
    ("Asked for", "created"),
    ("Paid", "paid"),
    ("Used up", "exhausted"),
    ("Expired", "expired"),
    ("Revoked", "revoked"),
    ("Never paid", "lapsed"),
    ("Refunded", "refunded"),
)


def _funnel(found: Figures) -> list[Stage]:
    counts = [(title, int(found.totals.get((name, ""), 0))) for title, name in _STAGES]
    first = counts[0][1]
    most = max(count for _, count in counts) or 1
    return [
        Stage(title, count, f"{count / first:.0%}" if first else "", round(100 * count / most, 1))
        for title, count in counts
    ]


def _interval(runs: Sequence[IntervalRun]) -> Chart:
    return charts.of_bars(
        "Permissions settled by each interval",
        [float(run.permissions) for run in runs],
        [f"{run.started_at:%H:%M}" for run in runs],
        text=lambda value: f"{value:,.0f} permissions",
        width=charts.WIDE,
        is_growing=False,
    )


def _billing_state(runs: Sequence[IntervalRun]) -> list[tuple[str, str, str]]:
    """Return (what, how it is, tone) of the interval."""
    late = rounds.lateness()
    since = "never ran" if late.seconds is None else f"{late.seconds:,.0f} s ago"
    took = [(run.finished_at - run.started_at).total_seconds() for run in runs if run.finished_at]
    busiest = max(zip(runs, took, strict=True), key=lambda each: each[0].permissions, default=None)
    rate = f"{busiest[0].permissions / max(busiest[1], 0.001):,.0f} permissions/s" if busiest else "unknown"
    return [
        ("Last interval", since, "bad" if late.late else "good"),
        ("Took", f"{took[-1]:,.2f} s" if took else "unknown", ""),
        ("Throughput", rate, ""),
        ("Could not be billed", f"{late.put_aside}", "bad" if late.put_aside else "good"),
    ]


def _node(*, now: datetime) -> list[tuple[str, str, str]]:
    """Return (what, how it is, tone) of the node, as the watcher saw it last: the page asks no network."""
    chain = WatchedChain.objects.filter(pk=1).first()
    if chain is None or chain.asked_at is None:
        return [("Node", "never answered", "bad")]
    silent = now - chain.asked_at
    halted = outgoing.halted()
    return [
        ("Answered", f"{ago(silent)} ago", "bad" if silent > _NODE_SILENT else "good"),
        ("Network", chain.network, ""),
        ("Height", f"{chain.tip_height or 0:,}", ""),
        ("Sending", "halted: manage.py reconcile" if halted else "goes on", "bad" if halted else "good"),
    ]


def _vendors(found: Figures) -> list[Vendor]:
    most = max((each.amount for each in found.vendors), default=Decimal(0)) or Decimal(1)
    return [
        Vendor(
            name=each.name or each.slug,
            client=each.client,
            amount=_amount(each.amount, each.asset),
            hours=f"{Decimal(each.streamed_ms) / _MS_PER_HOUR:,.1f}",
            width=round(float(100 * each.amount / most), 1),
            url=reverse("admin:sessions_app_vendor_change", args=[each.vendor_id]),
        )
        for each in found.vendors
    ]


def _amount(amount: Decimal, asset: str) -> str:
    return f"{amount / _ZAT:,.3f} ZEC" if asset == "ZEC" else f"{amount:,} {asset}"
