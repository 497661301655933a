"""Pure rules of spending permissions and deposits: states and who may follow whom."""

from enum import StrEnum


class PermissionStatus(StrEnum):
    """What a spending permission can be."""

    PENDING = "pending"  # waits for its payment
    QUEUED = "queued"  # paid, behind the active one of the same wallet
    ACTIVE = "active"  # pays for sessions
    EXHAUSTED = "exhausted"  # nothing left; a credit revives it
    SUSPENDED = "suspended"  # on hold
    EXPIRED = "expired"  # past `expires_at`
    REVOKED = "revoked"  # withdrawn by its owner, the client or an operator
    LAPSED = "lapsed"  # not paid within the window


class DepositStatus(StrEnum):
    """What a received output can be."""

    SEEN = "seen"  # in the mempool or in too few blocks
    CONFIRMED = "confirmed"  # credited
    REVERSED = "reversed"  # was credited, and is no longer on the best chain


class AuditAction(StrEnum):
    """Why a row of the audit log was written."""

    CREATED = "created"
    CREDITED = "credited"
    ACTIVATED = "activated"
    QUEUED = "queued"
    SETTLED = "settled"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    LAPSED = "lapsed"


_P = PermissionStatus
PERMISSION_TRANSITIONS: dict[PermissionStatus, frozenset[PermissionStatus]] = {
    _P.PENDING: frozenset({_P.ACTIVE, _P.QUEUED, _P.LAPSED, _P.REVOKED}),
    _P.QUEUED: frozenset({_P.ACTIVE, _P.EXPIRED, _P.REVOKED}),
    _P.ACTIVE: frozenset({_P.EXHAUSTED, _P.EXPIRED, _P.REVOKED, _P.SUSPENDED}),
    _P.EXHAUSTED: frozenset({_P.ACTIVE, _P.QUEUED, _P.EXPIRED, _P.REVOKED}),
    _P.SUSPENDED: frozenset({_P.ACTIVE, _P.QUEUED, _P.EXHAUSTED, _P.EXPIRED, _P.REVOKED}),
    _P.EXPIRED: frozenset(),
    _P.REVOKED: frozenset(),
    _P.LAPSED: frozenset(),
}

DEPOSIT_TRANSITIONS: dict[DepositStatus, frozenset[DepositStatus]] = {
    DepositStatus.SEEN: frozenset({DepositStatus.CONFIRMED}),
    DepositStatus.CONFIRMED: frozenset({DepositStatus.REVERSED}),
    DepositStatus.REVERSED: frozenset({DepositStatus.SEEN}),
}

# Which states still end at `expires_at`; their addresses are looked at on every new block.
EXPIRING = (_P.ACTIVE, _P.QUEUED, _P.EXHAUSTED, _P.SUSPENDED)
WATCHED = (_P.PENDING, *EXPIRING)
CLOSED = (_P.EXPIRED, _P.REVOKED, _P.LAPSED)

# The audit action that each entered state is logged as.
ENTERED = {
    _P.ACTIVE: AuditAction.ACTIVATED,
    _P.QUEUED: AuditAction.QUEUED,
    _P.EXHAUSTED: AuditAction.EXHAUSTED,
    _P.EXPIRED: AuditAction.EXPIRED,
    _P.REVOKED: AuditAction.REVOKED,
    _P.SUSPENDED: AuditAction.SUSPENDED,
    _P.LAPSED: AuditAction.LAPSED,
}
