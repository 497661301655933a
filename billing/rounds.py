"""The rounds of upkeep as Celery and `manage.py bill` both call them: one function each, safe twice."""

import os
import socket
import time
from datetime import timedelta
from typing import NamedTuple

import structlog
from django.conf import settings

from billing import (
    expiry,
    funding,
    interval,
    mails,
    notices,
    outgoing,
    payouts,
    reconciliation,
    refunds,
    sends,
    statistics,
)
from billing.errors import SendsHalted
from billing.models import IntervalRun, WalletSend
from core import clock, db, idempotency, publisher
from core.webhooks import attempts
from zcash import permissions, watch
from zcash.history import leaves, seals
from zcash.models import WatchedChain
from zcash.node import connect
from zcash.node.port import NodeRefused, NodeUnavailable

# What another engine has settled within this share of an interval is not settled again.
_FRESH_SHARE = 0.75
# For how long one round sends mails, while there are some.
_MAILS_SECONDS = 30.0

log = structlog.get_logger(__name__)


class Lateness(NamedTuple):
    """Seconds since the last finished interval began (None: there was none), whether that is too long, and
    how many permissions it could not bill."""

    seconds: float | None
    late: bool
    put_aside: int


def engine_name() -> str:
    """Return a name under which an operator finds this process (`host:pid`)."""
    return f"{socket.gethostname()}:{os.getpid()}"


def interval_round() -> IntervalRun:
    """Settle every permission with open transactions.

    Raises:
        ClockSkew: this machine's clock is wrong; nothing was billed by it.
    """
    clock.require_no_skew()
    run = interval.run_interval(
        now=clock.now(),
        engine=engine_name(),
        chunk_size=settings.BILLING_CHUNK_SIZE,
        fresh_for=timedelta(seconds=settings.BILLING_INTERVAL_SECONDS) * _FRESH_SHARE,
    )
    log.info("interval", permissions=run.permissions, events=run.events, put_aside=len(run.put_aside))
    return run


def expiry_round() -> int:
    """End every permission whose time is over; return how many."""
    clock.require_no_skew()
    return expiry.run(now=clock.now())


def deposit_round(*, insist: bool = False) -> int | None:
    """Look for payments and credit them; return how many permissions were credited, None without a node.

    While another process does it this one does nothing, unless it insists: two passes ask the node twice and
    do no harm, and a process that stands still must not keep everybody from looking.
    """
    clock.require_no_skew()
    try:
        with db.alone("deposit round") as first:
            return funding.scan_and_credit(wallet=connect(), read_clock=clock.now) if first or insist else 0
    except (NodeUnavailable, NodeRefused) as error:
        log.warning(
            "deposit_scan_without_node",
            reason=str(error),
            advice="deposits are found when the node is back; check ZCASH_RPC_URL, user and password",
        )
        return None


def refund_round() -> int | None:
    """Queue what is to be refunded, follow what was sent, send the refunds and payouts that are due.

    Returns how many were queued or moved; None without a node, or while sending is halted. One
    process at a time does it; that the account has one send in flight at most is the database's rule besides.
    """
    clock.require_no_skew()
    queued = refunds.queue_due(now=clock.now()) + refunds.requeue_failed(now=clock.now())
    queued += payouts.requeue_failed(now=clock.now())
    try:
        with db.alone("wallet sends") as first:
            if not first:
                return queued
            moved = sends.follow_all(wallet=connect(), now=clock.now())
            sent = _send_next()
    except (NodeUnavailable, NodeRefused) as error:
        log.warning("refund_round_without_node", reason=str(error), advice="refunds go out when it is back")
        return None
    except SendsHalted as error:
        log.warning("refund_round_halted", reason=str(error), advice="manage.py reconcile")
        return None
    return queued + moved + (sent is not None)


def _send_next() -> WalletSend | None:
    """Send refunds or payouts, in turns where both wait: one transaction is in flight at a time."""
    turns = [refunds.send_next, payouts.send_next]
    if sends.last_paid_refunds():
        turns.reverse()
    for send_next in turns:
        if sent := send_next(wallet=connect(), read_clock=clock.now):
            return sent
    return None


