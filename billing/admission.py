"""What must hold before a session may run: somebody pays, there is a slot, the price and the money fit."""

from datetime import datetime

from django.conf import settings

from billing import covering, grants, linked, metering, refusals, stage, token_prices
from billing.errors import AuthorizationExhausted, InsufficientFunding, RateExceedsPermission
from billing.models_ethereum import Authorization
from billing.sources import Source
from billing.stage import Stage
from core.amounts import div_ceil, zec, zec_text
from core.errors import PaymentRequired
from sessions_app import queries as session_queries
from sessions_app.errors import SessionLimitReached
from sessions_app.models import StreamingSession, Vendor
from sessions_app.rules import SessionStatus
from zcash import queries
from zcash.errors import PermissionRequired
from zcash.models import SpendingPermission


def fund(
    wallet_address: str,
    *,
    client_id: int,
    now: datetime,
    vendor_slug: str | None = None,
    session_code: str | None = None,
) -> Stage:
    """Lock what pays for a wallet now, and read what runs on it; a step.

    Raises:
        VendorNotFound: who asked for an unknown vendor learns that first.
        PaymentRequired: of the kind that says why nothing pays.
    """
    source = _lock_payer(client_id=client_id, wallet_address=wallet_address)
    if source is not None:
        found = stage.load(source, vendor_slug=vendor_slug, session_code=session_code)
        if not found.event_is_due(now=now):
            return found
        covering.let_happen(source, now=now)
        source = _lock_payer(client_id=client_id, wallet_address=wallet_address)
    if source is None:
        if vendor_slug is not None:
            session_queries.vendor_of_client(client_id=client_id, slug=vendor_slug)
        raise refusals.why_unfunded(client_id=client_id, wallet_address=wallet_address, now=now)
    return stage.load(source, vendor_slug=vendor_slug, session_code=session_code)


def _lock_payer(*, client_id: int, wallet_address: str) -> Source | None:
    """Lock what pays for a wallet: its active permission, else its authorisation; neither: None.

    Raises:
        LostRace: a permission has become active meanwhile.
    """
    if not linked.is_ethereum(wallet_address):
        permission = queries.lock_active_seen(client_id=client_id, wallet_address=wallet_address)
        if permission is not None:
            return permission
    return linked.lock_instead(client_id=client_id, wallet_address=wallet_address)


def require_slot(found: Stage) -> None:
    """Refuse one more session than the viewer, or the active permission, may have at once.

    A paused one holds no slot. A session that rolls over to a permission with a smaller limit goes on; it
    counts for what is started after it.

    Raises:
        SessionLimitReached: saying which limit.
    """
    active = sum(each.status == SessionStatus.ACTIVE for each in found.sessions)
    _require_below(settings.MAX_SESSIONS_PER_WALLET, running=active, of="wallet")
    if isinstance(found.source, SpendingPermission) and found.source.max_sessions is not None:
        _require_below(found.source.max_sessions, running=len(found.running), of="permission")


def _require_below(most: int, *, running: int, of: str) -> None:
    if running >= most:
        raise SessionLimitReached(
            f"{running} sessions run and the {of} allows {most} at once; end or pause one first",
            limit=of,
            max_sessions=most,
        )


def price(vendor: Vendor, source: Source) -> int | None:
    """Return a new session's rate in ZEC: the vendor's price if it has one, else what a permission allows.

    In zatoshis; None where it begins on an authorisation at a vendor without a price.

    Raises:
        RateExceedsPermission.
    """
    if isinstance(source, Authorization):
        return vendor.price_zat_per_hour
    rate = vendor.price_zat_per_hour or source.rate_zat_per_hour
    require_rate(rate, vendor, source)
    return rate


def require_rate(rate: int | None, vendor: Vendor, permission: Source) -> None:
    """Refuse a session that is dearer than the permission's owner agreed to.

    What an authorisation allows is in a token (`require_funding`), and a session that has no price in ZEC yet
    takes the permission's.

    Raises:
        RateExceedsPermission.
    """
    if isinstance(permission, Authorization) or rate is None:
        return
    if rate > permission.rate_zat_per_hour:
        raise RateExceedsPermission(
            f"{vendor.slug} costs {zec_text(rate)} ZEC per hour, the permission allows"
            f" {zec_text(permission.rate_zat_per_hour)}: ask the viewer for a permission with a higher rate",
            vendor_rate_per_hour=zec(rate),
            permission_rate_per_hour=zec(permission.rate_zat_per_hour),
        )


def require_same_money(session: StreamingSession, source: Source) -> None:
    """Refuse to let a session with a spending cap in ZEC go on with a token.

    Raises:
        PermissionRequired.
    """
    if session.max_amount_zat is not None and isinstance(source, Authorization):
        raise PermissionRequired(
            "the session may cost so much ZEC at most: it goes on with a permission, not with a token"
        )


def require_funding(found: Stage, session: StreamingSession) -> None:
    """Refuse a session that what pays for the wallet, settled, may not or cannot carry for the shortest time.

    Raises:
        RateExceedsAuthorization, InsufficientFunding, AuthorizationExhausted.
    """
    source = found.source
    at = metering.settled_at(source)
    if isinstance(source, Authorization):
        rate = token_prices.require_rate(session, source)
    else:
        rate = session.rate_zat_per_hour or source.rate_zat_per_hour
    funded_ms = grants.funded_ms(
        source, found.running, newcomer=session, rate=rate, at=at, behind=found.behind
    )
    if funded_ms < max(1, settings.MIN_START_SECONDS * 1000):
        raise _unfunded(source, rate=rate, funded_ms=funded_ms)


def _unfunded(source: Source, *, rate: int, funded_ms: int) -> PaymentRequired:
    said = (
        f"what remains pays for {funded_ms / 1000:.1f} s at this price; a start needs"
        f" {settings.MIN_START_SECONDS} s"
    )
    if isinstance(source, Authorization):
        return AuthorizationExhausted(
            f"{said}: {refusals.TO_DO[source.binding]}",
            authorization_id=str(source.public_id),
            binding=source.binding,
            remaining=str(source.remaining_units),
        )
    shortest_zat = div_ceil(rate * settings.MIN_START_SECONDS, 3600)
    return InsufficientFunding(
        f"{said}: pay more into the permission or make a new one",
        permission_id=str(source.public_id),
        payment_address=source.payment_address,
        remaining_amount=zec(source.remaining_zat),
        missing_amount=zec(max(1, shortest_zat - source.remaining_zat)),
    )
