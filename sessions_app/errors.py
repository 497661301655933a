"""What can go wrong with vendors and sessions."""

from core.errors import Conflict, NotFound


class VendorNotFound(NotFound):
    """No such vendor for this client."""

    code = "vendor_not_found"
    title = "No such vendor"


class VendorExists(Conflict):
    """The client has a vendor of this id already."""

    code = "vendor_exists"
    title = "There is such a vendor already"


class SessionNotFound(NotFound):
    """No such session for this client."""

    code = "session_not_found"
    title = "No such session"


class SessionEnded(Conflict):
    """The session has ended; the record is final."""

    code = "session_ended"
    title = "The session has ended"


class SessionPaused(Conflict):
    """The session is paused: it goes on when it is resumed."""

    code = "session_paused"
    title = "The session is paused"


class SessionLimitReached(Conflict):
    """The wallet has as many open sessions as it may have."""

    code = "session_limit_reached"
    title = "Too many sessions at once"
