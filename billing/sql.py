"""Every raw statement of the engine; what it writes of permissions goes through `zcash.sql`, `.endings`."""

from billing.ledger_sql import POSTED
from core.amounts import MS_PER_HOUR
from sessions_app.endings import BILLABLE_UNTIL, BOUND_REASON


def amount(rate: str, elapsed_ms: str) -> str:
    """Return SQL for floor(rate * milliseconds / 3_600_000) in BIGINT.

    The product of the largest rate (2.1e15 zat/h) and a year does not fit; taken apart at the divisor
    it is exact and fits for 100 days, the longest that a transaction may last.
    """
    hour = MS_PER_HOUR
    return f"(({rate}) / {hour} * ({elapsed_ms}) + mod({rate}, {hour}) * ({elapsed_ms}) / {hour})"


def elapsed_ms(since: str, until: str) -> str:
    """Return SQL for the whole milliseconds between two instants that are whole milliseconds themselves."""
    return f"round(date_part('epoch', ({until}) - ({since})) * 1000)::bigint"


_TO = "%(to)s::timestamptz"

# What the one meter of a permission `p` has used from `settled_at` to an instant before its next event.
USED_BY_METER = "({} - {})".format(
    amount("p.meter_rate_zat_per_hour", elapsed_ms("p.meter_started_at", _TO)),
    amount("p.meter_rate_zat_per_hour", elapsed_ms("p.meter_started_at", "p.settled_at")),
)

# What all meters of some locked permissions have used, of those to which nothing happens up to the instant.
USED_BY_METERS = """
SELECT p.id AS permission_id, sum({} - {})::bigint AS drawn_zat
FROM zcash_permission p
JOIN billing_transaction x ON x.permission_id = p.id AND x.status = 'open'
WHERE p.id = ANY(%(ids)s) AND p.settled_at < %(to)s AND p.next_event_at > %(to)s
GROUP BY p.id
""".format(
    amount("x.rate_zat_per_hour", elapsed_ms("x.started_at", _TO)),
    amount("x.rate_zat_per_hour", elapsed_ms("x.started_at", "p.settled_at")),
)


def depletes_at(rate: str, *, since: str, zat: str) -> str:
    """Return SQL for the first whole millisecond at which a meter's running total reaches an amount.

    No transaction lasts 104 days: a later depletion is as good as none, and overflows nothing.
    """
    ms = f"least(div(({zat})::numeric * {MS_PER_HOUR} + ({rate}) - 1, {rate}), 9000000000)"
    return f"(({since}) + {ms}::bigint * interval '1 millisecond')"


def affordable_until(rate: str, *, since: str, zat: str) -> str:
    """Return SQL for the last whole millisecond at which a meter's running total is at most an amount.

    Like `rules.longest_ms`; where the amount is NULL, a later instant than any transaction's last.
    """
    ms = f"least(div((({zat})::numeric + 1) * {MS_PER_HOUR} - 1, {rate}), 9000000000)"
    return f"(({since}) + {ms}::bigint * interval '1 millisecond')"


# Of a permission `p` and its one open transaction `x`.
_SETTLED_ZAT = amount("x.rate_zat_per_hour", elapsed_ms("x.started_at", "p.settled_at"))
_DEPLETES_AT = depletes_at(
    "x.rate_zat_per_hour", since="x.started_at", zat=f"{_SETTLED_ZAT} + p.remaining_zat"
)

# Of some permissions, those of wallets that no authorisation is linked to.
WITHOUT_FALLBACK = """
SELECT p.id FROM zcash_permission p
WHERE p.id = ANY(%(ids)s) AND NOT EXISTS (
    SELECT 1 FROM billing_authorization a
    WHERE a.client_id = p.client_id AND a.linked_wallet_address = p.wallet_address AND a.status = 'active')
"""

# The one transaction of each locked permission whose first event is due ends at that instant. At depletion
# it gets all that was left: `settled` is what it was drawn already. Its charge is posted with it.
CLOSE_AT_EVENT = f"""
WITH plan AS MATERIALIZED (
    SELECT x.id, x.rate_zat_per_hour, x.started_at, {_SETTLED_ZAT} + p.remaining_zat AS whole_zat,
           {_DEPLETES_AT} AS depletes_at, least({_DEPLETES_AT}, x.billable_until, p.expires_at) AS at
    FROM zcash_permission p JOIN billing_transaction x ON x.permission_id = p.id AND x.status = 'open'
    WHERE p.id = ANY(%(ids)s)
), closed AS (
    UPDATE billing_transaction x
    SET status = 'confirmed', ended_at = plan.at,
        amount_zat = CASE WHEN plan.at = plan.depletes_at THEN plan.whole_zat
            ELSE {amount("plan.rate_zat_per_hour", elapsed_ms("plan.started_at", "plan.at"))} END
    FROM plan WHERE x.id = plan.id AND plan.at <= {_TO}
    RETURNING x.id, x.session_id, x.permission_id, x.amount_zat, x.ended_at
), {POSTED}
SELECT id FROM closed
"""

