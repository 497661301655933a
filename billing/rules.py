"""The metering formula and what follows from it: pure integers, milliseconds since the epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.amounts import MS_PER_HOUR, div_ceil, div_floor


class TransactionStatus(StrEnum):
    """What a transaction can be."""

    OPEN = "open"  # runs
    # The rest of a token's life, from the end to its collection; prepaid ZEC is confirmed at once.
    PENDING = "pending"  # has ended and is not collected yet
    UNKNOWN = "unknown"  # sent, and no answer
    SUBMITTED = "submitted"  # sent
    FAILED = "failed"  # the token did not move: it is still owed
    CONFIRMED = "confirmed"  # final: paid


class SendStatus(StrEnum):
    """What an outgoing transaction of the wallet can be."""

    SENDING = "sending"  # handed to the wallet, or about to be
    UNKNOWN = "unknown"  # no answer: never sent again before the chain has told
    SENT = "sent"  # the wallet has named its txids
    CONFIRMED = "confirmed"  # deep enough
    FAILED = "failed"  # definitely not paid


class RefundStatus(StrEnum):
    """What a refund can be: it waits, then follows the transaction that pays it."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"  # the money is kept; it may be tried again
    CANCELLED = "cancelled"  # never sent; the money went back to the permission


class RefundCause(StrEnum):
    """Why money goes back to a viewer."""

    EXPIRED = "expired"
    REVOKED = "revoked"
    LAPSED = "lapsed"  # partial money of a permission that was never paid whole


_S = SendStatus
SEND_TRANSITIONS: dict[SendStatus, frozenset[SendStatus]] = {
    _S.SENDING: frozenset({_S.SENT, _S.FAILED, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.SENT, _S.FAILED}),
    # A transaction that was not mined in time never will be (ZIP-203).
    _S.SENT: frozenset({_S.CONFIRMED, _S.FAILED}),
    _S.CONFIRMED: frozenset(),
    _S.FAILED: frozenset(),
}

_R = RefundStatus
REFUND_TRANSITIONS: dict[RefundStatus, frozenset[RefundStatus]] = {
    # Straight to sent: a transaction on the chain that a database restored from a backup has forgotten.
    _R.QUEUED: frozenset({_R.SENDING, _R.SENT, _R.CANCELLED}),
    _R.SENDING: frozenset({_R.SENT, _R.FAILED, _R.UNKNOWN}),
    _R.UNKNOWN: frozenset({_R.SENT, _R.FAILED}),
    _R.SENT: frozenset({_R.CONFIRMED, _R.FAILED}),
    _R.CONFIRMED: frozenset(),
    _R.FAILED: frozenset({_R.QUEUED, _R.SENT, _R.CANCELLED}),
    _R.CANCELLED: frozenset(),
}

# Not handed to the wallet, or handed back by it.
WAITING_REFUND = (_R.QUEUED, _R.FAILED)
UNDER_WAY_REFUND = (_R.SENDING, _R.UNKNOWN, _R.SENT)
# One of these at most for each permission at a time.
UNFINISHED_REFUND = (_R.QUEUED, *UNDER_WAY_REFUND)
# What is followed until it is final.
FOLLOWED_SEND = (_S.SENDING, _S.UNKNOWN, _S.SENT)
# One of these at most for each account of the wallet: notes are not locked by every wallet.
IN_FLIGHT_SEND = (_S.SENDING, _S.UNKNOWN)

_T = TransactionStatus
TRANSACTION_TRANSITIONS: dict[TransactionStatus, frozenset[TransactionStatus]] = {
    _T.OPEN: frozenset({_T.CONFIRMED, _T.PENDING}),
    _T.PENDING: frozenset({_T.SUBMITTED, _T.UNKNOWN, _T.CONFIRMED, _T.FAILED}),
    # Back to pending: a reorg took its collection away.
    _T.UNKNOWN: frozenset({_T.PENDING, _T.SUBMITTED, _T.CONFIRMED, _T.FAILED}),
    _T.SUBMITTED: frozenset({_T.PENDING, _T.UNKNOWN, _T.CONFIRMED, _T.FAILED}),
    _T.FAILED: frozenset({_T.PENDING, _T.SUBMITTED, _T.CONFIRMED}),
    _T.CONFIRMED: frozenset(),
}


