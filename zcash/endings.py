"""Permissions that stop being active, by the set: what they are drawn, their new states, and their heirs.

The same steps as `billing.metering` makes on one permission, as one statement over any number of locked ones.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from core import db, outbox
from zcash import audit


class Succession(NamedTuple):
    """Whom the wallets' sessions go on with: permissions that ended, each with its heir, in step."""

    left: list[int]
    heirs: list[int]


# Each permission of `source` (permission_id, at, drawn_zat, exhausts, expires) settled at its instant,
# without meters and in the state that it has from then on. Then the queue behind each that ended: whoever
# expired before its turn is passed over, at its own instant; the first that did not becomes active.
_LEAVE = """
WITH source AS MATERIALIZED ({source}),
gone AS (
    UPDATE zcash_permission p
    SET previous_zat = p.remaining_zat, remaining_zat = p.remaining_zat - s.drawn_zat,
        settled_at = s.at, open_transactions = 0, meter_rate_zat_per_hour = NULL, meter_started_at = NULL,
        next_event_at = NULL,
        status = CASE WHEN s.expires THEN 'expired' WHEN s.exhausts THEN 'exhausted' ELSE p.status END,
        closed_at = CASE WHEN s.expires THEN s.at ELSE p.closed_at END,
        refund_due = CASE WHEN s.expires THEN p.remaining_zat > s.drawn_zat ELSE p.refund_due END
    FROM source s WHERE p.id = s.permission_id AND p.status = 'active'
    RETURNING p.id, p.public_id, p.client_id, p.wallet_address, p.previous_zat, p.remaining_zat, s.at,
              s.exhausts, s.expires
), queue AS MATERIALIZED (
    SELECT q.id, q.expires_at, g.id AS left_id, g.at,
           count(*) FILTER (WHERE q.expires_at > g.at)
               OVER (PARTITION BY g.id ORDER BY q.queued_at, q.id) AS alive
    FROM gone g JOIN zcash_permission q
        ON q.client_id = g.client_id AND q.wallet_address = g.wallet_address AND q.status = 'queued'
    WHERE g.exhausts OR g.expires
), turned AS (
    UPDATE zcash_permission p
    SET status = CASE WHEN q.alive = 1 THEN 'active' ELSE 'expired' END,
        activated_at = CASE WHEN q.alive = 1 THEN q.at END, settled_at = CASE WHEN q.alive = 1 THEN q.at END,
        closed_at = CASE WHEN q.alive = 0 THEN q.expires_at END,
        refund_due = q.alive = 0 AND p.remaining_zat > 0
    FROM queue q WHERE p.id = q.id AND (q.alive = 0 OR (q.alive = 1 AND q.expires_at > q.at))
    RETURNING p.id, p.public_id, p.client_id, p.wallet_address, p.remaining_zat, p.status, q.left_id, q.at,
              p.expires_at
), steps AS (
    SELECT id, 0 AS step, 'settled' AS action, previous_zat AS before_zat, remaining_zat AS after_zat, at,
           public_id, client_id, wallet_address
    FROM gone WHERE previous_zat > remaining_zat
    UNION ALL
    SELECT id, 1, 'exhausted', remaining_zat, remaining_zat, at, public_id, client_id, wallet_address
    FROM gone WHERE exhausts
    UNION ALL
    SELECT id, 2, 'expired', remaining_zat, remaining_zat, at, public_id, client_id, wallet_address
    FROM gone WHERE expires
    UNION ALL
    SELECT id, 3, 'expired', remaining_zat, remaining_zat, expires_at, public_id, client_id, wallet_address
    FROM turned WHERE status = 'expired'
    UNION ALL
    SELECT id, 4, 'activated', remaining_zat, remaining_zat, at, public_id, client_id, wallet_address
    FROM turned WHERE status = 'active'
), logged AS (
    INSERT INTO zcash_permission_audit
        (permission_id, created_at, effective_at, amount_before_zat, amount_after_zat, action, actor)
    SELECT id, %(booked_at)s, at, before_zat, after_zat, action, %(actor)s FROM steps ORDER BY at, step, id
), announced AS ({announced})
SELECT coalesce(array_agg(left_id ORDER BY id), '{{}}'), coalesce(array_agg(id ORDER BY id), '{{}}')
FROM turned WHERE status = 'active'
"""

_ANNOUNCED = """
SELECT 'permission.' || action AS kind, client_id, public_id AS subject,
       jsonb_build_object(
           'permission_id', public_id, 'user_wallet_address', wallet_address,
           'status', CASE action WHEN 'activated' THEN 'active' ELSE action END,
           'remaining_zat', after_zat, 'effective_at', paygo_iso(at)) AS payload
FROM steps WHERE action <> 'settled' ORDER BY at, step, id
"""

# What waits behind some locked permissions. Nobody joins a queue meanwhile: whoever queues a permission locks
# the active one first.
_LOCK_QUEUES = """
SELECT count(*) FROM (
    SELECT q.id FROM zcash_permission p
    JOIN zcash_permission q ON q.client_id = p.client_id AND q.wallet_address = p.wallet_address
    WHERE p.id = ANY(%(ids)s) AND q.status = 'queued' ORDER BY q.id FOR NO KEY UPDATE OF q NOWAIT
) locked
"""

# The one meter of each permission of `source` (permission_id, rate_zat_per_hour, started_at, next_event_at).
_START_METERS = """
WITH source AS ({source})
UPDATE zcash_permission p
SET open_transactions = 1, meter_rate_zat_per_hour = s.rate_zat_per_hour, meter_started_at = s.started_at,
    next_event_at = s.next_event_at
FROM source s WHERE p.id = s.permission_id AND p.open_transactions = 0 AND p.status = 'active'
"""


def lock_queues(ids: list[int]) -> None:
    """Lock what waits behind some permissions that the caller has locked; a busy one raises; a step."""
    db.require_transaction()
    db.row(_LOCK_QUEUES, {"ids": ids})


def leave(source: str, parameters: Mapping[str, Any], *, booked_at: datetime) -> Succession:
    """Settle locked, active permissions at their instants and let those that end there be succeeded; a step.

    `source` is a SELECT (permission_id, at, drawn_zat, exhausts, expires); what ends neither way stays active
    without meters. The caller has locked the queues too.
    """
    db.require_transaction()
    statement = _LEAVE.format(source=source, announced=outbox.emitting(_ANNOUNCED))
    written = {**parameters, "booked_at": booked_at, "actor": audit.ENGINE}
    return Succession(*db.row(statement, written))


def start_meters(source: str, parameters: Mapping[str, Any]) -> int:
    """Let one meter each run on locked, active permissions without any; return on how many; a step.

    `source` is a SELECT (permission_id, rate_zat_per_hour, started_at, next_event_at).
    """
    db.require_transaction()
    return db.execute(_START_METERS.format(source=source), parameters)
