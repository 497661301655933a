"""Rows for tests, made by the verbs that make them in production wherever there is one.

The cast: Alice pays, Vera streams, Mallory must see nothing.
"""

import itertools
from datetime import UTC, datetime, timedelta

from billing import funding
from core.models import User
from sessions_app.models import Vendor
from zcash import audit
from zcash.models import Deposit, SpendingPermission
from zcash.rules import AuditAction

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZEC = 100_000_000
ALICE = "tmAliceWallet"
MALLORY = "tmMalloryWallet"

_numbers = itertools.count(1)


def after(*, hours: float = 0, seconds: float = 0, ms: int = 0) -> datetime:
    """Return an instant after NOW."""
    return NOW + timedelta(hours=hours, seconds=seconds, milliseconds=ms)


def make_client(name: str = "vera-tv") -> User:
    """Return a client: the owner of keys, permissions and sessions."""
    return User.objects.create_user(username=name)


def make_vendor(
    client: User, *, slug: str = "vendor123", price: int | None = None, heartbeat: int | None = None
) -> Vendor:
    """Return one of a client's vendors; the price is in zatoshis per hour."""
    return Vendor.objects.create(
        client=client,
        slug=slug,
        name=slug,
        price_zat_per_hour=price,
        heartbeat_seconds=heartbeat,
        created_at=NOW,
    )


def make_permission(
    client: User,
    *,
    wallet: str = ALICE,
    requested: int = 10 * ZEC,
    rate: int = 250_000_000,
    now: datetime = NOW,
    expires_at: datetime | None = None,
    pay_before: datetime | None = None,
) -> SpendingPermission:
    """Return an unpaid permission without asking a wallet; amounts in zatoshis."""
    number = next(_numbers)
    permission = SpendingPermission.objects.create(
        client=client,
        wallet_address=wallet,
        requested_zat=requested,
        rate_zat_per_hour=rate,
        duration_days=30,
        payment_address=f"address-{number}",
        diversifier_index=number,
        created_at=now,
        expires_at=expires_at or now + timedelta(days=30),
        pay_before=pay_before or min(expires_at or now + timedelta(days=30), now + timedelta(days=1)),
    )
    audit.record(
        permission,
        action=AuditAction.CREATED,
        before_zat=0,
        effective_at=now,
        booked_at=now,
        actor="tests",
    )
    return permission


def see_deposit(
    permission: SpendingPermission, *, amount: int, now: datetime = NOW, confirmations: int = 10
) -> Deposit:
    """Return a deposit as the watcher records one; it is not credited."""
    return Deposit.objects.create(
        permission=permission,
        txid=f"{next(_numbers):064x}",
        pool="sapling",
        output_index=0,
        amount_zat=amount,
        height=100 if confirmations else None,
        block_hash=f"{100:064x}" if confirmations else None,
        confirmations=confirmations,
        first_seen_at=now,
    )


def pay(permission: SpendingPermission, amount: int | None = None, *, now: datetime = NOW) -> None:
    """Pay a permission (what it asks for, unless told) and let the payment be credited."""
    see_deposit(permission, amount=permission.requested_zat if amount is None else amount, now=now)
    funding.credit(permission.pk, now=now)
    permission.refresh_from_db()


def make_active_permission(client: User, **kwargs: object) -> SpendingPermission:
    """Return a permission that is paid: active, or queued behind the wallet's active one."""
    permission = make_permission(client, **kwargs)  # type: ignore[arg-type]
    now = kwargs.get("now", NOW)
    assert isinstance(now, datetime)
    pay(permission, now=now)
    return permission
