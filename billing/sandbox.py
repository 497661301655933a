"""The sandbox's clock: time goes on, and what time alone brings about happens, by the usual code."""

from datetime import UTC, datetime, timedelta

from billing import rounds
from core import clock, db, idempotency
from core.errors import Conflict
from core.idempotency import Receipt
from zcash.node import simulation
from zcash.node.port import WalletPort

# Dates of a century ahead still fit everywhere; a sandbox has no use for more.
_END_OF_TIME = datetime(2126, 1, 1, tzinfo=UTC)


class ClockTooFar(Conflict):
    """The sandbox's clock would leave the time that it has."""

    code = "clock_too_far"
    title = "The sandbox's time ends before that"


def advance(by: timedelta, *, wallet: WalletPort, now: datetime, receipt: Receipt | None = None) -> datetime:
    """Move the clock of every process forward, run the rounds that are due then, and return the new time.

    Raises:
        SandboxOff: this is no sandbox, or its chain is no test chain.
        NodeUnavailable: which chain it is cannot be asked; the clock stands as it did.
        ClockTooFar, KeyInFlight, KeyReused.
    """
    simulation.require_test_chain(wallet)
    with db.operation():
        if receipt and (stored := idempotency.claim(receipt, now=now)):
            return datetime.fromisoformat(stored["now"])
        if now + by > _END_OF_TIME:
            raise ClockTooFar(f"time ends {_END_OF_TIME.date()} here: start a fresh sandbox")
        advanced = clock.advance(by // clock.MS)
        if receipt:
            idempotency.store(receipt, {"now": advanced.isoformat()}, now=now)
    rounds.expiry_round()
    rounds.interval_round()
    return advanced
