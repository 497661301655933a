"""The sandbox's clock: time goes on, and what time alone brings about happens, by the usual code.

It goes from one instant at which a notice is due or money ends to the next: each is told in its order.
"""

import time
from datetime import UTC, datetime, timedelta

from billing import notices, rounds
from billing.ethereum import chains
from billing.ethereum.chains import Chain
from billing.ethereum.rpc import connect
from core import clock, db, idempotency
from core.errors import Conflict
from core.idempotency import Receipt
from zcash.node import simulation
from zcash.node.port import WalletPort

# Dates of a century ahead still fit everywhere; a sandbox has no use for more.
_END_OF_TIME = datetime(2126, 1, 1, tzinfo=UTC)
# Local nodes (anvil, hardhat, ganache), and the public test networks of Ethereum, Base, Optimism, Arbitrum,
# Polygon, Gnosis, Avalanche and BNB: what is not here may be worth something.
_TEST_CHAINS = frozenset(
    {31337, 1337, 5777, 11155111, 17000, 560048, 84532, 11155420, 421614, 80002, 10200, 43113, 97}
)
# So many notices are passed one by one; a sandbox that has more jumps over the rest.
_MOST_STOPS = 200
_ASK_EVERY_SECONDS = 30.0
# When the node of a chain said last that it is on a test chain.
_asked: dict[Chain, float] = {}


class ClockTooFar(Conflict):
    """The sandbox's clock would leave the time that it has."""

    code = "clock_too_far"
    title = "The sandbox's time ends before that"


def advance(by: timedelta, *, wallet: WalletPort, now: datetime, receipt: Receipt | None = None) -> datetime:
    """Move the clock of every process forward, run the rounds that are due then, and return the new time.

    Raises:
        SandboxOff: this is no sandbox, or one of its chains is no test chain.
        NodeUnavailable: which chain it is cannot be asked; the clock stands as it did.
        ClockTooFar, KeyInFlight, KeyReused.
    """
    simulation.require_test_chain(wallet)
    with db.operation():
        if receipt and (stored := idempotency.claim(receipt, now=now)):
            until = datetime.fromisoformat(stored["now"])
        else:
            until = now + by
            if until > _END_OF_TIME:
                raise ClockTooFar(f"time ends {_END_OF_TIME.date()} here: start a fresh sandbox")
            if receipt:
                idempotency.store(receipt, {"now": until.isoformat()}, now=now)
    # A repetition of a call that died on its way goes on from there; one of a call that did not has arrived.
    if clock.now() < until:
        _live_until(until)
    return until


def _live_until(until: datetime) -> None:
    for _ in range(_MOST_STOPS):
        stop = notices.next_stop(now=clock.now(), until=until)
        if stop is None:
            break
        _live_at(stop)
    _live_at(until)


def _live_at(moment: datetime) -> None:
    """Let it be that late, and what is due happen."""
    clock.advance_to(moment)
    rounds.expiry_round()
    rounds.interval_round()
    rounds.notice_round()


def require_test_chains() -> None:
    """Refuse where the sandbox is off, or the service collects tokens on a chain that may be worth something.

    The node of each chain is asked, now and then, which one it is. What moves the Zcash node asks for calls
    that a simulated one alone has, and the clock asks for its chain.

    Raises:
        SandboxOff, ChainUnavailable.
    """
    simulation.require_sandbox()
    for chain in chains.all_chains():
        _require_test(chain, chain.chain_id)
        if time.monotonic() - _asked.get(chain, -_ASK_EVERY_SECONDS) >= _ASK_EVERY_SECONDS:
            _require_test(chain, connect(chain).chain_id())
            _asked[chain] = time.monotonic()


def _require_test(chain: Chain, chain_id: int) -> None:
    if chain_id not in _TEST_CHAINS:
        raise simulation.SandboxOff(
            f"{chain.name} ({chain_id}) is no test chain: a sandbox is for test chains only"
        )
