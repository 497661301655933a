"""Statements on the ledger's table: charges of what becomes final, posted by the statement that closes it."""

_COLUMNS = "kind, debit, debit_of, credit, credit_of, asset, amount_units, cause_id, at, booked_at"

# The charge of each just closed transaction, and the platform's share of it: its session's, or, where that is
# older than frozen shares, the vendor's as it is now. It reads `closed` (id, session_id, permission_id,
# amount_zat, ended_at), a part of the same statement.
POSTED = f"""
due AS (
    SELECT c.id, c.permission_id, c.amount_zat, c.ended_at, s.vendor_id,
           div(c.amount_zat::numeric * coalesce(s.fee_bps, v.fee_bps), 10000) AS fee_zat
    FROM closed c
    JOIN sessions_session s ON s.id = c.session_id JOIN sessions_vendor v ON v.id = s.vendor_id
    WHERE c.amount_zat > 0
), posted AS (
    INSERT INTO billing_transfer ({_COLUMNS})
    SELECT 'charge', 'permission', permission_id, 'vendor', vendor_id, 'ZEC', amount_zat, id, ended_at,
           %(booked_at)s::timestamptz
    FROM due
    UNION ALL
    SELECT 'fee', 'vendor', vendor_id, 'fees', 0, 'ZEC', fee_zat, id, ended_at, %(booked_at)s::timestamptz
    FROM due WHERE fee_zat > 0
)
"""

# The same of what an authorisation is charged for: `closed` (id, session_id, authorization_id, asset,
# amount_units, ended_at).
POSTED_UNITS = f"""
due AS (
    SELECT c.*, s.vendor_id, div(c.amount_units * coalesce(s.fee_bps, v.fee_bps), 10000) AS fee_units
    FROM closed c
    JOIN sessions_session s ON s.id = c.session_id JOIN sessions_vendor v ON v.id = s.vendor_id
    WHERE c.amount_units > 0
), posted AS (
    INSERT INTO billing_transfer ({_COLUMNS})
    SELECT 'chain_charge', 'authorization', authorization_id, 'vendor', vendor_id, asset, amount_units, id,
           ended_at, %(booked_at)s::timestamptz
    FROM due
    UNION ALL
    SELECT 'fee', 'vendor', vendor_id, 'fees', 0, asset, fee_units, id, ended_at, %(booked_at)s::timestamptz
    FROM due WHERE fee_units > 0
)
"""

POST_CLOSED_UNITS = f"""
WITH closed AS (
    SELECT id, session_id, authorization_id, asset, amount_units, ended_at FROM billing_transaction
    WHERE id = ANY(%(closed)s) AND status <> 'open'
), {POSTED_UNITS}
SELECT count(*) FROM due
"""

# The same as POSTED for transactions that were closed by statements of their own.
POST_CLOSED = f"""
WITH closed AS (
    SELECT id, session_id, permission_id, amount_zat, ended_at FROM billing_transaction
    WHERE id = ANY(%(closed)s) AND status <> 'open'
), {POSTED}
SELECT count(*) FROM due
"""

# What an account has got less what it has given, of one asset.
BALANCE = """
SELECT (SELECT coalesce(sum(amount_units), 0) FROM billing_transfer
        WHERE credit = %(account)s AND credit_of = %(of)s AND asset = %(asset)s)
     - (SELECT coalesce(sum(amount_units), 0) FROM billing_transfer
        WHERE debit = %(account)s AND debit_of = %(of)s AND asset = %(asset)s)
"""

_SIDES = """
    SELECT {columns}, amount_units AS units FROM billing_transfer
    WHERE credit = %(account)s AND credit_of = %(of)s AND asset = %(asset)s AND {part}
    UNION ALL
    SELECT {columns}, -amount_units FROM billing_transfer
    WHERE debit = %(account)s AND debit_of = %(of)s AND asset = %(asset)s AND {part}
"""
# Of a payout's statement: what it is made of, leaving out other payouts. Null: every kind.
_OF_KINDS = "(%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))"
_BEFORE = (
    "(booked_at < %(since)s::timestamptz"
    " OR id <= %(after)s AND booked_at < coalesce(%(until)s::timestamptz, 'infinity'))"
    f" AND {_OF_KINDS}"
)
_WITHIN = (
    "id > %(after)s AND booked_at >= coalesce(%(since)s::timestamptz, '-infinity')"
    f" AND booked_at < coalesce(%(until)s::timestamptz, 'infinity') AND {_OF_KINDS}"
)

