"""Rows for tests, made by the verbs that make them in production wherever there is one.

The cast: Alice pays, Vera streams, Mallory must see nothing.
"""

import itertools
from datetime import UTC, datetime, timedelta

from django.db import transaction

from billing import engine, funding
from billing.engine import StartRequest
from billing.ethereum.rules import AuthorizationStatus, Binding
from billing.models_ethereum import Authorization
from core import db
from core.models import User
from sessions_app import vendors
from sessions_app.models import Vendor
from zcash import audit
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import NodeStatus
from zcash.rules import AuditAction

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZEC = 100_000_000
SYNCED = NodeStatus("regtest", 1, "1" * 64, "0" * 64, synced=True, reason="")
ALICE = "tmDiBBCsc5BM5MqT4hZ7HruX8ACJ3mPce5p"
USD = 10**6
ALICE_ETHEREUM = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MALLORY = "tmTGxF2krB6EgUzKFzcQhKboyFnUxjYiZM8"

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
    vendors.create(
        slug,
        client_id=client.pk,
        name=slug,
        price_zat_per_hour=price,
        heartbeat_seconds=heartbeat,
        actor="tests",
        now=NOW,
    )
    return Vendor.objects.get(client=client, slug=slug)


def make_permission(
    client: User,
    *,
    wallet: str = ALICE,
    requested: int = 10 * ZEC,
    rate: int = 250_000_000,
    now: datetime = NOW,
    expires_at: datetime | None = None,
    pay_before: datetime | None = None,
    max_sessions: int | None = None,
) -> SpendingPermission:
    """Return an unpaid permission without asking a wallet; amounts in zatoshis."""
    number = next(_numbers)
    permission = SpendingPermission(
        client=client,
        wallet_address=wallet,
        requested_zat=requested,
        rate_zat_per_hour=rate,
        duration_days=30,
        max_sessions=max_sessions,
        payment_address=f"address-{number}",
        diversifier_index=number,
        created_at=now,
        expires_at=expires_at or now + timedelta(days=30),
        pay_before=pay_before or min(expires_at or now + timedelta(days=30), now + timedelta(days=1)),
    )
    with transaction.atomic():
        permission.save(force_insert=True)
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


def make_authorization(
    client: User,
    *,
    wallet: str = ALICE_ETHEREUM,
    linked: str | None = ALICE,
    limit: int = 10 * USD,
    cutoff: int | None = None,
    rate: int = 1 * USD,
    now: datetime = NOW,
    expires_at: datetime | None = None,
) -> Authorization:
    """Return an active authorisation as the last reading of its chain left it; amounts in smallest units."""
    last = expires_at or now + timedelta(days=30)
    return Authorization.objects.create(
        client=client,
        wallet_address=wallet,
        linked_wallet_address=linked,
        chain_id=31337,
        token_address="0x" + "22" * 20,
        token_symbol="USDT",
        decimals=6,
        spender="0x" + "33" * 20,
        limit_units=limit,
        rate_units_per_hour=rate,
        nonce=next(_numbers),
        typed_data={},
        signature=b"signed",
        consented_at=now,
        status=AuthorizationStatus.ACTIVE,
        created_at=now,
        expires_at=last,
        collectable_until=last,
        verified_at=now,
        settled_at=now,
        cutoff_units=limit if cutoff is None else cutoff,
        binding=Binding.LIMIT if cutoff is None else Binding.CEILING,
    )


def stream(
    client: User,
    *,
    wallet: str = ALICE,
    vendor: str = "vendor123",
    ref: str = "",
    heartbeat: int | None = None,
    cap: int | None = None,
    now: datetime = NOW,
) -> str:
    """Start a session and return its code; the spending cap is in zatoshis."""
    request = StartRequest(wallet, vendor, ref, heartbeat, cap)
    return engine.start(request, client_id=client.pk, now=now).session_code


_CROWD = """
WITH paid AS (
    INSERT INTO zcash_permission (public_id, client_id, wallet_address, status, requested_zat,
        rate_zat_per_hour, duration_days, credited_zat, reversed_zat, remaining_zat, settled_at,
        open_transactions, meter_rate_zat_per_hour, meter_started_at, next_event_at, payment_address,
        diversifier_index, created_at, expires_at, pay_before, activated_at)
    SELECT gen_random_uuid(), %(client)s, 'wallet-' || n, 'active', %(zat)s, 100000000 + n, 90, %(zat)s, 0,
           %(zat)s, %(now)s, 1, 100000000 + n, %(now)s,
           %(now)s::timestamptz + least(
               interval '80 days',
               ceil(%(zat)s::numeric * 3600000 / (100000000 + n)) * interval '1 millisecond'),
           'crowd-' || %(client)s || '-' || n, -1000000 * (%(client)s %% 2000) - n, %(now)s,
           %(now)s::timestamptz + interval '90 days',
           %(now)s::timestamptz + interval '1 day', %(now)s
    FROM generate_series(1, %(n)s) n
    RETURNING id, wallet_address, rate_zat_per_hour
), deposited AS (
    INSERT INTO zcash_deposit (permission_id, txid, pool, output_index, amount_zat, status, height,
                               block_hash, confirmations, first_seen_at, credited_at)
    SELECT id, 'crowd-' || id, 'sapling', 0, %(zat)s, 'confirmed', 1, 'block', 10, %(now)s, %(now)s FROM paid
    RETURNING id, permission_id
), posted AS (
    INSERT INTO billing_transfer (kind, debit, debit_of, credit, credit_of, asset, amount_units, cause_id, at,
                                  booked_at)
    SELECT 'deposit', 'wallet', 0, 'permission', permission_id, 'ZEC', %(zat)s, id, %(now)s, %(now)s
    FROM deposited
), logged AS (
    INSERT INTO zcash_permission_audit (permission_id, created_at, effective_at, amount_before_zat,
                                        amount_after_zat, action, actor, details)
    SELECT id, %(now)s, %(now)s, 0, %(zat)s, 'credited', 'tests',
           jsonb_build_object('txid', 'crowd-' || id, 'pool', 'sapling', 'output_index', 0)
    FROM paid
), streaming AS (
    INSERT INTO sessions_session (public_id, code, client_id, wallet_address, vendor_id, client_ref,
                                  rate_zat_per_hour, status, started_at, capped_at)
    SELECT gen_random_uuid(), 'crowd-' || id, %(client)s, wallet_address, %(vendor)s, '', rate_zat_per_hour,
           'active', %(now)s, %(now)s::timestamptz + interval '80 days'
    FROM paid
    RETURNING id, wallet_address, rate_zat_per_hour
)
INSERT INTO billing_transaction (public_id, session_id, permission_id, rate_zat_per_hour, started_at,
                                 billable_until, status)
SELECT gen_random_uuid(), s.id, p.id, p.rate_zat_per_hour, %(now)s, %(now)s::timestamptz + interval '80 days',
       'open'
FROM paid p JOIN streaming s USING (wallet_address)
"""


def make_crowd(client: User, *, vendor: Vendor, size: int, amount: int = 10**11, now: datetime = NOW) -> None:
    """Make so many active permissions with one open session each, by the set, at a little over 1 ZEC/h."""
    db.execute(_CROWD, {"client": client.pk, "vendor": vendor.pk, "n": size, "zat": amount, "now": now})
