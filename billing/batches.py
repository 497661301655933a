"""Which payments go out in one transaction, and what it has to reveal."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from django.conf import settings

from zcash.addresses import Address, Kind, Network, parse
from zcash.fees import share_a_pool
from zcash.node.port import PrivacyPolicy

# zallet takes 50 actions in one transaction, its change among them.
MOST = 40


class Waiting(Protocol):
    """A payment that waits for its transaction."""

    address: str
    attempts: int
    alone: bool


W = TypeVar("W", bound=Waiting)
# The address whose money pays it.
Source = Callable[[W], str]


def together(waiting: Sequence[W], *, source: Source[W]) -> list[W]:
    """Return payments that go out together: of equal privacy, no address twice; what failed goes alone."""
    if not waiting:
        return []
    first = waiting[0]
    if _goes_alone(first):
        return [first]
    kind = policy(first, source=source)
    batch: dict[str, W] = {}
    for each in waiting:
        if not _goes_alone(each) and policy(each, source=source) is kind:
            batch.setdefault(each.address, each)
    return list(batch.values())[:MOST]


def policy(payment: W, *, source: Source[W]) -> PrivacyPolicy:
    """Return what a payment has to reveal: nothing, where the money need not change its pool.

    A shielded payment that failed once may reveal its amount, as crossing from one pool to another does.
    """
    recipient = parsed(payment.address)
    if recipient.is_transparent:
        return PrivacyPolicy.RECIPIENTS
    if payment.attempts or not share_a_pool(recipient, parsed(source(payment))):
        return PrivacyPolicy.AMOUNTS
    return PrivacyPolicy.FULL


def parsed(address: str) -> Address:
    """Return a stored address of this service's network."""
    return parse(address, network=Network(settings.ZCASH_NETWORK))


def _goes_alone(payment: Waiting) -> bool:
    # A TEX address takes two transactions: together with others none of them could be told apart.
    return payment.alone or payment.attempts > 0 or parsed(payment.address).kind is Kind.TEX