# What just closed transactions mean for their permissions, which nobody has written yet.
LEAVING = f"""
SELECT x.permission_id, x.ended_at AS at, x.amount_zat - {_SETTLED_ZAT} AS drawn_zat,
       x.amount_zat - {_SETTLED_ZAT} = p.remaining_zat AS exhausts, p.expires_at <= x.ended_at AS expires
FROM billing_transaction x JOIN zcash_permission p ON p.id = x.permission_id
WHERE x.id = ANY(%(closed)s)
"""

# The sessions of just closed transactions, each with the heir of its permission that covers its price.
_SUCCEEDED = """
billing_transaction x
JOIN sessions_session s ON s.id = x.session_id
JOIN zcash_permission p ON p.id = x.permission_id
LEFT JOIN unnest(%(left)s::bigint[], %(heirs)s::bigint[]) AS succession (left_id, heir_id)
    ON succession.left_id = p.id AND x.ended_at < x.billable_until
LEFT JOIN zcash_permission heir
    ON heir.id = succession.heir_id AND heir.rate_zat_per_hour >= s.rate_zat_per_hour
WHERE x.id = ANY(%(closed)s)
"""

ENDING_SESSIONS = f"""
SELECT s.id AS session_id, x.ended_at AS at,
       CASE WHEN x.ended_at >= x.billable_until AND x.billable_until < {BILLABLE_UNTIL} THEN 'spending_cap'
            WHEN x.ended_at >= x.billable_until THEN {BOUND_REASON}
            WHEN p.remaining_zat = 0 THEN 'exhausted' ELSE 'permission_expired' END AS reason
FROM {_SUCCEEDED} AND heir.id IS NULL
"""

# What the event of the end of a session `e` says of its cost, as `billing.records.cost` does.
COST = f"""
(SELECT jsonb_build_object(
    'amount', paygo_zec(coalesce(sum(t.amount) FILTER (WHERE t.asset = 'ZEC'), 0)::bigint),
    'duration_seconds', round(sum(t.ms) / 1000, 3),
    'totals', jsonb_agg(jsonb_build_object('asset', t.asset, 'amount_units', t.amount::text,
                                           'decimals', t.decimals) ORDER BY t.first))
 FROM (SELECT x.asset, coalesce(a.decimals, 8) AS decimals, min(x.id) AS first,
              sum(coalesce(x.amount_zat, x.amount_units)) AS amount,
              sum({elapsed_ms("x.started_at", "x.ended_at")}) AS ms
       FROM billing_transaction x LEFT JOIN billing_authorization a ON a.id = x.authorization_id
       WHERE x.session_id = e.id GROUP BY x.asset, coalesce(a.decimals, 8)) t)
"""

# What a session takes along: its own bounds, and what its last transaction left of its spending cap.
_LEFT_ZAT = "x.max_amount_zat - x.amount_zat"
_AFFORDABLE = affordable_until("s.rate_zat_per_hour", since="x.ended_at", zat=_LEFT_ZAT)

ROLL_OVER = f"""
INSERT INTO billing_transaction (public_id, session_id, permission_id, rate_zat_per_hour, started_at,
                                 billable_until, max_amount_zat, status)
SELECT gen_random_uuid(), s.id, heir.id, s.rate_zat_per_hour, x.ended_at,
       least({BILLABLE_UNTIL}, {_AFFORDABLE}), {_LEFT_ZAT}, 'open'
FROM {_SUCCEEDED} AND heir.id IS NOT NULL
RETURNING id
"""

STARTED_METERS = f"""
SELECT p.id AS permission_id, x.rate_zat_per_hour, x.started_at,
       least({_DEPLETES_AT}, x.billable_until, p.expires_at) AS next_event_at
FROM billing_transaction x JOIN zcash_permission p ON p.id = x.permission_id
WHERE x.id = ANY(%(opened)s)
"""

# The limits and habits of a chunk: it follows the index of what is metered. What a crash loses of an
# interval's deductions, the next one derives again: nothing was announced, so nobody waits for the disk.
CHUNK_SETTINGS = """
SET LOCAL random_page_cost = 1.1; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL synchronous_commit = off; SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '50ms'
"""

# Events change states and are announced: their commits are waited for.
EVENT_SETTINGS = """
SET LOCAL random_page_cost = 1.1; SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '50ms'
"""
