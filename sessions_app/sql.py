"""Writes of one session, each a part of the one statement of a call; ends by the set are in `endings`."""

from core import jsonrows
from sessions_app.models import StreamingSession

_COLUMNS = jsonrows.insert_columns(StreamingSession)

# The session that `%(session)s`, the JSON object of its columns, says.
OPENED = f"""
session AS (
    INSERT INTO sessions_session ({_COLUMNS})
    SELECT {_COLUMNS} FROM jsonb_populate_record(NULL::sessions_session, %(session)s::jsonb)
    RETURNING id
)
"""

ENDED = """
session AS (
    UPDATE sessions_session SET status = 'ended', ended_at = %(at)s, end_reason = %(end_reason)s
    WHERE id = %(session_id)s AND status <> 'ended' RETURNING id
)
"""

PAUSED = """
session AS (
    UPDATE sessions_session SET status = 'paused', paused_at = %(at)s, resume_by = %(resume_by)s
    WHERE id = %(session_id)s AND status = 'active' RETURNING id
)
"""

# A paused session's bounds are those that it had left.
RESUMED = """
session AS (
    UPDATE sessions_session
    SET status = 'active', paused_at = NULL, resume_by = NULL, paused_ms = %(paused_ms)s,
        capped_at = %(capped_at)s, lease_until = %(lease_until)s
    WHERE id = %(session_id)s AND status = 'paused' RETURNING id
)
"""

LEASED = """
session AS (
    UPDATE sessions_session SET lease_until = %(lease_until)s
    WHERE id = %(session_id)s AND status = 'active' RETURNING id
)
"""
