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

# The limits and habits of a chunk: it follows the index of what is metered. What a crash loses of an
# interval's deductions, the next one derives again: nothing was announced, so nobody waits for the disk.
CHUNK_SETTINGS = """
SET LOCAL random_page_cost = 1.1; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL synchronous_commit = off; SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '50ms'
"""
