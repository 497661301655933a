"""How far the payment of a permission is, in the steps that its checkout page shows."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing import dues, funding, linked, live, privacy
from billing.dues import Due
from billing.funding import Payment
from billing.models_ethereum import Authorization
from core.amounts import MS_PER_HOUR, div_floor
from paygo.pages.models import Checkout
from zcash.models import SpendingPermission
from zcash.rules import CLOSED, PermissionStatus


class Phase(StrEnum):
    """Where a viewer stands."""

    WAITING = "waiting"  # nothing seen yet
    MISSING = "missing"  # some of it was seen
    SEEN = "seen"  # all of it was seen, none of it in a block yet
    CONFIRMING = "confirming"  # in blocks, too few of them
    LATE = "late"  # the time to pay is over, and the chain is looked at once more
    READY = "ready"  # streams, or will behind another permission
    USED_UP = "used_up"
    ON_HOLD = "on_hold"
    OVER = "over"


# In which order the page shows them; what is not among them is no step.
STEPS = (Phase.WAITING, Phase.SEEN, Phase.CONFIRMING, Phase.READY)
_PHASES = {
    PermissionStatus.ACTIVE: Phase.READY,
    PermissionStatus.QUEUED: Phase.READY,
    PermissionStatus.EXHAUSTED: Phase.USED_UP,
    PermissionStatus.SUSPENDED: Phase.ON_HOLD,
}


@dataclass(frozen=True)
class CheckoutState:
    """A permission as its payer sees it; `due` is what is still to be paid, None for nothing."""

    checkout: Checkout
    permission: SpendingPermission
    payment: Payment
    phase: Phase
    due: Due | None
    remaining_zat: int
    # What its streams go on with when it is used up, on a public chain.
    fallback: Authorization | None
    privacy_note: str = privacy.NOTE

    @property
    def payee(self) -> str:
        """Who asks for the payment: the client's name, or what it is called here."""
        client = self.permission.client
        return client.get_full_name() or client.get_username()

    @property
    def is_open(self) -> bool:
        """Whether its payment is waited for."""
        return self.permission.status == PermissionStatus.PENDING

    @property
    def takes_refund_address(self) -> bool:
        """Whether the page may still say where unused money goes back to: no payment was seen."""
        return self.phase == Phase.WAITING

    @property
    def step(self) -> int:
        """The number of the step that is under way, from 1."""
        return STEPS.index(self.phase) + 1 if self.phase in STEPS else 1

    @property
    def requested_ms(self) -> int:
        """For how long what was asked for streams at the permission's rate."""
        return self._lasts_ms(self.permission.requested_zat)

    @property
    def remaining_ms(self) -> int:
        """For how long what is left streams at the permission's rate."""
        return self._lasts_ms(self.remaining_zat)

    @property
    def extra_zat(self) -> int:
        """What was paid beyond what was asked for: all of it is credited."""
        return max(0, self.payment.received_zat - self.payment.required_zat)

    def _lasts_ms(self, amount_zat: int) -> int:
        return div_floor(amount_zat * MS_PER_HOUR, self.permission.rate_zat_per_hour)


def read(checkout: Checkout, *, now: datetime) -> CheckoutState:
    """Return how far a checkout is at `now`."""
    found = live.read(checkout.permission_id, now=now)
    permission = found.permission
    payment = funding.payment_of(permission)
    return CheckoutState(
        checkout=checkout,
        permission=permission,
        payment=payment,
        phase=_phase(permission, payment, now=now),
        due=dues.of_permission(permission, missing_zat=payment.missing_zat),
        remaining_zat=found.remaining_zat,
        fallback=linked.behind(permission),
    )


def _phase(permission: SpendingPermission, payment: Payment, *, now: datetime) -> Phase:
    status = PermissionStatus(permission.status)
    if status in CLOSED:
        return Phase.OVER
    if status == PermissionStatus.EXHAUSTED and payment.waits:
        # More was paid than has been used up: it need not be paid again.
        return Phase.CONFIRMING if payment.confirmations else Phase.SEEN
    if status in _PHASES:
        return _PHASES[status]
    if payment.missing_zat and permission.pay_before <= now:
        return Phase.LATE
    if payment.missing_zat:
        return Phase.MISSING if payment.received_zat else Phase.WAITING
    return Phase.CONFIRMING if payment.confirmations else Phase.SEEN
