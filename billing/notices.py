"""Notices: warns once for each rule and period of what is due and was not told yet, also after an outage.

A notice is an event (`permission.expiring`, `permission.low_balance`): webhooks, streams, mails come of it.
"""

import json
from datetime import datetime

from billing import notice_sql
from billing.notice_rules import EXPIRY_LEADS, REMAINING_SHARE, TIME_TO_TOP_UP
from core import db
from zcash import confirmations


def run(*, now: datetime) -> int:
    """Tell of everything that is due by now; return how many warnings were told."""
    leads = [{"rule": rule, "lead_s": int(lead.total_seconds())} for rule, lead in EXPIRY_LEADS.items()]
    share_rule, percent = REMAINING_SHARE
    with db.operation():
        (expiring,) = db.row(notice_sql.EXPIRING, {"leads": json.dumps(leads), "now": now})
    with db.operation():
        (low,) = db.row(
            notice_sql.LOW,
            {
                "now": now,
                "percent": percent,
                "share_rule": share_rule,
                "time_rule": TIME_TO_TOP_UP,
                "top_up_s": confirmations.credit_seconds(confirmations.base_confirmations()),
            },
        )
    return int(expiring + low)
