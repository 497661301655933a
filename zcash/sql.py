"""Every raw statement on the tables of this app. What they write, nobody else writes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from core import db, jsonrows
from zcash.models import SpendingPermission

# The first half of the advisory locks on pages; the second names the page.
_PAGE_LOCKS = db.advisory_number("interval page") & 0x7FFFFFFF


class Page(NamedTuple):
    """What a statement over a page of permissions did; `last_id` is None behind the last page.

    `due` is how many had to be settled, None where another engine is at this page; `drawn` how many were.
    """

    last_id: int | None
    due: int | None
    drawn: int


class Left(NamedTuple):
    """The primary keys of what a page left: several meters on one permission, an event, somebody's lock."""

    shared: list[int]
    events: list[int]
    busy: list[int]


# One audit row for each settlement in `drawn`, none for a zero difference.
_LOGGED = """
logged AS (
    INSERT INTO zcash_permission_audit
        (permission_id, created_at, effective_at, amount_before_zat, amount_after_zat, action, actor)
    SELECT id, %(booked_at)s, settled_at, previous_zat, remaining_zat, 'settled', %(actor)s
    FROM drawn WHERE previous_zat > remaining_zat
)
"""
_RETURNING = "RETURNING p.id, p.previous_zat, p.remaining_zat, p.settled_at"

# The page of metered permissions behind a key. It depends on the keys alone, so that all engines cut the
# same pages; whoever comes second to one goes on with the next (`mine`).
_PAGE = """
page AS MATERIALIZED (
    SELECT max(id) AS last_id, count(*) FILTER (WHERE {due}) AS due,
           pg_try_advisory_xact_lock(%(lock_class)s, hashint8(%(after_id)s)) AS mine
    FROM (
        SELECT id, settled_at, next_event_at FROM zcash_permission
        WHERE open_transactions > 0 AND id > %(after_id)s ORDER BY id LIMIT %(limit)s
    ) ids
)
"""
_IN_PAGE = "p.open_transactions > 0 AND p.id > %(after_id)s AND p.id <= (SELECT last_id FROM page WHERE mine)"
# What was settled a moment ago, by another engine, is left alone.
_DUE = "(settled_at < %(before)s OR next_event_at <= %(to)s)"

# Settles the permissions of a page that have one meter and no event. Everything it computes with is in the
# row that it updates: where somebody was faster, PostgreSQL computes again with what he wrote.
_DRAW_PAGE = f"""
WITH {_PAGE.format(due=_DUE)}, drawn AS (
    UPDATE zcash_permission p
    SET remaining_zat = p.remaining_zat - {{used}}, previous_zat = p.remaining_zat, settled_at = %(to)s
    WHERE {_IN_PAGE} AND p.settled_at < %(before)s AND p.next_event_at > %(to)s
      AND p.meter_rate_zat_per_hour IS NOT NULL {{free}}
    {_RETURNING}
), {_LOGGED}
SELECT last_id, CASE WHEN mine THEN due END, (SELECT count(*) FROM drawn) FROM page
"""

# Waiting for whoever holds a row is a fifth cheaper than locking all of them first.
_FREE = f"""
AND p.id = ANY(ARRAY(
    SELECT p.id FROM zcash_permission p WHERE {_IN_PAGE} FOR NO KEY UPDATE SKIP LOCKED
))
"""

_LEFT = f"""
SELECT coalesce(array_agg(id ORDER BY id) FILTER (WHERE NOT happens AND shared), '{{}}'),
       coalesce(array_agg(id ORDER BY id) FILTER (WHERE happens), '{{}}'),
       coalesce(array_agg(id ORDER BY id) FILTER (WHERE NOT happens AND NOT shared), '{{}}')
FROM (
    SELECT id, next_event_at <= %(to)s AS happens, meter_rate_zat_per_hour IS NULL AS shared
    FROM zcash_permission
    WHERE open_transactions > 0 AND id > %(after_id)s AND id <= %(last_id)s AND {_DUE}
) page
"""

_LOCK_DUE = """
SELECT coalesce(array_agg(id), '{}') FROM (
    SELECT id FROM zcash_permission
    WHERE id = ANY(%(ids)s) AND next_event_at <= %(to)s AND meter_rate_zat_per_hour IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
) free
"""

