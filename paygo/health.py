"""Whether everything that PayGo needs works, asked of each part for real, with an answer within 2 s.

Parts are asked at the same time, each by a thread of its own, so that one that hangs delays nobody. While
one hangs nobody asks it again, and a report counts for 2 s: callers cannot hammer the node through it.
What is told names no address, user or message of another system; those are in the log.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import uuid4

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection

from billing import outgoing, reconciliation, refunds, rounds
from core import clock, db
from core import rounds as core_rounds
from paygo.celery import app as celery_app
from zcash import reorgs, watch
from zcash.node import connect, disconnect
from zcash.node.port import IndexUnusable, NodeNotReady, NodeUnavailable, WrongChain

log = structlog.get_logger(__name__)

# Two weeks of blocks at 75 seconds each, as zebrad itself warns.
_END_OF_SERVICE_BLOCKS = 14 * 24 * 3600 // 75
TIMEOUT_SECONDS = 2.0
FRESH_SECONDS = 2.0
_EVENTS_LATE_SECONDS = 60.0

Part = dict[str, Any]


class _Report(NamedTuple):
    made_at_s: float
    parts: Mapping[str, Part]


class _Check:
    """One check in flight; its thread may outlive the time-out, and ends with the process."""

    def __init__(self, name: str, ask: Callable[[], Part]) -> None:
        self._name = name
        self._ask = ask
        self._result: Part | None = None
        self._thread = threading.Thread(target=self._run, name=f"health-{name}", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def result(self, *, until_s: float) -> Part:
        """Return what the part says, at the latest at a time of the monotonic clock."""
        self._thread.join(max(0.0, until_s - time.monotonic()))
        return self._result or _failed(f"no answer within {TIMEOUT_SECONDS:g} s")

    def _run(self) -> None:
        try:
            self._result = self._ask()
        except Exception as error:  # noqa: BLE001  # whatever it is, the part does not work
            log.warning("health_check_failed", part=self._name, reason=str(error)[:500])
            self._result = _failed(_public_reason(error))
        finally:
            disconnect()
            connection.close()


_lock = threading.Lock()
_latest: _Report | None = None
_in_flight: dict[str, _Check] = {}


def report() -> Mapping[str, Part]:
    """Return each part's state: `ok`, `detail` where it is not, and what else is worth knowing."""
    global _latest
    with _lock:
        if _latest is None or time.monotonic() - _latest.made_at_s > FRESH_SECONDS:
            parts = _ask_all()
            _latest = _Report(time.monotonic(), parts)
        return _latest.parts


def forget() -> None:
    """Drop the last report, so that the next call asks every part."""
    global _latest
    _latest = None


def _ask_all() -> Mapping[str, Part]:
    for name, ask in PARTS.items():
        if name not in _in_flight or not _in_flight[name].is_running:
            _in_flight[name] = _Check(name, ask)
    until_s = time.monotonic() + TIMEOUT_SECONDS
    return {name: _in_flight[name].result(until_s=until_s) for name in PARTS}


def _database() -> Part:
    db.row("SELECT 1")
    return _fine()


def _cache() -> Part:
    key, value = "paygo-health", uuid4().hex
    cache.set(key, value, timeout=60)
    # Another process may have written in between: any answer is a sign of life.
    return _fine() if cache.get(key) is not None else _failed("it forgets what it is told")


def _broker() -> Part:
    with celery_app.connection_for_read() as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=int(TIMEOUT_SECONDS))
    return _fine()


def _node() -> Part:
    status = connect().status()
    # That the database is away is said of the database.
    with contextlib.suppress(DatabaseError):
        watch.require_own_chain(status)
    known: Part = {"height": status.height, "chain": status.chain}
    if status.end_of_service_height is not None:
        known["end_of_service_height"] = status.end_of_service_height
        if status.end_of_service_height - status.height < _END_OF_SERVICE_BLOCKS:
            return _failed("the node's software is about to stop by itself: upgrade it", **known)
    if status.locked:
        return _failed("the wallet is repairing its view: payments wait for it", **known)
    return _fine(**known) if status.synced else _failed(status.reason, **known)


def _wallet() -> Part:
    if not settings.ZCASH_SERVICE_WALLET:
        return _account()
    owned = connect().owns(settings.ZCASH_SERVICE_WALLET)
    return (
        _fine()
        if owned
        else _failed("ZCASH_SERVICE_WALLET is not an address of the account in ZCASH_ACCOUNT")
    )


def _account() -> Part:
    """Let the account derive its first address, which changes nothing: about half of all have none there."""
    with contextlib.suppress(IndexUnusable):
        connect().new_address(0)
    return _fine()


def _billing() -> Part:
    lateness = rounds.lateness()
    known = {
        "seconds_since_interval": lateness.seconds,
        "late": lateness.late,
        "put_aside": lateness.put_aside,
    }
    if lateness.late:
        return _failed("the billing interval is late", **known)
    if lateness.put_aside:
        return _failed("some permissions could not be billed: the log names them", **known)
    return _fine(**known)


def _deposits() -> Part:
    if rounds.scan_is_late():
        return _failed("nobody looks for payments, or the node is away")
    if lost := reorgs.lost().count():
        return _failed("credited payments have left the chain: see manage.py reversals", lost=lost)
    return _fine()


def _refunds() -> Part:
    if reason := outgoing.halted():
        log.warning("sends_halted", reason=reason)
        return _failed("sending is halted: see manage.py reconcile")
    waiting = refunds.waiting_too_long(now=clock.now())
    return _failed("refunds wait: the log says for what", waiting=waiting) if waiting else _fine()


def _events() -> Part:
    """Whether what happened can be read: a minute is many rounds."""
    oldest = core_rounds.oldest_unpublished()
    late_s = 0.0 if oldest is None else (clock.now() - oldest).total_seconds()
    return _failed("nobody publishes events") if late_s > _EVENTS_LATE_SECONDS else _fine()


def _books() -> Part:
    latest = reconciliation.latest()
    known = {"compared_at": latest and latest.at.isoformat()}
    if latest and not latest.is_right:
        return _failed("the books are wrong: see manage.py reconcile", **known)
    if reconciliation.is_overdue(now=clock.now()):
        return _failed(
            "the books are not compared: the worker's round does not run, or gets no answer", **known
        )
    return _fine(**known)


def _clock() -> Part:
    known = {"skew_seconds": round(clock.skew_seconds(), 3)}
    if abs(known["skew_seconds"]) > clock.MAX_SKEW_SECONDS:
        return _failed("this machine's clock differs from the database's: billing stands still", **known)
    return _fine(**known)


PARTS: Mapping[str, Callable[[], Part]] = {
    "database": _database,
    "cache": _cache,
    "broker": _broker,
    "node": _node,
    "wallet": _wallet,
    "billing": _billing,
    "deposits": _deposits,
    "refunds": _refunds,
    "events": _events,
    "books": _books,
    "clock": _clock,
}


def _fine(**known: Any) -> Part:
    return {"ok": True, **known}


def _failed(detail: str, **known: Any) -> Part:
    return {"ok": False, "detail": detail, **known}


def _public_reason(error: Exception) -> str:
    if isinstance(error, WrongChain):
        return "it follows another chain"
    if isinstance(error, NodeNotReady):
        return "it is not ready yet"
    if isinstance(error, NodeUnavailable):
        return "it cannot be asked"
    return "it does not work"
