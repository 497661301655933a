"""A world of N running sessions, made by the set, and the floor: copies of the two tables of an interval."""

from datetime import UTC, datetime

from core import db

START = datetime(2026, 1, 1, tzinfo=UTC)

_CLIENT = """
INSERT INTO core_user (id, username, password, first_name, last_name, email, is_superuser, is_staff,
                       is_active, date_joined)
VALUES (1, 'bench', '', '', '', '', false, false, true, %(start)s) ON CONFLICT DO NOTHING;
INSERT INTO sessions_vendor (id, client_id, slug, name, is_active, created_at)
VALUES (1, 1, 'vendor123', 'vendor123', true, %(start)s) ON CONFLICT DO NOTHING
"""

# `%(sessions)s` sessions spread evenly over `%(permissions)s` permissions.
_WORLD = """
INSERT INTO zcash_permission (id, public_id, client_id, wallet_address, status, requested_zat,
    rate_zat_per_hour, duration_days, credited_zat, reversed_zat, remaining_zat, settled_at,
    open_transactions, meter_rate_zat_per_hour, meter_started_at, next_event_at, payment_address,
    diversifier_index, created_at, expires_at, pay_before, activated_at)
SELECT n, gen_random_uuid(), 1, 'wallet-' || n, 'active', %(zat)s, 100000000 + %(permissions)s, 300, %(zat)s,
       0, %(zat)s, %(start)s, streams,
       CASE WHEN streams = 1 THEN 100000000 + n END, CASE WHEN streams = 1 THEN %(start)s::timestamptz END,
       CASE WHEN streams > 0 THEN %(start)s::timestamptz + interval '30 days' END,
       'address-' || n, n, %(start)s, %(start)s::timestamptz + interval '300 days',
       %(start)s::timestamptz + interval '1 day', %(start)s
FROM generate_series(1, %(permissions)s) n, (SELECT %(sessions)s::int / %(permissions)s AS streams) each_has;
INSERT INTO zcash_deposit (permission_id, txid, pool, output_index, amount_zat, status, height, block_hash,
                           confirmations, first_seen_at, credited_at)
SELECT n, 'tx-' || n, 'sapling', 0, %(zat)s, 'confirmed', 1, 'block', 10, %(start)s, %(start)s
FROM generate_series(1, %(permissions)s) n;
INSERT INTO billing_transfer (kind, debit, debit_of, credit, credit_of, asset, amount_units, cause_id, at,
                              booked_at)
SELECT 'deposit', 'wallet', 0, 'permission', permission_id, 'ZEC', amount_zat, id, %(start)s, %(start)s
FROM zcash_deposit;
INSERT INTO zcash_permission_audit (permission_id, created_at, effective_at, amount_before_zat,
                                    amount_after_zat, action, actor, details)
SELECT n, %(start)s, %(start)s, 0, %(zat)s, 'credited', 'bench',
       jsonb_build_object('txid', 'tx-' || n, 'pool', 'sapling', 'output_index', 0)
FROM generate_series(1, %(permissions)s) n;
INSERT INTO sessions_session (id, public_id, code, client_id, wallet_address, vendor_id, client_ref,
                              rate_zat_per_hour, status, started_at, capped_at)
SELECT n, gen_random_uuid(), 'code-' || n, 1, 'wallet-' || 1 + (n - 1) %% %(permissions)s, 1, 'ref-' || n,
       100000000 + 1 + (n - 1) %% %(permissions)s, 'active', %(start)s,
       %(start)s::timestamptz + interval '90 days'
FROM generate_series(1, %(sessions)s) n;
INSERT INTO billing_transaction (public_id, session_id, permission_id, rate_zat_per_hour, started_at,
                                 billable_until, status)
SELECT gen_random_uuid(), id, 1 + (id - 1) %% %(permissions)s, rate_zat_per_hour, started_at, capped_at,
       'open'
FROM sessions_session
"""

# The same columns, constraints, indexes, partitions, fill factor and foreign keys, those that point here
# included: what PostgreSQL can do with these tables when nobody asks it any question.
_FLOOR = """
CREATE TABLE floor_permission (LIKE zcash_permission INCLUDING ALL,
    FOREIGN KEY (client_id) REFERENCES core_user DEFERRABLE INITIALLY DEFERRED) WITH (fillfactor = 45);
INSERT INTO floor_permission SELECT * FROM zcash_permission;
CREATE TABLE floor_deposit (permission_id bigint REFERENCES floor_permission DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE floor_transaction (
    permission_id bigint REFERENCES floor_permission DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE floor_refund (permission_id bigint REFERENCES floor_permission DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE floor_audit (LIKE zcash_permission_audit INCLUDING ALL) PARTITION BY LIST (action);
CREATE TABLE floor_audit_settled PARTITION OF floor_audit FOR VALUES IN ('settled')
    PARTITION BY RANGE (created_at);
CREATE INDEX ON floor_audit_settled USING brin (created_at, permission_id)
    WITH (pages_per_range = 16, autosummarize = on);
CREATE TABLE floor_audit_settled_20260101 PARTITION OF floor_audit_settled
    FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-01-02 00:00+00')
"""

_EMPTY = """
SET session_replication_role = replica;
DROP TABLE IF EXISTS floor_deposit, floor_transaction, floor_refund, floor_permission, floor_audit;
TRUNCATE billing_transfer, billing_transaction, sessions_session, zcash_permission_audit, zcash_deposit,
         billing_refund, zcash_permission, billing_intervalrun, core_event, core_receipt CASCADE;
SET session_replication_role = origin
"""

_UPDATED = ("zcash_permission", "billing_transaction", "sessions_session", "floor_permission")
# So much for each session that no world ends while it is measured.
_ZAT = 100_000_000_000


def build(sessions: int, *, permissions: int | None = None, start: datetime = START) -> None:
    """Replace what is there by running sessions, one on each permission unless told; and the floor."""
    from zcash.history import leaves

    leaves.create_ahead(now=start)
    permissions = permissions or sessions
    zat = _ZAT * max(1, sessions // permissions)
    numbers = {"sessions": sessions, "permissions": permissions, "start": start, "zat": zat}
    for statements in (_EMPTY, _CLIENT, _WORLD, _FLOOR):
        for statement in statements.split(";\n"):
            db.execute(statement, numbers)
    for table in ("zcash_permission", "sessions_session", "billing_transaction"):
        # Whatever starts later comes behind what was numbered by hand.
        db.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1) FROM {table}"
        )
    for table in _UPDATED:
        # A vacuum in the middle of a slice would be somebody's bad luck: it is done between slices.
        db.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    settle_down()


def give_addresses() -> list[str]:
    """Give every permission a wallet address that the API takes; return them in order."""
    from zcash.addresses import Network, encode_p2pkh
    from zcash.models import SpendingPermission

    permissions = list(SpendingPermission.objects.order_by("id"))
    for each in permissions:
        each.wallet_address = encode_p2pkh(each.pk.to_bytes(20), network=Network.REGTEST)
    SpendingPermission.objects.bulk_update(permissions, ["wallet_address"])
    return [each.wallet_address for each in permissions]


def settle_down() -> None:
    """Leave the same hidden state to the next slice: no dead rows, statistics, nothing left to write."""
    db.execute(f"VACUUM (ANALYZE) {', '.join(_UPDATED)}")
    db.execute("CHECKPOINT")