# What an account had before a page of its statement; a page behind another one has that one's lines before.
OPENING = f"""
SELECT coalesce(sum(units), 0) FROM ({_SIDES.format(columns="id", part=_BEFORE)}) earlier
"""

# The page itself, in the order of booking.
LINES = f"""
SELECT id, kind, units, cause_id, at, booked_at
FROM ({_SIDES.format(columns="id, kind, cause_id, at, booked_at", part=_WITHIN)}) page
ORDER BY id LIMIT %(limit)s
"""

# What a vendor has earned, the platform's share, what of both was booked since an instant, and what is left.
EARNINGS = f"""
SELECT coalesce(sum(units) FILTER (WHERE kind = 'charge'), 0),
       -coalesce(sum(units) FILTER (WHERE kind = 'fee'), 0),
       coalesce(sum(units) FILTER (WHERE kind IN ('charge', 'fee') AND booked_at >= %(since)s), 0),
       coalesce(sum(units), 0)
FROM ({_SIDES.format(columns="kind, booked_at", part="true")}) moved
"""

# What all vendors together have earned since an instant. It is read beside TOTALS, which reads all there is.
PENDING = """
SELECT coalesce(sum(CASE kind WHEN 'charge' THEN amount_units ELSE -amount_units END), 0)
FROM billing_transfer
WHERE asset = 'ZEC' AND kind IN ('charge', 'fee') AND booked_at >= %(since)s
"""

# The same of what a vendor has earned in each token, booked before an instant; what the wallets have not
# paid of it, what he was paid, and the rest. A collection pays a running total: of what a transaction cost
# that is paid which lies below it, and of the vendor's share as much in proportion, rounded down.
CHAIN_EARNINGS = """
WITH moved AS (
    SELECT kind, asset, cause_id, amount_units AS units FROM billing_transfer
    WHERE credit = %(account)s AND credit_of = %(of)s AND asset <> 'ZEC'
      AND booked_at < coalesce(%(until)s::timestamptz, 'infinity')
    UNION ALL
    SELECT kind, asset, cause_id, -amount_units FROM billing_transfer
    WHERE debit = %(account)s AND debit_of = %(of)s AND asset <> 'ZEC'
      AND booked_at < coalesce(%(until)s::timestamptz, 'infinity')
), shares AS (
    SELECT asset, cause_id, sum(units) AS units FROM moved WHERE kind IN ('chain_charge', 'fee')
    GROUP BY asset, cause_id
), charged AS (
    SELECT s.asset, s.units, x.authorization_id, x.amount_units, x.due_units
    FROM shares s JOIN billing_transaction x ON x.id = s.cause_id
), collected AS (
    SELECT credit_of AS authorization_id, sum(amount_units) AS units FROM billing_transfer
    WHERE credit = 'authorization' AND credit_of IN (SELECT authorization_id FROM charged)
      AND booked_at < coalesce(%(until)s::timestamptz, 'infinity')
    GROUP BY credit_of
), unpaid AS (
    SELECT c.asset, sum(c.units - div(c.units
        * least(c.amount_units, greatest(0, coalesce(p.units, 0) - (c.due_units - c.amount_units))),
        c.amount_units)) AS units
    FROM charged c LEFT JOIN collected p USING (authorization_id) GROUP BY c.asset
)
SELECT m.asset, coalesce(sum(m.units) FILTER (WHERE kind = 'chain_charge'), 0),
       -coalesce(sum(m.units) FILTER (WHERE kind = 'fee'), 0), coalesce(min(u.units), 0),
       -coalesce(sum(m.units) FILTER (WHERE kind = 'chain_payout'), 0),
       sum(m.units) - coalesce(min(u.units), 0)
FROM moved m LEFT JOIN unpaid u USING (asset) GROUP BY m.asset ORDER BY m.asset
"""

# What of a vendor's payouts is on its way, and what has left the wallet.
PAID_OUT = """
SELECT coalesce(sum(amount_zat) FILTER (WHERE status NOT IN ('sent', 'confirmed', 'cancelled')), 0),
       coalesce(sum(amount_zat) FILTER (WHERE status IN ('sent', 'confirmed')), 0)
FROM billing_payout WHERE vendor_id = %(vendor)s
"""

# All accounts of a kind together, by kind and asset.
TOTALS = """
SELECT account, asset, sum(units)::numeric AS units FROM (
    SELECT credit AS account, asset, amount_units AS units FROM billing_transfer
    UNION ALL
    SELECT debit, asset, -amount_units FROM billing_transfer
) moved GROUP BY account, asset ORDER BY account, asset
"""
