"""What can go wrong when money meets the meter."""

from core.errors import Conflict, PaymentRequired
from zcash.errors import PermissionExhausted


class RateExceedsPermission(PaymentRequired):
    """The vendor is dearer than the permission's owner agreed to."""

    code = "rate_exceeds_permission"
    title = "The vendor's price is above the permission's rate"


class RateExceedsAuthorization(PaymentRequired):
    """The vendor is dearer in the token than what the viewer has signed."""

    code = "rate_exceeds_authorization"
    title = "The vendor's price is above the rate that was signed"


class InsufficientFunding(PermissionExhausted):
    """What remains does not pay for the shortest session: for a start, the permission is used up."""


class AuthorizationRequired(PaymentRequired):
    """An Ethereum wallet without an authorisation that has been signed."""

    code = "authorization_required"
    title = "The wallet has no authorisation here"


class AuthorizationSuspended(PaymentRequired):
    """A collection failed: what is owed comes first."""

    code = "authorization_suspended"
    title = "The authorisation is suspended"


class AuthorizationExhausted(PaymentRequired):
    """Its limit, allowance or balance is used up, or more is owed than may be."""

    code = "authorization_exhausted"
    title = "Nothing is left of the authorisation"


class AuthorizationExpired(PaymentRequired):
    """Its last day is over."""

    code = "authorization_expired"
    title = "The authorisation has expired"


class RefundUnderWay(Conflict):
    """The refund has been handed to the wallet: its address cannot change any more."""

    code = "refund_under_way"
    title = "The refund is already under way"


class SendsHalted(Conflict):
    """The wallet has paid what the database does not know: nothing is sent until it is explained."""

    code = "sends_halted"
    title = "Sending is halted"


class PayoutUnderWay(Conflict):
    """An earlier payout of the vendor is not over."""

    code = "payout_under_way"
    title = "An earlier payout is under way"


class PayoutNotPossible(Conflict):
    """There is nothing that could be paid out, or nowhere to pay it to; `detail` says which."""

    code = "payout_not_possible"
    title = "Nothing can be paid out now"
