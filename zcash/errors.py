"""What can go wrong with spending permissions and deposits."""

from core.errors import Conflict, Gone, Invalid, NotFound, PaymentRequired


class PermissionNotFound(NotFound):
    """No such spending permission for this client."""

    code = "permission_not_found"
    title = "No such permission"


class NoActivePermission(NotFound):
    """The wallet has no active spending permission at this client."""

    code = "no_active_permission"
    title = "This wallet has no active permission"


class AddressInvalid(Invalid):
    """The text is not an address that this service accepts."""

    code = "address_invalid"
    title = "Not a valid address"


class LimitExceeded(Invalid):
    """An amount or a duration is outside of the operator's limits."""

    code = "limit_exceeded"
    title = "Outside of the limits"


class WrongPermissionState(Conflict):
    """The permission is in a state that does not allow this."""

    code = "permission_wrong_state"
    title = "The permission's state does not allow this"


class PermissionGone(Gone):
    """The permission expired, was revoked, or lapsed unpaid."""

    code = "permission_gone"
    title = "The permission has ended"


class PermissionRequired(PaymentRequired):
    """The wallet has no spending permission at this client."""

    code = "permission_required"
    title = "A spending permission is required"


class PermissionPending(PaymentRequired):
    """The wallet's permission waits for its payment."""

    code = "permission_pending"
    title = "The permission is not paid yet"


class PermissionSuspended(PaymentRequired):
    """The wallet's permission is on hold."""

    code = "permission_suspended"
    title = "The permission is suspended"


class PermissionExhausted(PaymentRequired):
    """The wallet's permission is used up."""

    code = "permission_exhausted"
    title = "The permission is used up"


class PermissionExpired(PaymentRequired):
    """The wallet's permission is past its last day."""

    code = "permission_expired"
    title = "The permission has expired"


class WrongDepositState(Conflict):
    """The deposit is in a state that does not allow this."""

    code = "deposit_wrong_state"
    title = "The deposit's state does not allow this"
