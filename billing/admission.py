"""What must hold before a session may run: somebody pays, there is a slot, the price and the money fit."""

from datetime import datetime

from django.conf import settings

from billing import grants, metering, refusals, stage
from billing.errors import InsufficientFunding, RateExceedsPermission
from billing.stage import Stage
from core.amounts import div_ceil, zec, zec_text
from sessions_app import queries as session_queries
from sessions_app.errors import SessionLimitReached
from sessions_app.models import Vendor
from sessions_app.rules import SessionStatus
from zcash import queries
from zcash.models import SpendingPermission


def fund(
    wallet_address: str,
    *,
    client_id: int,
    now: datetime,
    vendor_slug: str | None = None,
    session_code: str | None = None,
) -> Stage:
    """Lock the permission that pays for a wallet now, and read what runs on it; a step.

    Raises:
        VendorNotFound: who asked for an unknown vendor learns that first.
        PaymentRequired: of the kind that says why nothing pays.
    """
    permission = queries.lock_active(client_id=client_id, wallet_address=wallet_address)
    if permission is not None:
        found = stage.load(permission, vendor_slug=vendor_slug, session_code=session_code)
        if not found.event_is_due(now=now):
            return found
        permission = metering.settle(permission, now=now)
    if permission is None:
        if vendor_slug is not None:
            session_queries.vendor_of_client(client_id=client_id, slug=vendor_slug)
        raise refusals.why_unfunded(client_id=client_id, wallet_address=wallet_address, now=now)
    return stage.load(permission, vendor_slug=vendor_slug, session_code=session_code)


def require_slot(found: Stage) -> None:
    """Refuse one more session than the wallet, or its active permission, may have at once.

    A paused one holds no slot. A session that rolls over to a permission with a smaller limit goes on; it
    counts for what is started after it.

    Raises:
        SessionLimitReached: saying which limit.
    """
    active = sum(each.status == SessionStatus.ACTIVE for each in found.sessions)
    _require_below(settings.MAX_SESSIONS_PER_WALLET, running=active, of="wallet")
    if (most := found.permission.max_sessions) is not None:
        _require_below(most, running=len(found.running), of="permission")


def _require_below(most: int, *, running: int, of: str) -> None:
    if running >= most:
        raise SessionLimitReached(
            f"{running} sessions run and the {of} allows {most} at once; end or pause one first",
            limit=of,
            max_sessions=most,
        )


def price(vendor: Vendor, permission: SpendingPermission) -> int:
    """Return a new session's rate: the vendor's price if it has one, else what the permission allows.

    Raises:
        RateExceedsPermission.
    """
    rate = vendor.price_zat_per_hour or permission.rate_zat_per_hour
    require_rate(rate, vendor, permission)
    return rate


def require_rate(rate: int, vendor: Vendor, permission: SpendingPermission) -> None:
    """Refuse a session that is dearer than the permission's owner agreed to.

    Raises:
        RateExceedsPermission.
    """
    if rate > permission.rate_zat_per_hour:
        raise RateExceedsPermission(
            f"{vendor.slug} costs {zec_text(rate)} ZEC per hour, the permission allows"
            f" {zec_text(permission.rate_zat_per_hour)}: ask the viewer for a permission with a higher rate",
            vendor_rate_per_hour=zec(rate),
            permission_rate_per_hour=zec(permission.rate_zat_per_hour),
        )


def require_funding(found: Stage, *, rate: int) -> None:
    """Refuse a session that the wallet's money, settled, cannot carry for the shortest time.

    Raises:
        InsufficientFunding.
    """
    permission = found.permission
    at = metering.settled_at(permission)
    funded_ms = grants.funded_ms(permission, found.running, rate=rate, at=at, queue=found.queue)
    if funded_ms < settings.MIN_START_SECONDS * 1000:
        shortest_zat = div_ceil(rate * settings.MIN_START_SECONDS, 3600)
        raise InsufficientFunding(
            f"what remains pays for {funded_ms / 1000:.1f} s at this price; a start needs"
            f" {settings.MIN_START_SECONDS} s: pay more into the permission or make a new one",
            permission_id=str(permission.public_id),
            payment_address=permission.payment_address,
            remaining_amount=zec(permission.remaining_zat),
            missing_amount=zec(max(1, shortest_zat - permission.remaining_zat)),
        )
