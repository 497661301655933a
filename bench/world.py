"""A world of N active permissions with one running session each, made by the set."""

from datetime import UTC, datetime

from core import db

START = datetime(2026, 1, 1, tzinfo=UTC)

_WORLD = """
INSERT INTO core_user (id, username, password, first_name, last_name, email, is_superuser, is_staff,
                       is_active, date_joined)
VALUES (1, 'bench', '', '', '', '', false, false, true, %(start)s) ON CONFLICT DO NOTHING;
INSERT INTO sessions_vendor (id, client_id, slug, name, is_active, created_at)
VALUES (1, 1, 'vendor123', 'vendor123', true, %(start)s) ON CONFLICT DO NOTHING;
INSERT INTO zcash_permission (id, public_id, client_id, wallet_address, status, requested_zat,
    rate_zat_per_hour, duration_days, credited_zat, reversed_zat, remaining_zat, settled_at,
    open_transactions, meter_rate_zat_per_hour, meter_started_at, next_event_at, payment_address,
    diversifier_index, created_at, expires_at, pay_before, activated_at)
SELECT n, gen_random_uuid(), 1, 'wallet-' || n, 'active', 100000000000, 100000000 + n, 300, 100000000000,
       0, 100000000000, %(start)s, 1, 100000000 + n, %(start)s,
       %(start)s::timestamptz + interval '30 days', 'address-' || n, n, %(start)s,
       %(start)s::timestamptz + interval '300 days', %(start)s::timestamptz + interval '1 day', %(start)s
FROM generate_series(1, %(n)s) n;
INSERT INTO zcash_deposit (permission_id, txid, pool, output_index, amount_zat, status, height, block_hash,
                           confirmations, first_seen_at, credited_at)
SELECT n, 'tx-' || n, 'sapling', 0, 100000000000, 'confirmed', 1, 'block', 10, %(start)s, %(start)s
FROM generate_series(1, %(n)s) n;
INSERT INTO zcash_permission_audit (permission_id, created_at, effective_at, amount_before_zat,
                                    amount_after_zat, action, actor)
SELECT n, %(start)s, %(start)s, 0, 100000000000, 'credited', 'bench' FROM generate_series(1, %(n)s) n;
INSERT INTO sessions_session (id, public_id, code, client_id, wallet_address, vendor_id, client_ref,
                              rate_zat_per_hour, status, started_at, capped_at)
SELECT n, gen_random_uuid(), 'code-' || n, 1, 'wallet-' || n, 1, '', 100000000 + n, 'active', %(start)s,
       %(start)s::timestamptz + interval '90 days'
FROM generate_series(1, %(n)s) n;
INSERT INTO billing_transaction (public_id, session_id, permission_id, rate_zat_per_hour, started_at,
                                 billable_until, status)
SELECT gen_random_uuid(), n, n, 100000000 + n, %(start)s, %(start)s::timestamptz + interval '90 days', 'open'
FROM generate_series(1, %(n)s) n;
"""

# The same columns, indexes, constraints, triggers' absence apart, and fill factor: what PostgreSQL can do
# with these tables when nobody asks it any question.
_FLOOR = """
CREATE TABLE floor_permission (LIKE zcash_permission INCLUDING ALL) WITH (fillfactor = 45);
INSERT INTO floor_permission SELECT * FROM zcash_permission;
CREATE TABLE floor_audit (LIKE zcash_permission_audit INCLUDING ALL) PARTITION BY RANGE (created_at);
CREATE TABLE floor_audit_default PARTITION OF floor_audit DEFAULT;
"""

_EMPTY = """
SET session_replication_role = replica;
TRUNCATE billing_transaction, sessions_session, zcash_permission_audit, zcash_deposit, zcash_permission,
         billing_intervalrun, billing_refund;
DROP TABLE IF EXISTS floor_permission, floor_audit;
SET session_replication_role = origin;
"""

_TABLES = "zcash_permission, zcash_permission_audit, billing_transaction, floor_permission, floor_audit"


def build(permissions: int) -> None:
    """Replace what is there by N permissions, each with an open transaction, and the floor's copy."""
    db.execute(_EMPTY)
    for statement in filter(str.strip, _WORLD.split(";\n")):
        db.execute(statement, {"n": permissions, "start": START})
    db.execute(_FLOOR)
    for table in ("zcash_permission", "billing_transaction", "floor_permission"):
        # A vacuum in the middle of a slice would be somebody's bad luck: it is done between slices.
        db.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    settle_down()


def settle_down() -> None:
    """Leave the same hidden state to the next slice: no dead rows, statistics, nothing left to write."""
    db.execute(f"VACUUM (ANALYZE) {_TABLES}")
    db.execute("CHECKPOINT")
