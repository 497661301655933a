"""Who may vouch for large sums: nobody whose account, password or roles changed a moment ago.

Two approvals are worth two people only while one of them cannot make the other: whoever may make accounts,
set passwords or give roles could agree twice. So a change of an account costs it its voice for a while, in
which the others can see it.
"""

from datetime import datetime, timedelta

from django.conf import settings

from core.errors import Conflict
from core.models import User


def require_settled(operator_id: int, *, now: datetime) -> None:
    """Let an operator agree to something; a step of the approval.

    Raises:
        Conflict: the account, its password or its roles changed within `APPROVAL_ACCOUNT_AGE_HOURS`.
    """
    hours = settings.APPROVAL_ACCOUNT_AGE_HOURS
    changed_at = User.objects.values_list("rights_changed_at", flat=True).get(pk=operator_id)
    may_from = changed_at + timedelta(hours=hours)
    if hours and now < may_from:
        raise Conflict(
            f"your account, its password or its roles changed at {changed_at:%Y-%m-%d %H:%M} UTC: "
            f"you can approve from {may_from:%Y-%m-%d %H:%M} UTC on"
        )
