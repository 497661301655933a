"""What could not be collected of a viewer: it keeps the second rail shut until it is paid, or pardoned.

The debt itself is what counts, not the state of the authorisation that it was made on: that may have been
revoked, expired or used up meanwhile. It is the viewer's by either of the two addresses.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Greatest

from billing.ethereum.rules import BLAMELESS, CollectionStatus
from billing.models_ethereum import Authorization, Collection


def of_wallets(wallets: Sequence[str], *, client_id: int) -> QuerySet[Authorization]:
    """Return a client's authorisations, in any state, of which a debt could not be collected."""
    return _owing(Q(wallet_address__in=wallets) | Q(linked_wallet_address__in=wallets), client=client_id)


def of(authorization: Authorization) -> Authorization | None:
    """Return what keeps an authorisation from paying: one of its viewer's with a debt, perhaps itself."""
    found = of_wallets(authorization.wallets, client_id=authorization.client_id)
    return found.order_by("pk").first()


def any_of_viewer() -> Exists:
    """Return, for a query of authorisations, whether such a one is among those of the same viewer."""
    same = Q(wallet_address=OuterRef("wallet_address"))
    same |= Q(linked_wallet_address=OuterRef("linked_wallet_address"))
    return Exists(_owing(same, client=OuterRef("client")))


def to_do(owing: Authorization, *, now: datetime) -> str:
    """Return what lets a viewer go on who owes."""
    if owing.collectable_until <= now:
        return "it is too late to collect it: ask the service's operator to pardon it"
    return "give the wallet the token, and the spender its allowance, for the debt"


def _owing(whose: Q, *, client: Any) -> QuerySet[Authorization]:
    failed = Collection.objects.filter(
        authorization=OuterRef("pk"),
        status=CollectionStatus.FAILED,
        to_units__gt=Greatest(OuterRef("collected_units"), OuterRef("pardoned_units")),
    ).exclude(reason__in=BLAMELESS)
    owing = Authorization.objects.filter(whose, client=client, charged_units__gt=F("collected_units"))
    return owing.filter(Exists(failed))
