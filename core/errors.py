"""Failure classes of the domain: a stable `code`, one kind each, no HTTP.

`paygo.api.problems` maps the kinds to problem documents (RFC 9457); tasks and commands print them.
"""

from typing import Any, ClassVar


class DomainError(Exception):
    """An anticipated failure: the caller can understand it and nothing was changed."""

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "The request could not be carried out"

    def __init__(self, detail: str = "", **context: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.context = context


class Invalid(DomainError):
    """A field has a value that cannot be accepted; `field` names it."""

    code = "invalid"
    title = "A field is not valid"

    def __init__(self, detail: str, *, field: str, **context: Any) -> None:
        super().__init__(detail, **context)
        self.field = field


class NotFound(DomainError):
    """The thing does not exist for this caller."""

    code = "not_found"
    title = "Not found"


class Forbidden(DomainError):
    """The caller is known, and may not do this."""

    code = "forbidden"
    title = "Not allowed"


class Conflict(DomainError):
    """The thing is in a state in which this cannot be done."""

    code = "conflict"
    title = "Not possible in this state"


class Gone(DomainError):
    """The thing has ended for good."""

    code = "gone"
    title = "It has ended"


class PaymentRequired(DomainError):
    """There is no money, or no permission, to fund this."""

    code = "payment_required"
    title = "A payment is required"


class Unprocessable(DomainError):
    """The request contradicts an earlier one."""

    code = "unprocessable"
    title = "The request contradicts an earlier one"


class Unavailable(DomainError):
    """Something PayGo needs is away for now; the same call may succeed later."""

    code = "unavailable"
    title = "Temporarily unavailable"
    retry_after_seconds: ClassVar[int] = 5


class Busy(Unavailable):
    """Another call holds what this one needs; nothing was changed."""

    code = "busy"
    title = "Busy, try again"
    retry_after_seconds = 1


class ClockSkew(Unavailable):
    """The machine's clock is too far from the database's to bill by it."""

    code = "clock_skew"
    title = "The clock of this machine is wrong"