_LOCK_FREE = """
SELECT coalesce(array_agg(id), '{}') FROM (
    SELECT id FROM zcash_permission WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
) free
"""

# Settles locked permissions by what `source` says of each (permission_id, drawn_zat).
_DRAW = f"""
WITH source AS ({{source}}), drawn AS (
    UPDATE zcash_permission p
    SET remaining_zat = p.remaining_zat - source.drawn_zat, previous_zat = p.remaining_zat,
        settled_at = %(to)s
    FROM source WHERE p.id = source.permission_id
    {_RETURNING}
), {_LOGGED}
SELECT count(*) FROM drawn
"""

LOCK_ACTIVE = f"""
SELECT {jsonrows.columns(SpendingPermission, "p")} FROM zcash_permission p
WHERE p.client_id = %(client_id)s AND p.wallet_address = %(wallet_address)s AND p.status = 'active'
FOR NO KEY UPDATE
"""
LOCK_ACTIVE_NOW = f"{LOCK_ACTIVE} NOWAIT"

# Settles one locked permission and notes what runs on it from then on: `%(drawn)s` and the columns of
# the meter. A part of the statement of a call.
NOTED = f"""
drawn AS (
    UPDATE zcash_permission p
    SET remaining_zat = p.remaining_zat - %(drawn)s, previous_zat = p.remaining_zat, settled_at = %(at)s,
        open_transactions = %(open_transactions)s, meter_rate_zat_per_hour = %(meter_rate)s,
        meter_started_at = %(meter_started_at)s, next_event_at = %(next_event_at)s
    WHERE p.id = %(source_id)s
    {_RETURNING}
), {_LOGGED}
"""
_GIVEN = "SELECT %(permission_id)s::bigint AS permission_id, %(drawn_zat)s::bigint AS drawn_zat"


def draw_page(
    used: str,
    *,
    after_id: int,
    limit: int,
    to: datetime,
    before: datetime,
    booked_at: datetime,
    actor: str,
    skip_busy: bool,
) -> Page:
    """Settle the next page of metered permissions that were last settled before an instant.

    `used` is SQL over the columns of a permission `p` for what its one meter used from `settled_at` to
    `%(to)s`. What has several meters, or an event, is left. A row that somebody holds is left too with
    `skip_busy`; without, it is waited for, as long as `lock_timeout` says.
    """
    db.require_transaction()
    parameters = {
        "after_id": after_id,
        "limit": limit,
        "to": to,
        "before": before,
        "booked_at": booked_at,
        "actor": actor,
        "lock_class": _PAGE_LOCKS,
    }
    statement = _DRAW_PAGE.format(used=used, free=_FREE if skip_busy else "")
    return Page(*db.row(statement, parameters))


def left_of_page(*, after_id: int, last_id: int, to: datetime, before: datetime) -> Left:
    """Return what a page has left, and why."""
    parameters = {"after_id": after_id, "last_id": last_id, "to": to, "before": before}
    return Left(*db.row(_LEFT, parameters))


def lock_free(ids: Sequence[int]) -> list[int]:
    """Lock those of some permissions that nobody holds, in order, and return them; a step."""
    db.require_transaction()
    (free,) = db.row(_LOCK_FREE, {"ids": list(ids)})
    return list(free)


def lock_due(ids: Sequence[int], *, to: datetime) -> list[int]:
    """Lock those of some permissions that have one meter and an event up to an instant; a step.

    What somebody holds is left out.
    """
    db.require_transaction()
    (due,) = db.row(_LOCK_DUE, {"ids": list(ids), "to": to})
    return list(due)


def draw(source: str, parameters: Mapping[str, Any], *, to: datetime, booked_at: datetime, actor: str) -> int:
    """Draw from locked permissions what a SELECT (permission_id, drawn_zat) says; return from how many."""
    db.require_transaction()
    written = {**parameters, "to": to, "booked_at": booked_at, "actor": actor}
    (drawn,) = db.row(_DRAW.format(source=source), written)
    return int(drawn)


def draw_one(permission_id: int, *, drawn_zat: int, to: datetime, booked_at: datetime, actor: str) -> None:
    """Draw an amount from one locked permission and move its `settled_at`."""
    amount = {"permission_id": permission_id, "drawn_zat": drawn_zat}
    drawn = draw(_GIVEN, amount, to=to, booked_at=booked_at, actor=actor)
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
