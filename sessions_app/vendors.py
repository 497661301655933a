"""Vendors and their price lists: the one writer of these tables.

A price is never changed: `set_price`, or `publish_in_token`, adds the next version, and a session keeps the
one it started with.
`create`, `set_price` and `set_active` are operations, the others steps.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError

from core import idempotency
from core.db import constraint, operation, require_transaction
from core.errors import Invalid
from core.idempotency import Receipt
from sessions_app import queries
from sessions_app.errors import VendorExists
from sessions_app.models import Vendor, VendorPrice, VendorTokenPrice
from sessions_app.rules import PayoutSchedule

_SLUG_KEY = "sessions_vendor_slug_per_client"
_FIRST = 1


@dataclass(frozen=True)
class VendorRecord:
    """A vendor as callers know it; its price is in zatoshis per hour, None: what a permission allows."""

    vendor_id: str
    name: str
    price_zat_per_hour: int | None
    price_version: int | None
    heartbeat_seconds: int | None
    is_active: bool
    created_at: str
    token_price_version: int | None = None


@dataclass(frozen=True)
class PriceRecord:
    """One version of a vendor's price, in zatoshis per hour, None: what a permission allows."""

    vendor_id: str
    version: int
    price_zat_per_hour: int | None
    created_at: str


def create(
    slug: str,
    *,
    client_id: int,
    name: str,
    actor: str,
    now: datetime,
    price_zat_per_hour: int | None = None,
    heartbeat_seconds: int | None = None,
    receipt: Receipt | None = None,
) -> VendorRecord:
    """Make a vendor of a client; without a price its sessions cost what the viewer's permission allows.

    Raises:
        Invalid: a field cannot be accepted.
        VendorExists: the client has a vendor of this slug.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    vendor = Vendor(
        client_id=client_id,
        slug=slug,
        name=name,
        price_zat_per_hour=price_zat_per_hour,
        heartbeat_seconds=heartbeat_seconds,
        created_at=now,
    )
    with operation():
        if receipt and (earlier := idempotency.claim(receipt, now=now)):
            return VendorRecord(**earlier)
        insert(vendor, actor=actor)
        made = record(vendor)
        if receipt:
            idempotency.store(receipt, asdict(made), now=now)
    return made


def set_price(
    slug: str,
    *,
    client_id: int,
    price_zat_per_hour: int | None,
    actor: str,
    now: datetime,
    receipt: Receipt | None = None,
) -> PriceRecord:
    """Add the next version of a vendor's price, for sessions that start from now on.

    Raises:
        VendorNotFound: it does not exist, or is another client's.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    with operation():
        if receipt and (earlier := idempotency.claim(receipt, now=now)):
            return PriceRecord(**earlier)
        vendor = queries.find_vendor(client_id=client_id, slug=slug)
        added = price_record(publish(vendor.pk, price_zat_per_hour=price_zat_per_hour, actor=actor, now=now))
        if receipt:
            idempotency.store(receipt, asdict(added), now=now)
    return added


