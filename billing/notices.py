"""Notices: warns once for each rule and period of what is due and was not told yet, also after an outage.

A notice is an event (`permission.expiring`, `permission.low_balance`): webhooks, streams, mails come of it.
"""

import json
from datetime import datetime

from billing import notice_sql
from billing.notice_rules import EXPIRY_LEADS, REMAINING_SHARE, TIME_TO_TOP_UP
from core import clock, db
from zcash import confirmations
from zcash.rules import EXPIRING

# What was settled longer ago than this runs no more.
_YEAR_SECONDS = 366 * 24 * 3600


def run(*, now: datetime) -> int:
    """Tell of everything that is due by now; return how many warnings were told."""
    share_rule, _ = REMAINING_SHARE
    with db.operation():
        (expiring,) = db.row(notice_sql.EXPIRING, {"leads": _leads(), "now": now})
    with db.operation():
        rules = {"share_rule": share_rule, "time_rule": TIME_TO_TOP_UP}
        (low,) = db.row(notice_sql.LOW, {"now": now, **rules, **_lows()})
    return int(expiring + low)


def next_stop(*, now: datetime, until: datetime) -> datetime | None:
    """Return when, within a time, the next notice is due as things stand, or something ends; None: not in it.

    A clock that is moved from one to the next jumps over nothing that would have been told.
    """
    bounds = {"now": now, "until": until, "most_s": int((until - now).total_seconds()) + _YEAR_SECONDS}
    (at,) = db.row(notice_sql.NEXT_STOP, {"leads": _leads(), "expiring": list(EXPIRING), **bounds, **_lows()})
    # The clock has whole milliseconds, and must not stop before it.
    return None if at is None else min(until, clock.cut(at + clock.MS))


def _leads() -> str:
    leads = [{"rule": rule, "lead_s": int(lead.total_seconds())} for rule, lead in EXPIRY_LEADS.items()]
    return json.dumps(leads)


def _lows() -> dict[str, int]:
    """Return at how many percent, and how long before its end at today's rate, money is low."""
    _, percent = REMAINING_SHARE
    top_up_s = confirmations.credit_seconds(confirmations.base_confirmations())
    return {"percent": percent, "top_up_s": top_up_s}
