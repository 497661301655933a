"""Pure rules of permissions and deposits: states, who may follow whom, how deep is deep enough."""

from collections.abc import Mapping
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
    GONE = "gone"  # never credited, and can never be mined: expired, or its money was spent elsewhere


class SuspensionReason(StrEnum):
    """Why a permission is on hold."""

    REVERSAL = "reversal"  # a payment left the chain; lifts by itself when enough is credited again
    HOLD = "hold"  # an operator's; lifted by an operator


class AuditAction(StrEnum):
    """Why a row of the audit log was written."""

    CREATED = "created"
    CREDITED = "credited"
    REVERSED = "reversed"
    REFUND_QUEUED = "refund_queued"
    REFUND_CANCELLED = "refund_cancelled"
    SHORTFALL_COVERED = "shortfall_covered"
    REFUND_ADDRESS_CHANGED = "refund_address_changed"
    ACTIVATED = "activated"
    QUEUED = "queued"
    SETTLED = "settled"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    LAPSED = "lapsed"
    EXTENDED = "extended"


# No permission may ask for more sessions at once.
MOST_SESSIONS = 1000

_P = PermissionStatus
PERMISSION_TRANSITIONS: dict[PermissionStatus, frozenset[PermissionStatus]] = {
    _P.PENDING: frozenset({_P.ACTIVE, _P.QUEUED, _P.LAPSED, _P.REVOKED}),
    # A queued one can lose its payment to a reorg as an active one can.
    _P.QUEUED: frozenset({_P.ACTIVE, _P.EXPIRED, _P.REVOKED, _P.SUSPENDED}),
    _P.ACTIVE: frozenset({_P.EXHAUSTED, _P.EXPIRED, _P.REVOKED, _P.SUSPENDED}),
    _P.EXHAUSTED: frozenset({_P.ACTIVE, _P.QUEUED, _P.EXPIRED, _P.REVOKED}),
    _P.SUSPENDED: frozenset({_P.ACTIVE, _P.QUEUED, _P.EXHAUSTED, _P.EXPIRED, _P.REVOKED}),
    _P.EXPIRED: frozenset(),
    _P.REVOKED: frozenset(),
    _P.LAPSED: frozenset(),
}

DEPOSIT_TRANSITIONS: dict[DepositStatus, frozenset[DepositStatus]] = {
    DepositStatus.SEEN: frozenset({DepositStatus.CONFIRMED, DepositStatus.GONE}),
    DepositStatus.CONFIRMED: frozenset({DepositStatus.REVERSED}),
    DepositStatus.REVERSED: frozenset({DepositStatus.SEEN}),
    # The mempool is not the chain: a block may bring back what a node had given up.
    DepositStatus.GONE: frozenset({DepositStatus.SEEN}),
}

# What counts as received.
ARRIVED = (DepositStatus.SEEN, DepositStatus.CONFIRMED)

# How deep a credited deposit is checked, and for how long money counts as young (blocks).
FINAL_DEPTH = 100
# How far behind its last look the watcher looks again (blocks): deeper than any reorg it corrects.
LOOK_BACK = 120

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


def required_confirmations(young_zat: int, *, base: int, tiers: Mapping[int, int]) -> int:
    """Return how many confirmations a permission's deposits need.

    Args:
        young_zat: what the permission has received in the last `FINAL_DEPTH` blocks, in zatoshis. The sum
            decides, not the single deposit: splitting a payment does not help.
        base: what every deposit needs.
        tiers: from how many zatoshis on how many are needed.
    """
    return max([base, *(confirmations for from_zat, confirmations in tiers.items() if young_zat >= from_zat)])