@dataclass(frozen=True)
class Meter:
    """What the formula needs of an open transaction; `id` is its primary key.

    Everything from here on is in smallest units of what pays: zatoshis, or a token's; `rate` is an hour's.
    """

    id: int
    rate: int
    started_ms: int
    until_ms: int

    def amount(self, at_ms: int) -> int:
        """Return what was used from the start to an instant: a pure function of it."""
        elapsed_ms = max(0, min(at_ms, self.until_ms) - self.started_ms)
        return div_floor(self.rate * elapsed_ms, MS_PER_HOUR)


def longest_ms(rate: int, *, amount: int) -> int:
    """Return the last whole millisecond at which a running total is still at most an amount.

    Cutting a stretch in two never makes it shorter: floor(a) + floor(b) <= floor(a + b). So what a capped
    session takes along to its next transaction always pays for as long as the last one would have run.
    """
    return div_floor((amount + 1) * MS_PER_HOUR - 1, rate)


def bound_ms(started_ms: int, *, rate: int, own_bound_ms: int, max_amount: int | None) -> int:
    """Return until when a transaction may be billed: its session's own bound, and what it may cost."""
    if max_amount is None:
        return own_bound_ms
    return min(own_bound_ms, started_ms + longest_ms(rate, amount=max_amount))


def accrued(meters: Sequence[Meter], *, settled_ms: int, at_ms: int) -> int:
    """Return what the transactions used between two instants: differences of running totals."""
    return sum(meter.amount(at_ms) - meter.amount(settled_ms) for meter in meters)


def depletes_ms(meters: Sequence[Meter], *, remaining: int, settled_ms: int) -> int | None:
    """Return the first whole millisecond at which what is used reaches what remains, or None.

    One transaction has a closed form; several, each with its own start, rate and bound, are bisected.
    """
    if not meters:
        return None
    last_ms = max(meter.until_ms for meter in meters)
    if accrued(meters, settled_ms=settled_ms, at_ms=last_ms) < remaining:
        return None
    if len(meters) == 1:
        return _depletes_alone_ms(meters[0], remaining=remaining, settled_ms=settled_ms)
    return _bisect_depletion_ms(meters, remaining=remaining, settled_ms=settled_ms, last_ms=last_ms)


def depletion_amounts(
    meters: Sequence[Meter], *, remaining: int, settled_ms: int, depleted_ms: int
) -> dict[int, int]:
    """Return each transaction's final amount where the money ends at `depleted_ms`, by primary key.

    Each has its amount one millisecond earlier; what is then left is handed out in primary-key order, each
    up to its own gain in that last millisecond. The parts add up to `remaining` exactly.
    """
    before_ms = depleted_ms - 1
    left = remaining - accrued(meters, settled_ms=settled_ms, at_ms=before_ms)
    amounts = {}
    for meter in sorted(meters, key=lambda each: each.id):
        base = meter.amount(before_ms)
        part = min(left, meter.amount(depleted_ms) - base)
        left -= part
        amounts[meter.id] = base + part
    assert left == 0, "the last millisecond covers what was left"
    return amounts


def _depletes_alone_ms(meter: Meter, *, remaining: int, settled_ms: int) -> int:
    target = meter.amount(settled_ms) + remaining
    return meter.started_ms + div_ceil(target * MS_PER_HOUR, meter.rate)


def _bisect_depletion_ms(meters: Sequence[Meter], *, remaining: int, settled_ms: int, last_ms: int) -> int:
    low_ms, high_ms = settled_ms, last_ms
    while high_ms - low_ms > 1:
        middle_ms = (low_ms + high_ms) // 2
        if accrued(meters, settled_ms=settled_ms, at_ms=middle_ms) >= remaining:
            high_ms = middle_ms
        else:
            low_ms = middle_ms
    return high_ms
