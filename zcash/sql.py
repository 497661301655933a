"""Every raw statement on the tables of this app. What they write, nobody else writes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from core import db


class Page(NamedTuple):
    """What a statement over a page of permissions did; ids ascend, `last_id` is None behind the last page."""

    last_id: int | None
    drawn: int
    left: list[int]


# Lowers what remains of each permission in `source` (place, version, drawn_zat, settled_to) and moves its
# `settled_at`; one audit row each, none for a zero difference. A row no longer in that version (`ctid`
# finds it, `xmin` names it) is left alone: somebody was faster.
_DRAWN_AND_LOGGED = """
drawn AS (
    UPDATE zcash_permission p
    SET remaining_zat = p.remaining_zat - source.drawn_zat, settled_at = source.settled_to
    FROM source WHERE p.ctid = source.place AND p.xmin = source.version
    RETURNING p.id, p.remaining_zat, source.drawn_zat, source.settled_to
), logged AS (
    INSERT INTO zcash_permission_audit
        (permission_id, created_at, effective_at, amount_before_zat, amount_after_zat, action, actor)
    SELECT id, %(booked_at)s, settled_to, remaining_zat + drawn_zat, remaining_zat, 'settled', %(actor)s
    FROM drawn WHERE drawn_zat > 0
)
"""

# The next page, by primary key, of metered permissions not settled up to the instant. Only a row that
# is still in the version that this statement's snapshot sees is drawn from: the open transactions that
# `source` reads beside it are then those that belong to it. A row that was changed after the snapshot was
# taken may have others: it is left.
_DRAW_PAGE = """
WITH page AS MATERIALIZED (
    SELECT id, ctid AS place, xmin AS version, settled_at, remaining_zat, expires_at FROM zcash_permission
    WHERE open_transactions > 0 AND id > %(after_id)s AND settled_at < %(to)s
    ORDER BY id LIMIT %(limit)s
), claimed AS ({claimed}), source AS MATERIALIZED ({source}),
{drawn_and_logged}
SELECT (SELECT max(id) FROM page), (SELECT count(*) FROM drawn),
       CASE WHEN (SELECT count(*) FROM page) = (SELECT count(*) FROM drawn) THEN '{{}}'
            ELSE ARRAY(SELECT id FROM page EXCEPT SELECT id FROM drawn ORDER BY id) END
"""

# Every row of the page: the UPDATE waits for whoever holds one. Locking all of them first costs a fifth more.
_ALL = "SELECT * FROM page"

# The rows of the page that nobody holds, locked.
_FREE = """
    SELECT page.* FROM page JOIN zcash_permission p ON p.ctid = page.place AND p.xmin = page.version
    FOR NO KEY UPDATE OF p SKIP LOCKED
"""

# One permission that the caller has locked and computed.
_DRAW_ONE = """
WITH source AS (
    SELECT ctid AS place, xmin AS version, %(drawn_zat)s::bigint AS drawn_zat,
           %(to)s::timestamptz AS settled_to
    FROM zcash_permission WHERE id = %(permission_id)s
),
{drawn_and_logged}
SELECT count(*) FROM drawn
"""


def draw_page(
    source: str,
    *,
    after_id: int,
    limit: int,
    to: datetime,
    booked_at: datetime,
    actor: str,
    skip_busy: bool,
) -> Page:
    """Draw from the next page of metered permissions what a SELECT over `claimed` says.

    `source` selects (place, version, drawn_zat, settled_to) from `claimed` (id, place, version, settled_at,
    remaining_zat, expires_at) and its own app's tables; what it leaves out comes back as `left`. A row that
    somebody holds is left too with `skip_busy`; without, it is waited for, as long as `lock_timeout` says.
    """
    db.require_transaction()
    claimed = _FREE if skip_busy else _ALL
    statement = _DRAW_PAGE.format(claimed=claimed, source=source, drawn_and_logged=_DRAWN_AND_LOGGED)
    parameters = {
        "after_id": after_id,
        "limit": limit,
        "to": to,
        "booked_at": booked_at,
        "actor": actor,
    }
    return Page(*db.row(statement, parameters))


def draw_one(permission_id: int, *, drawn_zat: int, to: datetime, booked_at: datetime, actor: str) -> None:
    """Draw an amount from one locked permission and move its `settled_at`."""
    db.require_transaction()
    parameters = {
        "permission_id": permission_id,
        "drawn_zat": drawn_zat,
        "to": to,
        "booked_at": booked_at,
        "actor": actor,
    }
    (drawn,) = db.row(_DRAW_ONE.format(drawn_and_logged=_DRAWN_AND_LOGGED), parameters)
    assert drawn == 1, "the caller holds the permission's lock"


# A received output as the node tells it now: inserted at first sight, its place in the chain renewed while
# it is not credited; one that was reversed or given up is seen again. A credited one keeps the block that it
# was credited from: a later check compares it. A list asked for before a reversal does not undo it.
_RECORD_RECEIPT = """
INSERT INTO zcash_deposit (permission_id, txid, pool, output_index, amount_zat, status, height, block_hash,
                           confirmations, first_seen_at, quarantined)
VALUES (%(permission_id)s, %(txid)s, %(pool)s, %(output_index)s, %(amount_zat)s, 'seen', %(height)s,
        %(block_hash)s, %(confirmations)s, %(now)s, %(quarantined)s)
ON CONFLICT ON CONSTRAINT zcash_deposit_once DO UPDATE
SET status = 'seen', height = EXCLUDED.height, block_hash = EXCLUDED.block_hash,
    confirmations = EXCLUDED.confirmations, quarantined = EXCLUDED.quarantined
WHERE zcash_deposit.status <> 'confirmed' AND zcash_deposit.permission_id = EXCLUDED.permission_id
      AND zcash_deposit.amount_zat = EXCLUDED.amount_zat
      AND (zcash_deposit.status <> 'reversed' OR zcash_deposit.reversed_at <= %(now)s)
RETURNING id, xmax = 0
"""

# Deposits of one permission that wait for confirmations and that the node no longer shows: no longer mined.
_UNMINE_MISSING = """
UPDATE zcash_deposit SET height = NULL, block_hash = NULL, confirmations = 0
WHERE permission_id = %(permission_id)s AND status = 'seen' AND height >= %(since_height)s
  AND id <> ALL(%(shown)s::bigint[])
"""


def record_receipt(parameters: Mapping[str, Any]) -> tuple[int, bool] | None:
    """Write what the node says about one output; return (deposit id, first seen now), None if settled."""
    found = db.rows(_RECORD_RECEIPT, parameters)
    return (found[0][0], found[0][1]) if found else None


def unmine_missing(*, permission_id: int, shown: list[int], since_height: int) -> int:
    """Take the confirmations from deposits that a list from a height on no longer shows; return how many."""
    parameters = {"permission_id": permission_id, "shown": shown, "since_height": since_height}
    return db.execute(_UNMINE_MISSING, parameters)
