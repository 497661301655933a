"""What vendors cost in tokens: set for sessions to come, and for each session what its version says.

Where a vendor has no price in a token, an hour costs what the viewer has signed. That is the most that an
hour may cost in any case: a dearer vendor's sessions do not run on that authorisation.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from billing import operators
from billing.errors import RateExceedsAuthorization
from billing.ethereum import chains
from billing.models_ethereum import Authorization
from billing.operator_rules import Verb
from billing.operators import Word
from core import idempotency
from core.db import operation
from core.idempotency import Receipt
from core.units import MAX_RATE_UNITS
from sessions_app import queries, vendors
from sessions_app.models import StreamingSession, Vendor, VendorTokenPrice
from zcash.errors import LimitExceeded


@dataclass(frozen=True)
class TokenPriceRecord:
    """One version of a vendor's prices in tokens, in smallest units an hour, None: what is signed.

    The price is a text, so that a stored answer is repeated to the letter.
    """

    vendor_id: str
    version: int
    chain_id: int
    token: str
    price_units_per_hour: str | None
    created_at: str


@dataclass(frozen=True)
class TokenPrice:
    """What an hour is to cost in a token, in its smallest unit, None: what is signed."""

    chain_id: int
    token: str
    units_per_hour: int | None


def set_price(
    slug: str,
    price: TokenPrice,
    *,
    client_id: int,
    actor: str,
    now: datetime,
    receipt: Receipt | None = None,
) -> TokenPriceRecord:
    """Add the next version of a vendor's prices in tokens, for sessions that start from now on.

    Raises:
        VendorNotFound: it does not exist, or is another client's.
        ChainUnknown: the operator has not configured this chain or token.
        LimitExceeded: it is no rate that can be metered.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    with operation():
        if receipt and (earlier := idempotency.claim(receipt, now=now)):
            return TokenPriceRecord(**earlier)
        vendor = queries.find_vendor(client_id=client_id, slug=slug)
        added = record(publish(vendor, price, actor=actor, now=now))
        if receipt:
            idempotency.store(receipt, asdict(added), now=now)
    return added


def publish(vendor: Vendor, price: TokenPrice, *, actor: str, now: datetime) -> VendorTokenPrice:
    """Add the next version of a vendor's prices in tokens; a step.

    Raises:
        ChainUnknown, LimitExceeded: as `set_price`.
    """
    chains.chain(price.chain_id).token(price.token)
    if price.units_per_hour is not None and not 0 < price.units_per_hour <= MAX_RATE_UNITS:
        raise LimitExceeded(f"must be above 0 and at most {MAX_RATE_UNITS}", field="rate_per_hour")
    return vendors.publish_in_token(
        vendor.pk,
        chain_id=price.chain_id,
        token_address=price.token,
        price_units_per_hour=price.units_per_hour,
        actor=actor,
        now=now,
    )


def note(price: VendorTokenPrice, *, word: Word, now: datetime) -> None:
    """Write down that an operator has set a vendor's price in a token; a step of that."""
    details = {"vendor": price.vendor_id, **asdict(record(price))}
    operators.note(word, Verb.SET_TERMS, now=now, details=details)


def record(price: VendorTokenPrice) -> TokenPriceRecord:
    """Return a version, with its vendor, as callers know it."""
    units = price.price_units_per_hour
    return TokenPriceRecord(
        vendor_id=price.vendor.slug,
        version=price.version,
        chain_id=price.chain_id,
        token=price.token_address,
        price_units_per_hour=None if units is None else str(units),
        created_at=price.created_at.isoformat(),
    )


def rate(session: StreamingSession, authorization: Authorization) -> int:
    """Return what an hour of a session costs on an authorisation, in smallest units: frozen at its start."""
    price = queries.token_price(
        vendor_id=session.vendor_id,
        version=session.token_price_version,
        chain_id=authorization.chain_id,
        token_address=authorization.token_address,
    )
    return authorization.rate_units_per_hour if price is None else price


def current(vendor: Vendor, chain_id: int, token_address: str) -> int | None:
    """Return what an hour costs in a token for sessions that start now, None: what is signed."""
    return queries.token_price(
        vendor_id=vendor.pk,
        version=vendor.token_price_version,
        chain_id=chain_id,
        token_address=token_address,
    )


def covers(authorization: Authorization, session: StreamingSession) -> bool:
    """Whether the viewer has signed for what a session costs, and it may cost a token at all.

    One with a spending cap may not: no rate of exchange says what it has left of that in a token.
    """
    if session.max_amount_zat is not None:
        return False
    return rate(session, authorization) <= authorization.rate_units_per_hour


def require_rate(session: StreamingSession, authorization: Authorization) -> int:
    """Return what an hour of a session costs on an authorisation; refuse one that is dearer than signed.

    Raises:
        RateExceedsAuthorization: naming the vendor and the token.
    """
    asked, signed = rate(session, authorization), authorization.rate_units_per_hour
    if asked > signed:
        raise RateExceedsAuthorization(
            f"{session.vendor.slug} costs {asked} of the smallest unit of {authorization.asset} per hour, the"
            f" authorisation allows {signed}: revoke it and let the viewer sign one with a higher rate",
            vendor_id=session.vendor.slug,
            authorization_id=str(authorization.public_id),
            asset=authorization.asset,
            vendor_rate_per_hour=str(asked),
            authorization_rate_per_hour=str(signed),
        )
    return asked
