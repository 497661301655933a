"""Pure rules of notices: when a permission's viewer is warned, and which events become mails."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

EXPIRY_LEADS: Mapping[str, timedelta] = {
    "expires_in_72h": timedelta(hours=72),
    "expires_in_24h": timedelta(hours=24),
    "expires_in_1h": timedelta(hours=1),
}
"""How long before its last instant a permission is said to expire; of several only the last is told."""

REMAINING_SHARE = ("remaining_20_percent", 20)
"""At which share of what was paid, in percent, little is left."""

TIME_TO_TOP_UP = "time_to_top_up"
"""The rule that fires while a top-up can still be confirmed before the money ends at today's burn rate."""


class MailStatus(StrEnum):
    """What a mail can be."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"  # refused for good, or tried for too long
    UNWANTED = "unwanted"  # its reader has unsubscribed meanwhile


MAILED = (
    "permission.low_balance",
    "permission.expiring",
    "permission.expired",
    "permission.exhausted",
    "refund.sent",
)
# A warning that comes a day late is none.
MAIL_LIFE = timedelta(hours=24)
_FIRST_RETRY = timedelta(minutes=1)
_LONGEST_RETRY = timedelta(hours=2)


def mail_retry(attempts: int) -> timedelta:
    """Return after which time a mail that failed so often is tried again."""
    return min(_LONGEST_RETRY, _FIRST_RETRY * (1 << min(attempts, 10)))
