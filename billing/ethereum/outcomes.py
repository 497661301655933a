"""What a receipt says of a collection: tokens that return nothing or false, or keep a fee, are told apart."""

from dataclasses import dataclass

from billing.ethereum import abi, typed_data
from billing.ethereum.rpc import ChainReceipt, Log
from billing.models_ethereum import Collection

# The transaction was undone as a whole.
REVERTED = "reverted"
_REASONS = {
    1: "over_limit",
    2: "too_late",
    3: "not_signed",
    4: "nothing_due",
    5: "token_refused",
}


@dataclass(frozen=True)
class Outcome:
    """Whether the wallet was charged, what arrived at the treasury of it, and why not."""

    paid: bool
    received_units: int
    reason: str = ""


def of(collection: Collection, receipt: ChainReceipt) -> Outcome:
    """Return what a receipt says of one of its collections."""
    if not receipt.succeeded:
        return Outcome(paid=False, received_units=0, reason=REVERTED)
    received = received_units(collection, receipt)
    if collection.authorization.collector is None:
        # Without a transfer to the treasury the token has returned false, whatever it calls a success.
        reason = "" if received else "token_refused"
        return Outcome(paid=received > 0, received_units=received, reason=reason)
    return _by_collector(collection, receipt, received=received)


def received_units(collection: Collection, receipt: ChainReceipt) -> int:
    """Return how much of what a collection takes has arrived at the treasury by a transaction."""
    moved = sum(int.from_bytes(each.data) for each in receipt.logs if _pays(each, collection))
    return min(moved, collection.amount_units)


def _by_collector(collection: Collection, receipt: ChainReceipt, *, received: int) -> Outcome:
    if not _logs_of(collection, receipt, abi.COLLECTED):
        return Outcome(paid=False, received_units=0, reason="not_told")
    number = _refused_for(collection, receipt)
    if number is None:
        return Outcome(paid=True, received_units=received)
    # The contract has had this total already: an earlier send, that the database forgot, has paid it.
    if _REASONS.get(number) == "nothing_due":
        return Outcome(paid=True, received_units=collection.amount_units, reason="paid_before")
    return Outcome(paid=False, received_units=0, reason=_REASONS.get(number, str(number)))


def _refused_for(collection: Collection, receipt: ChainReceipt) -> int | None:
    """Return the number of the contract's reason for taking nothing, None where it has taken what was due."""
    digest = typed_data.digest(collection.authorization.typed_data)
    for log in _logs_of(collection, receipt, abi.REFUSED):
        if log.data[:32] == digest:
            return int.from_bytes(log.data[32:])
    return None


def _logs_of(collection: Collection, receipt: ChainReceipt, event: str) -> list[Log]:
    """Return what the collection's contract has told in a transaction, of one kind."""
    contract, topic = str(collection.authorization.collector).lower(), abi.digest(event)
    return [each for each in receipt.logs if each.address == contract and each.topics[:1] == (topic,)]


def _pays(log: Log, collection: Collection) -> bool:
    """Whether a log is the token's transfer from the wallet to the treasury."""
    authorization = collection.authorization
    return (
        log.address == authorization.token_address.lower()
        and len(log.topics) == 3
        and log.topics[0] == abi.digest(abi.TRANSFER)
        and log.topics[1] == _word(authorization.wallet_address)
        and log.topics[2] == _word(authorization.treasury)
        and len(log.data) == 32
    )


def _word(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")
