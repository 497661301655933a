"""What can go wrong when money meets the meter."""

from core.errors import PaymentRequired
from zcash.errors import PermissionExhausted


class RateExceedsPermission(PaymentRequired):
    """The vendor is dearer than the permission's owner agreed to."""

    code = "rate_exceeds_permission"
    title = "The vendor's price is above the permission's rate"


class InsufficientFunding(PermissionExhausted):
    """What remains does not pay for the shortest session: for a start, the permission is used up."""
