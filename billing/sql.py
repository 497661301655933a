"""Every raw statement of the engine; what it writes of permissions goes through `zcash.sql.draw_page`."""

from core.amounts import MS_PER_HOUR


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
_USED_AT_TO = amount("x.rate_zat_per_hour", elapsed_ms("x.started_at", f"least({_TO}, x.billable_until)"))
_USED_AT_SETTLED = amount("x.rate_zat_per_hour", elapsed_ms("x.started_at", "claimed.settled_at"))

# What each claimed permission without an event at or before the instant has used since it was settled.
# A permission that would be emptied, that expires, or one of whose transactions reaches its bound, has an
# event: it is left to the event path.
USED_WITHOUT_EVENT = f"""
SELECT claimed.place, claimed.version, used.drawn_zat, {_TO} AS settled_to
FROM claimed
CROSS JOIN LATERAL (
    SELECT sum({_USED_AT_TO} - {_USED_AT_SETTLED})::bigint AS drawn_zat, min(x.billable_until) AS bound
    FROM billing_transaction x
    WHERE x.permission_id = claimed.id AND x.status = 'open'
) used
WHERE claimed.expires_at > {_TO} AND used.bound > {_TO} AND used.drawn_zat < claimed.remaining_zat
"""

# Of the claimed permissions, none.
NOTHING = f"""
SELECT claimed.place, claimed.version, 0::bigint AS drawn_zat, {_TO} AS settled_to FROM claimed WHERE false
"""

# The limits and habits of a chunk. The natural plan of such a page scans both tables; the engine asks for
# what follows the page's rows. What a crash loses of an interval's deductions, the next one derives again:
# nothing was announced, so nobody waits for the disk.
CHUNK_SETTINGS = """
SET LOCAL random_page_cost = 1.1; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL synchronous_commit = off; SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '50ms'
"""
