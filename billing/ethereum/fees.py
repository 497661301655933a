"""What a transaction offers for its gas (EIP-1559), within the operator's cap."""

from dataclasses import dataclass

from billing.ethereum.chains import Chain
from billing.ethereum.rpc import Rpc


@dataclass(frozen=True)
class Fees:
    """The most that a unit of gas may cost, and the part of it that is the miner's, in wei."""

    max_fee_wei: int
    priority_fee_wei: int


def current(rpc: Rpc, chain: Chain) -> Fees | None:
    """Return what gets into one of the next blocks, None while even that is above the cap."""
    base_wei = rpc.latest_block().base_fee_wei
    priority_wei = min(rpc.priority_fee_wei(), chain.max_fee_wei)
    if base_wei + priority_wei > chain.max_fee_wei:
        return None
    # Twice the base fee lasts for six full blocks in a row.
    return Fees(min(2 * base_wei + priority_wei, chain.max_fee_wei), priority_wei)


def raised(fees: Fees, *, now: Fees | None, chain: Chain) -> Fees | None:
    """Return what replaces a stuck transaction, None where the cap does not allow it.

    Nodes take a replacement only with an eighth more of both.
    """
    more = Fees(_more(fees.max_fee_wei), _more(fees.priority_fee_wei))
    if now is not None:
        more = Fees(max(more.max_fee_wei, now.max_fee_wei), max(more.priority_fee_wei, now.priority_fee_wei))
    return more if more.max_fee_wei <= chain.max_fee_wei else None


def _more(wei: int) -> int:
    return wei * 9 // 8 + 1