def set_active(
    slug: str, *, client_id: int, is_active: bool, now: datetime, receipt: Receipt | None = None
) -> VendorRecord:
    """Let a vendor take sessions, or no new ones; those that are open go on.

    Raises:
        VendorNotFound: it does not exist, or is another client's.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    with operation():
        if receipt and (earlier := idempotency.claim(receipt, now=now)):
            return VendorRecord(**earlier)
        vendor = queries.find_vendor(client_id=client_id, slug=slug)
        vendor.is_active = is_active
        change(vendor, fields=["is_active"])
        changed = record(vendor)
        if receipt:
            idempotency.store(receipt, asdict(changed), now=now)
    return changed


def set_fee(vendor: Vendor, *, fee_bps: int) -> None:
    """Set the platform's share of what a locked vendor's sessions that start from now on earn; a step.

    It is in hundredths of a percent.

    Raises:
        Invalid: it is no share.
    """
    vendor.fee_bps = fee_bps
    _check(vendor)
    change(vendor, fields=["fee_bps"])


def insert(vendor: Vendor, *, actor: str) -> None:
    """Write a new vendor with the first version of its price; a step.

    Raises:
        Invalid: a field cannot be accepted.
        VendorExists: the client has a vendor of this slug.
    """
    require_transaction()
    _check(vendor)
    vendor.price_version = _FIRST
    try:
        vendor.save(force_insert=True)
    except IntegrityError as error:
        if constraint(error) == _SLUG_KEY:
            raise VendorExists(f"there is a vendor {vendor.slug} already") from error
        raise
    VendorPrice.objects.create(
        vendor=vendor,
        version=_FIRST,
        price_zat_per_hour=vendor.price_zat_per_hour,
        created_at=vendor.created_at,
        actor=actor,
    )


def publish(vendor_id: int, *, price_zat_per_hour: int | None, actor: str, now: datetime) -> VendorPrice:
    """Lock a vendor and add the next version of its price, which becomes its current one; a step."""
    require_transaction()
    vendor = Vendor.objects.select_for_update(no_key=True).get(pk=vendor_id)
    added = VendorPrice.objects.create(
        vendor=vendor,
        version=(vendor.price_version or 0) + 1,
        price_zat_per_hour=price_zat_per_hour,
        created_at=now,
        actor=actor,
    )
    vendor.price_zat_per_hour, vendor.price_version = price_zat_per_hour, added.version
    vendor.save(update_fields=["price_zat_per_hour", "price_version"])
    return added


def publish_in_token(
    vendor_id: int,
    *,
    chain_id: int,
    token_address: str,
    price_units_per_hour: int | None,
    actor: str,
    now: datetime,
) -> VendorTokenPrice:
    """Lock a vendor and add the next version of its prices in tokens, which sets that of one; a step."""
    require_transaction()
    vendor = Vendor.objects.select_for_update(no_key=True).get(pk=vendor_id)
    added = VendorTokenPrice.objects.create(
        vendor=vendor,
        version=(vendor.token_price_version or 0) + 1,
        chain_id=chain_id,
        token_address=token_address,
        price_units_per_hour=price_units_per_hour,
        created_at=now,
        actor=actor,
    )
    vendor.token_price_version = added.version
    vendor.save(update_fields=["token_price_version"])
    return added


def change(vendor: Vendor, *, fields: Iterable[str]) -> None:
    """Write some of a vendor's fields that have no versions; a step."""
    require_transaction()
    vendor.save(update_fields=set(fields) - {"price_zat_per_hour", "price_version"})


def set_payout_terms(
    vendor: Vendor,
    *,
    address: str | None,
    schedule: PayoutSchedule,
    minimum_zat: int | None,
    not_before: datetime | None,
) -> None:
    """Write where a locked vendor's earnings go to, when, and from which amount on; a step."""
    require_transaction()
    vendor.payout_address, vendor.payout_schedule = address, schedule
    vendor.payout_minimum_zat, vendor.payout_not_before = minimum_zat, not_before
    vendor.save(
        update_fields=["payout_address", "payout_schedule", "payout_minimum_zat", "payout_not_before"]
    )


def record(vendor: Vendor) -> VendorRecord:
    """Return a vendor as callers know it."""
    return VendorRecord(
        vendor_id=vendor.slug,
        name=vendor.name,
        price_zat_per_hour=vendor.price_zat_per_hour,
        price_version=vendor.price_version,
        heartbeat_seconds=vendor.heartbeat_seconds,
        is_active=vendor.is_active,
        created_at=vendor.created_at.isoformat(),
        token_price_version=vendor.token_price_version,
    )


def price_record(price: VendorPrice) -> PriceRecord:
    """Return a version of a price, with its vendor, as callers know it."""
    return PriceRecord(
        vendor_id=price.vendor.slug,
        version=price.version,
        price_zat_per_hour=price.price_zat_per_hour,
        created_at=price.created_at.isoformat(),
    )


def _check(vendor: Vendor) -> None:
    try:
        vendor.full_clean(exclude={"client"}, validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        field, texts = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(texts), field=field) from error
