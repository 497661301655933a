"""The sandbox's clock: time goes on, and what time alone brings about happens, by the usual code."""

from datetime import UTC, datetime, timedelta

from billing import rounds
from billing.ethereum import chains
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
            return datetime.fromisoformat(stored["now"])
        if now + by > _END_OF_TIME:
            raise ClockTooFar(f"time ends {_END_OF_TIME.date()} here: start a fresh sandbox")
        advanced = clock.advance(by // clock.MS)
        if receipt:
            idempotency.store(receipt, {"now": advanced.isoformat()}, now=now)
    rounds.expiry_round()
    rounds.interval_round()
    rounds.notice_round()
    return advanced


def require_test_chains() -> None:
    """Refuse where the sandbox is off, or the service collects tokens on a chain that may be worth something.

    Raises:
        SandboxOff.
    """
    simulation.require_sandbox()
    for chain in chains.all_chains():
        if chain.chain_id not in _TEST_CHAINS:
            raise simulation.SandboxOff(
                f"{chain.name} ({chain.chain_id}) is no test chain: a sandbox is for test chains only"
            )
