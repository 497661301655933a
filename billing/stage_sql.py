"""The statements of `billing.stage`: one reads all that a call needs, one writes all that it changes."""

from billing.ledger_sql import POSTED
from billing.models import Transaction
from core import jsonrows, outbox
from sessions_app import sql as sessions_sql
from zcash.models import SpendingPermission
from zcash.sql import NOTED

# The open sessions of a wallet, what runs on its active permission, all transactions of one session, the
# vendors of all these and the one that is asked for, and the other permissions that are queued or have paid.
_FOUND = """
s AS MATERIALIZED (
    SELECT * FROM sessions_session
    WHERE client_id = %(client_id)s AND wallet_address = {wallet_address} AND status IN ('active', 'paused')
), x AS MATERIALIZED (
    SELECT * FROM billing_transaction WHERE permission_id = {permission_id} AND status = 'open'
    UNION
    SELECT * FROM billing_transaction WHERE session_id = (SELECT id FROM s WHERE code = %(code)s)
), v AS (
    SELECT * FROM sessions_vendor WHERE id IN (SELECT vendor_id FROM s)
    UNION
    SELECT * FROM sessions_vendor WHERE client_id = %(client_id)s AND slug = %(slug)s
), p AS (
    SELECT * FROM zcash_permission
    WHERE id IN (SELECT permission_id FROM x) AND id <> {permission_id}
    UNION
    SELECT * FROM zcash_permission
    WHERE client_id = %(client_id)s AND wallet_address = {wallet_address} AND status = 'queued'
)
SELECT (SELECT jsonb_agg(to_jsonb(s) ORDER BY id) FROM s),
       (SELECT jsonb_agg(to_jsonb(x) ORDER BY id) FROM x),
       (SELECT jsonb_agg(to_jsonb(v)) FROM v),
       (SELECT jsonb_agg(to_jsonb(p) ORDER BY queued_at, id) FROM p)
"""
_LOCKED = _FOUND.format(wallet_address="%(wallet_address)s", permission_id="%(permission_id)s")
LOAD = f"WITH {_LOCKED}"

# The permission that a client's session runs on.
LOCK_PAYER = f"""
SELECT {jsonrows.columns(SpendingPermission, "p")} FROM zcash_permission p
JOIN billing_transaction x ON x.permission_id = p.id AND x.status = 'open'
JOIN sessions_session s ON s.id = x.session_id
WHERE s.client_id = %(client_id)s AND s.code = %(code)s
FOR NO KEY UPDATE OF p
"""

# The same without a lock, with all that `LOAD` finds: a row of nulls where the session does not run.
_READ = _FOUND.format(
    wallet_address="(SELECT wallet_address FROM payer)", permission_id="(SELECT id FROM payer)"
)
READ = f"""
WITH payer AS MATERIALIZED (
    SELECT p.* FROM zcash_permission p
    JOIN billing_transaction x ON x.permission_id = p.id AND x.status = 'open'
    JOIN sessions_session s ON s.id = x.session_id
    WHERE s.client_id = %(client_id)s AND s.code = %(code)s
), {_READ.rstrip()},
       (SELECT jsonb_agg(to_jsonb(payer)) FROM payer)
"""

_TRANSACTION_COLUMNS = jsonrows.insert_columns(Transaction)
_RUNS = f"""
opened AS (
    INSERT INTO billing_transaction ({_TRANSACTION_COLUMNS})
    SELECT {_TRANSACTION_COLUMNS} FROM session, LATERAL jsonb_populate_record(
        NULL::billing_transaction, %(transaction)s::jsonb || jsonb_build_object('session_id', session.id))
    RETURNING id
)
SELECT (SELECT id FROM session) AS session, (SELECT id FROM opened) AS transaction
"""
START = f"WITH {NOTED}, {sessions_sql.OPENED}, {outbox.GIVEN}, {_RUNS}"
RESUME = f"WITH {NOTED}, {sessions_sql.RESUMED}, {outbox.GIVEN}, {_RUNS}"
_CLOSED = f"""
closed AS (
    UPDATE billing_transaction
    SET status = 'confirmed', ended_at = %(at)s, amount_zat = %(amount_zat)s
    WHERE id = %(transaction_id)s AND status = 'open'
    RETURNING id, session_id, permission_id, amount_zat, ended_at
), {POSTED}
SELECT (SELECT id FROM session) AS session, (SELECT id FROM closed) AS transaction
"""
END = f"WITH {NOTED}, {sessions_sql.ENDED}, {outbox.GIVEN}, {_CLOSED}"
PAUSE = f"WITH {NOTED}, {sessions_sql.PAUSED}, {outbox.GIVEN}, {_CLOSED}"
RENEW = f"""
WITH {NOTED}, {sessions_sql.LEASED}, moved AS (
    UPDATE billing_transaction SET billable_until = %(billable_until)s
    WHERE id = %(transaction_id)s AND status = 'open' RETURNING id
)
SELECT (SELECT id FROM session) AS session, (SELECT id FROM moved) AS transaction
"""
