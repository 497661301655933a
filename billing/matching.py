"""Whether a transaction on the chain is the one that a row of the journal asked for."""

from collections.abc import Sequence

from django.conf import settings

from billing.models import ForeignSend, Refund, WalletSend
from billing.payout_models import Payout
from zcash.addresses import AddressError, Network, Receiver, parse
from zcash.node.port import Payment, SentTransaction


def payments_of(send: WalletSend | ForeignSend) -> list[Payment]:
    """Return what a row asked the wallet for, or what a transaction that nobody knew has paid."""
    return [
        Payment(each["address"], each["amount_zat"], bytes.fromhex(each["memo"]) if each["memo"] else None)
        for each in send.payments
    ]


def asked(refund: Refund | Payout) -> Payment:
    """Return the payment that a refund or payout is; only a shielded recipient gets the memo (ZIP-302)."""
    address = parse(refund.address, network=Network(settings.ZCASH_NETWORK))
    return Payment(refund.address, refund.paid_zat, refund.memo.encode() if address.is_shielded else None)


def pays(transaction: SentTransaction, payments: Sequence[Payment]) -> bool:
    """Whether a transaction pays each of some payments by an output of its own."""
    left = list(transaction.payments)
    for payment in payments:
        output = next((each for each in left if is_same(each, payment)), None)
        if output is None:
            return False
        left.remove(output)
    return True


def is_same(output: Payment, payment: Payment) -> bool:
    """Whether an output is a payment: recipient, amount, and the memo where both tell one.

    A wallet may name the single receiver that it paid out of a unified address.
    """
    if output.amount_zat != payment.amount_zat:
        return False
    if output.memo is not None and payment.memo is not None and output.memo != payment.memo:
        return False
    return is_same_recipient(output.address, payment.address)


def is_same_recipient(one: str, other: str) -> bool:
    """Whether two addresses have a receiver in common."""
    return one == other or bool(_receivers(one) & _receivers(other))


def _receivers(address: str) -> frozenset[Receiver]:
    try:
        return frozenset(parse(address, network=Network(settings.ZCASH_NETWORK)).receivers)
    except AddressError:
        return frozenset()
