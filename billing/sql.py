"""Every raw statement of the engine; what it writes of permissions goes through `zcash.sql.draw`."""

from datetime import datetime

from core.amounts import MS_PER_HOUR
from zcash.sql import CLAIMED


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
_USED_AT_TO = amount("x.rate_zat_per_hour", elapsed_ms("x.started_at", _TO))
_USED_AT_SETTLED = amount("x.rate_zat_per_hour", elapsed_ms("x.started_at", "p.settled_at"))

# What each claimed permission without an event at or before the instant has used since it was settled.
# A permission that would be emptied, that expires, or one of whose transactions reaches its bound, has an
# event: it is left to the event path.
CLAIMED_WITHOUT_EVENT = f"""
SELECT p.id AS permission_id,
       sum({_USED_AT_TO} - {_USED_AT_SETTLED})::bigint AS drawn_zat,
       {_TO} AS settled_to
FROM unnest({CLAIMED}) AS claimed (id)
JOIN zcash_permission p ON p.id = claimed.id
JOIN billing_transaction x ON x.permission_id = p.id AND x.status = 'open'
WHERE p.settled_at < {_TO} AND p.expires_at > {_TO}
GROUP BY p.id
HAVING min(x.billable_until) > {_TO}
   AND sum({_USED_AT_TO} - {_USED_AT_SETTLED}) < p.remaining_zat
"""

# The difference that one locked permission has used, computed by the caller.
ONE_DRAW = """
SELECT %(permission_id)s::bigint AS permission_id, %(drawn_zat)s::bigint AS drawn_zat, %(to)s::timestamptz
       AS settled_to
"""

# The natural plan of the statements above scans both tables once a chunk; the engine asks for index scans.
PLANNER = """
SET LOCAL random_page_cost = 1.1; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
"""


def draw_parameters(*, to: datetime, booked_at: datetime, actor: str) -> dict[str, object]:
    """Return the parameters of a draw from `CLAIMED_WITHOUT_EVENT`."""
    return {"to": to, "booked_at": booked_at, "actor": actor}
