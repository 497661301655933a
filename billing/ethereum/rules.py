"""What an authorisation, a collection and a sent transaction can be, and how far a meter may run."""

from dataclasses import dataclass
from enum import StrEnum


class AuthorizationStatus(StrEnum):
    """What an Ethereum authorisation can be."""

    PENDING = "pending"  # not signed yet
    ACTIVE = "active"
    EXHAUSTED = "exhausted"  # all of its limit is charged
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUSPENDED = "suspended"  # a collection failed: its debt blocks it until it is paid


class CollectionStatus(StrEnum):
    """What the collection of a stretch of an authorisation's charges can be."""

    PENDING = "pending"  # about to be sent, or given back by a reorg
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"  # no answer: nonce and receipt will tell
    CONFIRMED = "confirmed"
    FAILED = "failed"  # the token did not move: the debt is kept


# Why a collection failed without any fault of its wallet: another transaction took the place of its own, or
# all of a batch was undone.
BLAMELESS = ("nonce_lost", "batch_reverted")
# Why one failed that was not collected by the instant until which the viewer has allowed it.
TOO_LATE = "too_late"
# Why one that is booked as confirmed has not arrived: a reorg deeper than what counts as final has undone it.
UNDONE_BY_REORG = "undone_by_reorg"
# Why an authorisation is suspended that owes nothing: the treasury got less than the wallet gave.
KEEPS_FEE = "token_keeps_fee"


class ChainSendStatus(StrEnum):
    """What a transaction of the service's key can be; its nonce is never given to another."""

    SIGNED = "signed"  # in the journal; whether a node has it is not known
    SENT = "sent"  # a node has taken it
    MINED = "mined"  # in a block that a reorg may still take away
    CONFIRMED = "confirmed"  # deep enough; it succeeded
    REVERTED = "reverted"  # deep enough; it moved nothing
    LOST = "lost"  # its nonce went to a transaction of somebody else's: it never happens


class PermitStatus(StrEnum):
    """How far a signed permit is."""

    WAITING = "waiting"  # until the wallet has what a first collection takes
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"  # the viewer has to approve the spender instead


class Binding(StrEnum):
    """Which of the four bounds what may still be charged."""

    LIMIT = "limit"
    ALLOWANCE = "allowance"
    BALANCE = "balance"
    CEILING = "debt_ceiling"


_A = AuthorizationStatus
AUTHORIZATION_TRANSITIONS: dict[AuthorizationStatus, frozenset[AuthorizationStatus]] = {
    _A.PENDING: frozenset({_A.ACTIVE, _A.EXPIRED, _A.REVOKED}),
    _A.ACTIVE: frozenset({_A.EXHAUSTED, _A.EXPIRED, _A.REVOKED, _A.SUSPENDED}),
    # A collection of what it owes may still fail.
    _A.EXHAUSTED: frozenset({_A.EXPIRED, _A.REVOKED}),
    _A.SUSPENDED: frozenset({_A.ACTIVE, _A.EXHAUSTED, _A.EXPIRED, _A.REVOKED}),
    _A.EXPIRED: frozenset(),
    _A.REVOKED: frozenset(),
}

_C = CollectionStatus
COLLECTION_TRANSITIONS: dict[CollectionStatus, frozenset[CollectionStatus]] = {
    _C.PENDING: frozenset({_C.SUBMITTED, _C.UNKNOWN, _C.CONFIRMED, _C.FAILED}),
    _C.SUBMITTED: frozenset({_C.PENDING, _C.UNKNOWN, _C.CONFIRMED, _C.FAILED}),
    _C.UNKNOWN: frozenset({_C.PENDING, _C.SUBMITTED, _C.CONFIRMED, _C.FAILED}),
    _C.CONFIRMED: frozenset(),
    _C.FAILED: frozenset(),
}
# One of these at most for each authorisation at a time.
UNFINISHED_COLLECTION = (_C.PENDING, _C.SUBMITTED, _C.UNKNOWN)

_S = ChainSendStatus
CHAIN_SEND_TRANSITIONS: dict[ChainSendStatus, frozenset[ChainSendStatus]] = {
    _S.SIGNED: frozenset({_S.SENT, _S.MINED, _S.LOST}),
    _S.SENT: frozenset({_S.MINED, _S.LOST}),
    # Back to sent: a reorg took its block away.
    _S.MINED: frozenset({_S.SENT, _S.CONFIRMED, _S.REVERTED}),
    _S.CONFIRMED: frozenset(),
    _S.REVERTED: frozenset(),
    _S.LOST: frozenset(),
}
# What is followed until it is final.
FOLLOWED_CHAIN_SEND = (_S.SIGNED, _S.SENT, _S.MINED)

PERMIT_OF_SEND = {
    _S.SIGNED: PermitStatus.SENT,
    _S.SENT: PermitStatus.SENT,
    _S.MINED: PermitStatus.SENT,
    _S.CONFIRMED: PermitStatus.CONFIRMED,
    _S.REVERTED: PermitStatus.FAILED,
    # It is taken from the authorisation with that, and handed in anew.
    _S.LOST: PermitStatus.WAITING,
}

# What may run a meter, and what still owes or may come back.
LIVING_AUTHORIZATION = (_A.ACTIVE, _A.EXHAUSTED, _A.SUSPENDED)


@dataclass(frozen=True)
class Bound:
    """How far the running total of charges may go, and what holds it there."""

    cutoff_units: int
    binding: Binding


def cutoff(
    *, limit_units: int, taken_units: int, allowance_units: int, balance_units: int, ceiling_units: int
) -> Bound:
    """Return the running total at which the meter stops, from a reading of the chain.

    `taken_units` is how much of the running total the chain has already moved at the block of the reading:
    allowance and balance are what is left after that. The ceiling bounds what is charged and not yet taken.
    """
    bounds = [
        Bound(limit_units, Binding.LIMIT),
        Bound(taken_units + allowance_units, Binding.ALLOWANCE),
        Bound(taken_units + balance_units, Binding.BALANCE),
        Bound(taken_units + ceiling_units, Binding.CEILING),
    ]
    return min(bounds, key=lambda each: each.cutoff_units)


def ceiling(*, first_units: int, most_units: int, paid_units: int) -> int:
    """Return how much a wallet may owe: it starts small and grows with what it has paid."""
    return min(most_units, max(first_units, paid_units))
