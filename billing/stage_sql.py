"""The statements of `billing.stage`: one reads all that a call needs, one writes all that it changes."""

from typing import NamedTuple

from billing.authorization_sql import OWES_NOTHING
from billing.ledger_sql import POSTED, POSTED_UNITS
from billing.models import Transaction
from core import jsonrows, outbox
from sessions_app import sql as sessions_sql
from zcash.models import SpendingPermission
from zcash.sql import NOTED

# The open sessions of a viewer, what runs on the source that pays, all transactions of one session, the
# vendors of all these and the one that is asked for; the other permissions that are queued or have paid, and
# the authorisations that have paid or, linked to the wallet, could.
_FOUND = """
s AS MATERIALIZED (
    SELECT * FROM sessions_session
    WHERE client_id = %(client_id)s AND wallet_address = {viewer} AND status IN ('active', 'paused')
), x AS MATERIALIZED (
    SELECT * FROM billing_transaction WHERE {source} AND status = 'open'
    UNION
    SELECT * FROM billing_transaction WHERE session_id = (SELECT id FROM s WHERE code = %(code)s)
), v AS (
    SELECT * FROM sessions_vendor WHERE id IN (SELECT vendor_id FROM s)
    UNION
    SELECT * FROM sessions_vendor WHERE client_id = %(client_id)s AND slug = %(slug)s
), p AS (
    SELECT * FROM zcash_permission WHERE id IN (SELECT permission_id FROM x) AND {other_permission}
    UNION
    SELECT * FROM zcash_permission
    WHERE client_id = %(client_id)s AND wallet_address = {wallet} AND status = 'queued'
), a AS (
    SELECT * FROM billing_authorization
    WHERE id IN (SELECT authorization_id FROM x) AND {other_authorization}
    UNION
    SELECT * FROM billing_authorization a
    WHERE client_id = %(client_id)s AND linked_wallet_address = {wallet} AND status = 'active'
      AND {owes_nothing}
)
SELECT (SELECT jsonb_agg(to_jsonb(s) ORDER BY id) FROM s),
       (SELECT jsonb_agg(to_jsonb(x) ORDER BY id) FROM x),
       (SELECT jsonb_agg(to_jsonb(v)) FROM v),
       (SELECT jsonb_agg(to_jsonb(p) ORDER BY queued_at, id) FROM p),
       (SELECT jsonb_agg(to_jsonb(a) ORDER BY id) FROM a)
"""
LOAD = "WITH " + _FOUND.format(
    owes_nothing=OWES_NOTHING.strip(),
    viewer="%(wallet_address)s",
    wallet="%(wallet_address)s",
    source="permission_id = %(source_id)s",
    other_permission="id <> %(source_id)s",
    other_authorization="true",
)
# The same of an authorisation: its viewer has two addresses at most.
LOAD_AUTHORIZED = "WITH " + _FOUND.format(
    owes_nothing=OWES_NOTHING.strip(),
    viewer="ANY(%(wallets)s::text[])",
    wallet="%(wallet_address)s",
    source="authorization_id = %(source_id)s",
    other_permission="true",
    other_authorization="id <> %(source_id)s",
)

# The permission that a client's session runs on.
LOCK_PAYER = f"""
SELECT {jsonrows.columns(SpendingPermission, "p")} FROM zcash_permission p
JOIN billing_transaction x ON x.permission_id = p.id AND x.status = 'open'
JOIN sessions_session s ON s.id = x.session_id
WHERE s.client_id = %(client_id)s AND s.code = %(code)s
FOR NO KEY UPDATE OF p
"""

# The same without a lock, with all that `LOAD` finds: a row of nulls where the session does not run. The last
# column is the authorisation that it runs on instead.
_WALLET_OF_PAYER = "(SELECT wallet_address FROM payer)"
_READ = _FOUND.format(
    owes_nothing=OWES_NOTHING.strip(),
    viewer=_WALLET_OF_PAYER,
    wallet=_WALLET_OF_PAYER,
    source="permission_id = (SELECT id FROM payer)",
    other_permission="id <> (SELECT id FROM payer)",
    other_authorization="true",
)
READ = f"""
WITH payer AS MATERIALIZED (
    SELECT p.* FROM zcash_permission p
    JOIN billing_transaction x ON x.permission_id = p.id AND x.status = 'open'
    JOIN sessions_session s ON s.id = x.session_id
    WHERE s.client_id = %(client_id)s AND s.code = %(code)s
), {_READ.rstrip()},
       (SELECT jsonb_agg(to_jsonb(payer)) FROM payer),
       CASE WHEN NOT EXISTS (SELECT 1 FROM payer) THEN (
           SELECT x.authorization_id FROM billing_transaction x
           JOIN sessions_session s ON s.id = x.session_id AND x.status = 'open'
           WHERE s.client_id = %(client_id)s AND s.code = %(code)s
       ) END
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
# The end of a transaction that a permission has paid, and of one that an authorisation is charged for.
_CLOSED = f"""
closed AS (
    UPDATE billing_transaction
    SET status = 'confirmed', ended_at = %(at)s, amount_zat = %(amount)s
    WHERE id = %(transaction_id)s AND status = 'open'
    RETURNING id, session_id, permission_id, amount_zat, ended_at
), {POSTED}
SELECT (SELECT id FROM session) AS session, (SELECT id FROM closed) AS transaction
"""
_OWED = f"""
closed AS (
    UPDATE billing_transaction
    SET status = %(final_status)s, ended_at = %(at)s, amount_units = %(amount)s, due_units = %(due_units)s
    WHERE id = %(transaction_id)s AND status = 'open'
    RETURNING id, session_id, authorization_id, asset, amount_units, ended_at
), {POSTED_UNITS}
SELECT (SELECT id FROM session) AS session, (SELECT id FROM closed) AS transaction
"""
_MOVED = """
moved AS (
    UPDATE billing_transaction SET billable_until = %(billable_until)s
    WHERE id = %(transaction_id)s AND status = 'open' RETURNING id
)
SELECT (SELECT id FROM session) AS session, (SELECT id FROM moved) AS transaction
"""

# Settles one locked authorisation and notes what runs on it from then on, as `zcash.sql.NOTED` does.
_CHARGED = """
drawn AS (
    UPDATE billing_authorization a
    SET charged_units = a.charged_units + %(drawn)s, settled_at = %(at)s,
        open_transactions = %(open_transactions)s, meter_rate_units_per_hour = %(meter_rate)s,
        meter_started_at = %(meter_started_at)s, next_event_at = %(next_event_at)s
    WHERE a.id = %(source_id)s RETURNING a.id
)
"""


class Writes(NamedTuple):
    """What each call writes, a statement each."""

    start: str
    resume: str
    end: str
    pause: str
    renew: str


def _writes(noted: str, closed: str) -> Writes:
    return Writes(
        start=f"WITH {noted}, {sessions_sql.OPENED}, {outbox.GIVEN}, {_RUNS}",
        resume=f"WITH {noted}, {sessions_sql.RESUMED}, {outbox.GIVEN}, {_RUNS}",
        end=f"WITH {noted}, {sessions_sql.ENDED}, {outbox.GIVEN}, {closed}",
        pause=f"WITH {noted}, {sessions_sql.PAUSED}, {outbox.GIVEN}, {closed}",
        renew=f"WITH {noted}, {sessions_sql.LEASED}, {_MOVED}",
    )


PAID = _writes(NOTED, _CLOSED)
AUTHORIZED = _writes(_CHARGED, _OWED)
