"""Pure rules of sessions: states, reasons to end, and the bounds of a session."""

from enum import StrEnum


class SessionStatus(StrEnum):
    """What a session can be."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a session ended."""

    ENDED_BY_CLIENT = "ended_by_client"
    EXHAUSTED = "exhausted"
    PERMISSION_EXPIRED = "permission_expired"
    PERMISSION_REVOKED = "permission_revoked"
    PERMISSION_SUSPENDED = "permission_suspended"
    HEARTBEAT_LOST = "heartbeat_lost"
    MAX_DURATION = "max_duration"
    SPENDING_CAP = "spending_cap"
    PAUSE_EXPIRED = "pause_expired"
    ENDED_BY_OPERATOR = "ended_by_operator"
    AUTHORIZATION_EXPIRED = "authorization_expired"
    AUTHORIZATION_REVOKED = "authorization_revoked"


class PayoutSchedule(StrEnum):
    """When a vendor is paid by itself what is available to it."""

    MANUAL = "manual"  # only when somebody asks for it
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


SESSION_TRANSITIONS: dict[SessionStatus, frozenset[SessionStatus]] = {
    SessionStatus.ACTIVE: frozenset({SessionStatus.PAUSED, SessionStatus.ENDED}),
    SessionStatus.PAUSED: frozenset({SessionStatus.ACTIVE, SessionStatus.ENDED}),
    SessionStatus.ENDED: frozenset(),
}

# What a retried call of a client may still be about.
OPEN = (SessionStatus.ACTIVE, SessionStatus.PAUSED)
