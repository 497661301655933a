"""Ends of sessions by the set: the same step as `sessions_app.sessions.end_session`, over any number."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core import db, outbox

# Each open session of `source` (session_id, at, reason) ended at its instant, with its event.
_END = """
WITH source AS MATERIALIZED ({source}),
ended AS (
    UPDATE sessions_session s SET status = 'ended', ended_at = source.at, end_reason = source.reason
    FROM source WHERE s.id = source.session_id AND s.status <> 'ended'
    RETURNING s.*
), announced AS ({announced})
SELECT count(*) FROM ended
"""

_ANNOUNCED = """
SELECT 'session.ended' AS kind, e.client_id, e.public_id AS subject,
       jsonb_build_object(
           'session_id', e.public_id, 'session_code', e.code, 'user_wallet_address', e.wallet_address,
           'vendor_id', v.slug, 'rate_per_hour', paygo_zec(e.rate_zat_per_hour),
           'started_at', paygo_iso(e.started_at), 'ended_at', paygo_iso(e.ended_at),
           'end_reason', e.end_reason) || {cost} AS payload
FROM ended e JOIN sessions_vendor v ON v.id = e.vendor_id ORDER BY e.ended_at, e.id
"""

# Why a session `s` ends at its own bound (`StreamingSession.bound_reason`).
BOUND_REASON = "CASE WHEN s.lease_until < s.capped_at THEN 'heartbeat_lost' ELSE 'max_duration' END"
# Until when a session `s` may be billed (`StreamingSession.billable_until`).
BILLABLE_UNTIL = "least(s.capped_at, s.lease_until)"


# Paused sessions whose last instant to be resumed is over; whoever is busy with one ends it himself.
_PAUSES_OVER = """
SELECT id AS session_id, resume_by AS at, 'pause_expired' AS reason FROM sessions_session
WHERE status = 'paused' AND resume_by <= %(now)s ORDER BY resume_by LIMIT %(limit)s
FOR NO KEY UPDATE SKIP LOCKED
"""


def end_pauses(*, limit: int, now: datetime, cost: str) -> int:
    """End paused sessions that were not resumed in time; return how many; a step. A busy one is left."""
    return end(_PAUSES_OVER, {"now": now, "limit": limit}, booked_at=now, cost=cost)


def end(source: str, parameters: Mapping[str, Any], *, booked_at: datetime, cost: str) -> int:
    """End open sessions at their instants, as a SELECT (session_id, at, reason) says; return how many.

    `cost` is the SQL of what the event of a session `e` says of its cost, a JSON object.
    """
    db.require_transaction()
    announced = outbox.emitting(_ANNOUNCED.format(cost=cost))
    statement = _END.format(source=source, announced=announced)
    (ended,) = db.row(statement, {**parameters, "booked_at": booked_at})
    return int(ended)
