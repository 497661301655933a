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
    SET previous_zat = CASE WHEN p.open_transactions > 0 THEN p.remaining_zat ELSE p.previous_zat END,
        settled_at = CASE WHEN p.open_transactions > 0 THEN s.at ELSE p.settled_at END,
        remaining_zat = p.remaining_zat - s.drawn_zat, open_transactions = 0,
        meter_rate_zat_per_hour = NULL, meter_started_at = NULL, next_event_at = NULL,
        status = CASE WHEN s.expires THEN 'expired' WHEN s.exhausts THEN 'exhausted' ELSE p.status END,
        closed_at = CASE WHEN s.expires THEN s.at ELSE p.closed_at END,
        refund_due = CASE WHEN s.expires THEN p.remaining_zat > s.drawn_zat ELSE p.refund_due END
    FROM source s WHERE p.id = s.permission_id AND p.status = 'active'
    RETURNING p.id, p.public_id, p.client_id, p.wallet_address, p.remaining_zat, s.at, s.exhausts, s.expires,
              p.remaining_zat + s.drawn_zat AS before_zat
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
        activated_at = CASE WHEN q.alive = 1 THEN q.at ELSE p.activated_at END,
        settled_at = CASE WHEN q.alive = 1 THEN q.at ELSE p.settled_at END,
        closed_at = CASE WHEN q.alive = 0 THEN q.expires_at END,
        refund_due = q.alive = 0 AND p.remaining_zat > 0
    FROM queue q WHERE p.id = q.id AND (q.alive = 0 OR (q.alive = 1 AND q.expires_at > q.at))
    RETURNING p.id, p.public_id, p.client_id, p.wallet_address, p.remaining_zat, p.status, q.left_id, q.at,
              p.expires_at
), steps AS (
    SELECT id, 0 AS step, 'settled' AS action, before_zat, remaining_zat AS after_zat, at, public_id,
           client_id, wallet_address
    FROM gone WHERE before_zat > remaining_zat
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
), logged AS ({logged}), announced AS ({announced})
SELECT coalesce(array_agg(left_id ORDER BY id), '{{}}'), coalesce(array_agg(id ORDER BY id), '{{}}')
FROM turned WHERE status = 'active'
"""

# Both as `zcash.permissions.change_status` writes them.
_LOGGED = """
INSERT INTO zcash_permission_audit
    (permission_id, created_at, effective_at, amount_before_zat, amount_after_zat, action, actor)
SELECT id, %(booked_at)s, at, before_zat, after_zat, action, %(actor)s FROM steps ORDER BY at, step, id
"""
_ANNOUNCED = """
SELECT 'permission.' || action AS kind, client_id, public_id AS subject,
       jsonb_build_object(
           'permission_id', public_id, 'user_wallet_address', wallet_address,
           'status', CASE action WHEN 'activated' THEN 'active' ELSE action END,
           'remaining_zat', after_zat, 'effective_at', paygo_iso(at)) AS payload
FROM steps WHERE action <> 'settled' ORDER BY at, step, id
"""

# Active permissions without meters whose last day is over, locked.
_LOCK_EXPIRED = """
SELECT coalesce(array_agg(id), '{}') FROM (
    SELECT id FROM zcash_permission
    WHERE status = 'active' AND open_transactions = 0 AND expires_at <= %(now)s
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
) expired
"""
_EXPIRED = """
SELECT id AS permission_id, expires_at AS at, 0::bigint AS drawn_zat, false AS exhausts, true AS expires
FROM zcash_permission WHERE id = ANY(%(ids)s)
"""

# Permissions that are not active and whose time is over: the last day, or the payment window without enough
# money in sight at the first look after its end. One that waits behind an active permission to which
# something happens may have become active before its own last day: it is left until that has happened.
_END_WAITING = """
WITH due AS MATERIALIZED (
    SELECT p.id, p.status, CASE p.status WHEN 'pending' THEN p.pay_before ELSE p.expires_at END AS at
    FROM zcash_permission p
    WHERE (
        p.status IN ('queued', 'exhausted', 'suspended') AND p.expires_at <= %(now)s
        AND (p.status <> 'queued' OR NOT EXISTS (
            SELECT 1 FROM zcash_permission a
            WHERE a.client_id = p.client_id AND a.wallet_address = p.wallet_address AND a.status = 'active'
              AND least(a.next_event_at, a.expires_at) <= %(now)s))
    ) OR (
        p.status = 'pending' AND p.pay_before <= %(now)s
        AND (p.expires_at <= %(now)s OR p.requested_zat > (
            SELECT coalesce(sum(d.amount_zat), 0) FROM zcash_deposit d
            WHERE d.permission_id = p.id AND d.status IN ('seen', 'confirmed')
              AND d.first_seen_at <= p.window_closed_at))
        AND (p.expires_at <= %(now)s OR p.window_closed_at IS NOT NULL)
    )
    ORDER BY p.id LIMIT %(limit)s FOR NO KEY UPDATE OF p SKIP LOCKED
), gone AS (
    UPDATE zcash_permission p
    SET status = CASE due.status WHEN 'pending' THEN 'lapsed' ELSE 'expired' END, closed_at = due.at,
        suspended_for = NULL, refund_due = p.remaining_zat > 0
    FROM due WHERE p.id = due.id
    RETURNING p.id, p.public_id, p.client_id, p.wallet_address, p.remaining_zat, p.status, due.at
), steps AS (
    SELECT id, 0 AS step, status AS action, remaining_zat AS before_zat, remaining_zat AS after_zat, at,
           public_id, client_id, wallet_address
    FROM gone
), logged AS ({logged}), announced AS ({announced})
SELECT count(*) FROM gone
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
    statement = _LEAVE.format(source=source, logged=_LOGGED, announced=outbox.emitting(_ANNOUNCED))
    written = {**parameters, "booked_at": booked_at, "actor": audit.ENGINE}
    return Succession(*db.row(statement, written))


def expire_active(*, limit: int, now: datetime) -> int:
    """End active permissions without meters at the end of their last day; return how many; a step.

    A busy one is left; a busy queue raises.
    """
    db.require_transaction()
    (ids,) = db.row(_LOCK_EXPIRED, {"now": now, "limit": limit})
    lock_queues(ids)
    leave(_EXPIRED, {"ids": ids}, booked_at=now)
    return len(ids)


def end_waiting(*, limit: int, now: datetime) -> int:
    """End what is not active and whose time is over; return how many; a step. A busy one is left."""
    db.require_transaction()
    statement = _END_WAITING.format(logged=_LOGGED, announced=outbox.emitting(_ANNOUNCED))
    parameters = {"now": now, "limit": limit, "booked_at": now, "actor": audit.ENGINE}
    (ended,) = db.row(statement, parameters)
    return int(ended)


def start_meters(source: str, parameters: Mapping[str, Any]) -> int:
    """Let one meter each run on locked, active permissions without any; return on how many; a step.

    `source` is a SELECT (permission_id, rate_zat_per_hour, started_at, next_event_at).
    """
    db.require_transaction()
    return db.execute(_START_METERS.format(source=source), parameters)
