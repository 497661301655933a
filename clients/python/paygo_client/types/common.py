"""What calls of several kinds answer. Written by clients/generate.py: do not edit."""

from decimal import Decimal
from typing import Any, NotRequired, TypedDict


class FieldProblem(TypedDict):
    """What is wrong with one field."""

    code: str
    detail: str
    field: str


class ProblemDocument(TypedDict):
    """RFC 9457; `code` is stable, a 402 has members of its own that say what is missing."""

    code: str
    detail: str
    errors: NotRequired[list[FieldProblem]]
    instance: str
    request_id: str
    status: int
    title: str
    type: str


class TokenEarningsState(TypedDict):
    """What a vendor has earned in a token, in its smallest unit: `earned` less `fees` is the rest."""

    asset: str
    earned_units: str
    fees_units: str
    owed_units: str
    paid_units: str
    pending_units: str


class StretchState(TypedDict):
    """A stretch of a session on one permission."""

    duration_seconds: Decimal
    ended_at: str | None
    rate_per_hour: Decimal
    session_code: str
    started_at: str
    transaction_id: str


class StatementLine(TypedDict):
    """One movement of money."""

    amount: Decimal
    at: str
    balance: Decimal
    booked_at: str | None
    cause: dict[str, Any]
    kind: str
    stretch: StretchState | None


class StatementState(TypedDict):
    """A page of a statement; `opening` and the lines' amounts add up to `closing`."""

    account: str
    closing: Decimal
    lines: list[StatementLine]
    name: str
    next_after: int | None
    opening: Decimal
    since: str | None
    tokens: list[TokenEarningsState]
    until: str | None
