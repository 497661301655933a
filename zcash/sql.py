"""Every raw statement on the tables of this app. What they write, nobody else writes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from core import db


class Claim(NamedTuple):
    """A page of metered permissions: what was locked stays in the server, only its bounds come back."""

    last_id: int | None
    claimed: int
    skipped: list[int]


# The ids of the permissions that this transaction has claimed, where the next statement finds them.
CLAIMED = "current_setting('paygo.claimed')::bigint[]"

# A page, by primary key, of permissions with open transactions; each is locked unless somebody else has it.
# The ids wait in a transaction-local setting, because the statement that uses them needs a snapshot taken
# *after* the locks: one that is older would miss a transaction opened in between.
_CLAIM_PAGE = """
WITH page AS MATERIALIZED (
    SELECT id FROM zcash_permission
    WHERE open_transactions > 0 AND id > %(after_id)s AND id <= %(up_to_id)s
    ORDER BY id LIMIT %(limit)s
), claimed AS MATERIALIZED (
    SELECT p.id FROM zcash_permission p JOIN page USING (id)
    ORDER BY p.id FOR NO KEY UPDATE OF p SKIP LOCKED
)
SELECT (SELECT max(id) FROM page),
       (SELECT count(*) FROM claimed),
       ARRAY(SELECT id FROM page EXCEPT SELECT id FROM claimed ORDER BY id),
       length(set_config('paygo.claimed', ARRAY(SELECT id FROM claimed)::text, true))
"""

# Lowers what remains of each permission in the source and moves its `settled_at`; one audit row each, none
# for a zero difference.
_DRAW = """
WITH source AS MATERIALIZED ({source}),
drawn AS (
    UPDATE zcash_permission p
    SET remaining_zat = p.remaining_zat - source.drawn_zat, settled_at = source.settled_to
    FROM source WHERE p.id = source.permission_id
    RETURNING p.id, p.remaining_zat, source.drawn_zat, source.settled_to
), logged AS (
    INSERT INTO zcash_permission_audit
        (permission_id, created_at, effective_at, amount_before_zat, amount_after_zat, action, actor)
    SELECT id, %(booked_at)s, settled_to, remaining_zat + drawn_zat, remaining_zat, 'settled', %(actor)s
    FROM drawn WHERE drawn_zat > 0
)
SELECT count(*) FROM drawn
"""

# Of the claimed permissions, those that are not settled up to the instant.
_CLAIMED_UNSETTLED = f"""
SELECT id FROM zcash_permission WHERE id = ANY({CLAIMED}) AND settled_at < %(to)s ORDER BY id
"""


def claim_page(*, after_id: int, up_to_id: int, limit: int) -> Claim:
    """Lock the next page of metered permissions, skipping what is locked; ids ascend."""
    parameters = {"after_id": after_id, "up_to_id": up_to_id, "limit": limit}
    last_id, claimed, skipped, _ = db.row(_CLAIM_PAGE, parameters)
    return Claim(last_id, claimed, skipped)


def draw(source: str, parameters: Mapping[str, Any]) -> int:
    """Draw what a SELECT of (permission_id, drawn_zat, settled_to) says; return how many permissions.

    The caller holds the locks of the permissions. `parameters` has those of the source, and `booked_at`
    and `actor` for the audit rows.
    """
    db.require_transaction()
    (count,) = db.row(_DRAW.format(source=source), parameters)
    return int(count)


def claimed_unsettled(*, to: Any) -> list[int]:
    """Return the ids of the claimed permissions that the fast statement left: they have an event."""
    return [found for (found,) in db.rows(_CLAIMED_UNSETTLED, {"to": to})]

# A received output as the node tells it now: inserted at first sight, its place in the chain renewed while
# it is not credited. A credited one keeps the block that it was credited from: a later check compares it.
_RECORD_RECEIPT = """
INSERT INTO zcash_deposit (permission_id, txid, pool, output_index, amount_zat, status, height, block_hash,
                           confirmations, first_seen_at)
VALUES (%(permission_id)s, %(txid)s, %(pool)s, %(output_index)s, %(amount_zat)s, 'seen', %(height)s,
        %(block_hash)s, %(confirmations)s, %(now)s)
ON CONFLICT ON CONSTRAINT zcash_deposit_once DO UPDATE
SET height = EXCLUDED.height, block_hash = EXCLUDED.block_hash, confirmations = EXCLUDED.confirmations
WHERE zcash_deposit.status = 'seen' AND zcash_deposit.permission_id = EXCLUDED.permission_id
RETURNING id, xmax = 0
"""

# Deposits of one permission that wait for confirmations and that the node no longer shows: no longer mined.
_UNMINE_MISSING = """
UPDATE zcash_deposit SET height = NULL, block_hash = NULL, confirmations = 0
WHERE permission_id = %(permission_id)s AND status = 'seen' AND confirmations > 0
  AND id <> ALL(%(shown)s::bigint[])
"""


def record_receipt(parameters: Mapping[str, Any]) -> tuple[int, bool] | None:
    """Write what the node says about one output; return (deposit id, first seen now), None if settled."""
    found = db.rows(_RECORD_RECEIPT, parameters)
    return (found[0][0], found[0][1]) if found else None


def unmine_missing(*, permission_id: int, shown: list[int]) -> int:
    """Take the confirmations from deposits that the node no longer shows; return how many."""
    return db.execute(_UNMINE_MISSING, {"permission_id": permission_id, "shown": shown})
