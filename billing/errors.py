"""What can go wrong when money meets the meter."""

from core.errors import PaymentRequired


class RateExceedsPermission(PaymentRequired):
    """The vendor is dearer than the permission's owner agreed to."""

    code = "rate_exceeds_permission"
    title = "The vendor's price is above the permission's rate"


class InsufficientFunding(PaymentRequired):
    """What remains does not pay for the shortest session."""

    code = "permission_exhausted"
    title = "What remains does not pay for a start"


class RolledOver(Exception):
    """The session moved to another funding source before its lock was held: start again."""