def payout_sweep() -> int:
    """Queue the payouts of vendors whose turn it is; the round of refunds sends them."""
    clock.require_no_skew()
    return payouts.queue_due(now=clock.now())


def reconcile_round() -> bool | None:
    """Compare books, wallet and chain, and keep what was found; False: something is wrong.

    None while the node is away, or its word says nothing: it is syncing, or repairs its view.
    """
    clock.require_no_skew()
    try:
        wallet = connect()
        if watch.ready_status(wallet).locked:
            return None
        with db.alone("wallet sends") as first:
            searched = first and outgoing.look(wallet=wallet, now=clock.now())
            covered, found = reconciliation.compare(wallet=wallet, now=clock.now(), chain_searched=searched)
    except (NodeUnavailable, NodeRefused) as error:
        log.warning("reconciliation_without_node", reason=str(error), advice="it is tried again")
        return None
    found.save(force_insert=True)
    if not found.is_right:
        log.error("books_are_wrong", findings=found.findings, advice="manage.py reconcile")
    log.info("reconciled", owed=covered.owed_zat, holds=covered.holdings_zat, right=found.is_right)
    return found.is_right


def notice_round() -> int:
    """Warn of what is due, make the mails of what was published, send them; return how many warnings."""
    told = notices.run(now=clock.now())
    publisher.publish_all(now=clock.now())
    if settings.EMAIL_URL:
        while mails.queue(now=clock.now()) == mails.PAGE:
            continue
        until_s = time.monotonic() + _MAILS_SECONDS
        while mails.send_due(now=clock.now()) and time.monotonic() < until_s:
            continue
    return told


def history_round() -> None:
    """Make the audit log's partitions of the time ahead, seal those that closed, archive what is old.

    What idempotency keys were answered a week ago is forgotten, old requests to webhooks, and who was told by
    mail of permissions that ended long ago.
    """
    clock.require_no_skew()
    leaves.create_ahead(now=clock.now())
    seals.seal_closed(now=clock.now())
    leaves.archive(now=clock.now(), retention=timedelta(days=settings.AUDIT_SETTLEMENT_RETENTION_DAYS))
    idempotency.forget_old(now=clock.now())
    attempts.forget_old(now=clock.now())
    permissions.forget_mail_addresses(now=clock.now())


def statistics_round() -> bool:
    """Bring the dashboard's statistics up to date; False where somebody just did, or does."""
    fresh = timedelta(seconds=settings.STATISTICS_SECONDS) * _FRESH_SHARE
    with db.alone("statistics") as first:
        last = statistics.counted_at()
        if not first or (last is not None and clock.now() - last < fresh):
            return False
        statistics.bring_up_to_date(now=clock.now())
    return True


def lateness() -> Lateness:
    """Return how late billing is, from the database: whoever runs the interval, and whether anybody does."""
    latest = _latest_run()
    if latest is None:
        return Lateness(None, late=True, put_aside=0)
    seconds = (clock.now() - latest.started_at).total_seconds()
    late = seconds > grace_seconds(settings.BILLING_INTERVAL_SECONDS)
    return Lateness(seconds, late=late, put_aside=len(latest.put_aside))


def is_my_turn() -> bool:
    """Whether a watcher should run the interval: nobody else did in time, or it has taken over already."""
    latest = _latest_run()
    if latest is None or latest.engine != engine_name():
        return lateness().late
    period = timedelta(seconds=settings.BILLING_INTERVAL_SECONDS)
    return clock.now() - latest.started_at >= period


def _latest_run() -> IntervalRun | None:
    return IntervalRun.objects.exclude(finished_at=None).order_by("-started_at").first()


def scan_is_late() -> bool:
    """Whether nobody has looked at the chain for longer than the setting asks."""
    asked_at = WatchedChain.objects.filter(pk=1).values_list("asked_at", flat=True).first()
    allowed = timedelta(seconds=grace_seconds(settings.DEPOSIT_SCAN_SECONDS))
    return asked_at is None or clock.now() - asked_at > allowed


def grace_seconds(period_seconds: int) -> float:
    """Return after how long something that runs every so often counts as late."""
    return period_seconds * 1.5 + 5
