"""More days for a permission, on an operator's word."""

from datetime import datetime

from django.conf import settings

from billing import expiry, metering, operators
from billing.operator_rules import Verb
from billing.operators import Word
from core import db
from core.errors import Conflict
from zcash import permissions
from zcash.errors import LimitExceeded, PermissionGone
from zcash.models import SpendingPermission
from zcash.rules import CLOSED, PermissionStatus


def extend(permission_id: int, *, days: int, last_day: str, word: Word, now: datetime) -> SpendingPermission:
    """Move the last day of a permission that has not ended; sessions that run go on for longer.

    `last_day` (ISO 8601) is the one that the operator has seen: who asks twice for the same moves it once.

    Raises:
        Conflict: it has another last day by now.
        PermissionGone: it has ended: nothing brings it back.
        LimitExceeded: it would live for longer than a permission may.
    """
    return db.again(lambda: _extend_once(permission_id, days=days, last_day=last_day, word=word, now=now))


def _extend_once(
    permission_id: int, *, days: int, last_day: str, word: Word, now: datetime
) -> SpendingPermission:
    with db.operation():
        permission, _ = expiry.lock_current(permission_id, now=now)
        if permission.status in CLOSED:
            raise PermissionGone(f"the permission is {permission.status}")
        if permission.expires_at.isoformat() != last_day:
            raise Conflict(
                f"it lasts until {permission.expires_at:%Y-%m-%d %H:%M} UTC by now: open the page again, and "
                "decide then"
            )
        longest = settings.MAX_PERMISSION_DURATION_DAYS - permission.duration_days
        if not 1 <= days <= longest:
            raise LimitExceeded(f"must be between 1 and {max(longest, 0)}", field="days")
        permissions.extend(permission, days=days, now=now, actor=word.actor, details=word.details)
        if permission.status == PermissionStatus.ACTIVE:
            # What ended at the old last day runs until the new one.
            metering.note_money(permission)
        operators.note(word, Verb.EXTEND, permission=permission, now=now, details={"days": days})
    return permission
