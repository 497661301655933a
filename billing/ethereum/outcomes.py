"""What a receipt says of a collection: tokens that return nothing or false, or keep a fee, are told apart."""

from dataclasses import dataclass

from billing.ethereum import abi, typed_data
from billing.ethereum.rpc import ChainReceipt, Log
from billing.models_ethereum import Collection

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
        return Outcome(paid=False, received_units=0, reason="reverted")
    received = sum(int.from_bytes(each.data) for each in receipt.logs if _pays(each, collection))
    if collection.authorization.collector is None:
        # Without a transfer to the treasury the token has returned false, whatever it calls a success.
        reason = "" if received else "token_refused"
        return Outcome(paid=received > 0, received_units=received, reason=reason)
    return _by_collector(collection, receipt, received=received)


def _by_collector(collection: Collection, receipt: ChainReceipt, *, received: int) -> Outcome:
    digest = typed_data.digest(collection.authorization.typed_data)
    for log in receipt.logs:
        if log.address != str(collection.authorization.collector).lower() or log.data[:32] != digest:
            continue
        if log.topics[0] == abi.digest(abi.COLLECTED):
            return Outcome(paid=True, received_units=received)
        number = int.from_bytes(log.data[32:])
        # The contract has had this total already: an earlier send, that the database forgot, has paid it.
        if _REASONS.get(number) == "nothing_due":
            return Outcome(paid=True, received_units=collection.amount_units, reason="paid_before")
        return Outcome(paid=False, received_units=0, reason=_REASONS.get(number, str(number)))
    return Outcome(paid=False, received_units=0, reason="not_told")


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
