"""A newcomer's whole stream on the simulated node: the demo client's permission, payment and session."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.http import Http404

from billing import funding, refund_view, session_list
from billing.refund_view import RefundView
from billing.session_list import ListedSession
from core import clock
from core.amounts import ZAT_PER_ZEC, div_ceil
from core.errors import DomainError
from core.models import User
from paygo.pages import checkout_state, checkouts
from paygo.pages.checkout_state import CheckoutState, Phase
from paygo.pages.models import Checkout
from sessions_app import queries as session_queries
from sessions_app.errors import VendorNotFound
from sessions_app.models import Vendor
from sessions_app.rules import SessionStatus
from zcash import permissions
from zcash.addresses import Network, encode_sapling
from zcash.node import connect
from zcash.rules import CLOSED

# Where the vendor has no price of its own.
_RATE_ZAT_PER_HOUR = 2 * ZAT_PER_ZEC
_DAYS = 1
_SAPLING_BYTES = 43
HEARTBEAT_SECONDS = 15


@dataclass(frozen=True)
class DemoState:
    """Where a demo stands at `now`; `newest` is its last session, None before the first."""

    pay: CheckoutState
    newest: ListedSession | None
    refund: RefundView | None
    now: datetime

    @property
    def running(self) -> ListedSession | None:
        """The session whose meter runs."""
        return self._newest_if(SessionStatus.ACTIVE)

    @property
    def paused(self) -> ListedSession | None:
        """The session whose meter stands still."""
        return self._newest_if(SessionStatus.PAUSED)

    @property
    def ended(self) -> ListedSession | None:
        """The session that is over, with what it has cost."""
        return self._newest_if(SessionStatus.ENDED)

    @property
    def step(self) -> str:
        """Which part of the page is next."""
        if self.pay.permission.status in CLOSED:
            return "over"
        if self.pay.phase in (Phase.WAITING, Phase.MISSING):
            return "pay"
        if self.pay.is_open:
            return "confirm"
        if self.running:
            return "watch"
        return "paused" if self.paused else "play"

    @property
    def burn_zat_per_hour(self) -> int:
        """What runs uses in an hour."""
        return (self.running.session.rate_zat_per_hour or 0) if self.running else 0

    @property
    def falls_zat_per_hour(self) -> int:
        """By how much the remaining amount grows in an hour: never above 0."""
        return -self.burn_zat_per_hour

    @property
    def lasts_seconds(self) -> int:
        """For how long what is left lasts, in whole seconds."""
        return self.pay.remaining_ms // 1000

    def _newest_if(self, status: SessionStatus) -> ListedSession | None:
        return self.newest if self.newest and self.newest.session.status == status else None


def client() -> User:
    """Return under whose name demos run.

    Raises:
        Http404: this service has no demo.
    """
    found = User.objects.filter(username=settings.PAYGO_DEMO_CLIENT, is_active=True).first()
    if not settings.PAYGO_DEMO_CLIENT or settings.ZCASH_NETWORK == Network.MAIN or found is None:
        raise Http404
    return found


def begin(*, now: datetime) -> Checkout:
    """Make a viewer with a wallet of their own, and the permission that they are to pay: half an hour.

    Raises:
        VendorNotFound: the demo client has no vendor that takes sessions.
        NodeUnavailable: the node is away; nothing was made.
    """
    owner = client()
    rate = vendor(owner).price_zat_per_hour or _RATE_ZAT_PER_HOUR
    wallet_address = encode_sapling(
        secrets.token_bytes(_SAPLING_BYTES), network=Network(settings.ZCASH_NETWORK)
    )
    permission = permissions.create(
        permissions.Request(wallet_address, div_ceil(rate, 2), rate, _DAYS),
        client_id=owner.pk,
        wallet=connect(),
        now=now,
    )
    return checkouts.of_permission(permission, is_demo=True)


def vendor(owner: User) -> Vendor:
    """Return the first of a client's vendors that takes sessions.

    Raises:
        VendorNotFound: there is none.
    """
    found = session_queries.vendors_of_client(client_id=owner.pk, after="", limit=50)
    for each in found:
        if each.is_active:
            return each
    raise VendorNotFound("the demo client has no vendor: manage.py createvendor makes one")


def find(token: str) -> Checkout:
    """Return the demo with a token.

    Raises:
        Http404: there is none; what the demo's client has made itself is no demo, and other clients' is none.
    """
    found = checkouts.find(token)
    if not found.is_demo or found.permission.client_id != client().pk:
        raise Http404
    return found


def look(checkout: Checkout) -> None:
    """Look at the chain for the demo's payment, instead of waiting for the watcher's next round."""
    permission = checkout.permission
    with suppress(DomainError):
        funding.verify(
            client_id=permission.client_id,
            public_id=permission.public_id,
            wallet=connect(),
            read_clock=clock.now,
        )


def read(checkout: Checkout, *, now: datetime) -> DemoState:
    """Return where a demo stands at `now`."""
    pay = checkout_state.read(checkout, now=now)
    permission = pay.permission
    sessions = session_list.page(
        client_id=permission.client_id, wallet_address=permission.wallet_address, limit=1, now=now
    ).sessions
    return DemoState(
        pay=pay,
        newest=sessions[0] if sessions else None,
        refund=refund_view.of_permission(permission),
        now=now,
    )
