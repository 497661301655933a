"""The statements of an interval on authorisations; in NUMERIC, as a token's smallest units need it."""

from billing.ethereum.rules import BLAMELESS, CollectionStatus
from billing.sql import elapsed_ms
from core.amounts import MS_PER_HOUR

_TO = "%(to)s::timestamptz"


def _amount(until: str) -> str:
    """Return SQL for what the one meter of an authorisation `a` comes to at an instant."""
    ms = elapsed_ms("a.meter_started_at", until)
    return f"div(a.meter_rate_units_per_hour * {ms}, {MS_PER_HOUR})"


# What happens to the linked wallet's permission comes before: its sessions may roll over.
_FREE_OF_ITS_PERMISSION = f"""
NOT EXISTS (
    SELECT 1 FROM zcash_permission p
    WHERE p.client_id = a.client_id AND p.wallet_address = a.linked_wallet_address AND p.status = 'active'
      AND least(p.next_event_at, p.expires_at) <= {_TO}
)
"""
_DUE = f"(settled_at < %(before)s OR next_event_at <= {_TO})"

# Charges the authorisations of a page that have one meter and no event, but for those that somebody holds.
DRAW_PAGE = f"""
WITH page AS MATERIALIZED (
    SELECT id, {_DUE} AS due FROM billing_authorization
    WHERE open_transactions > 0 AND id > %(after_id)s ORDER BY id LIMIT %(limit)s
), free AS MATERIALIZED (
    SELECT a.id FROM billing_authorization a
    WHERE a.id IN (SELECT id FROM page WHERE due) AND a.settled_at < {_TO} AND a.next_event_at > {_TO}
      AND a.meter_rate_units_per_hour IS NOT NULL AND {_FREE_OF_ITS_PERMISSION}
    FOR NO KEY UPDATE OF a SKIP LOCKED
), drawn AS (
    UPDATE billing_authorization a
    SET charged_units = a.charged_units + {_amount(_TO)} - {_amount("a.settled_at")}, settled_at = {_TO}
    FROM free WHERE a.id = free.id
    RETURNING a.id
)
SELECT max(id), count(*) FILTER (WHERE due), (SELECT count(*) FROM drawn) FROM page
"""

# What a page leaves goes one by one: what happens to it, several meters, and what somebody held.
LEFT_OF_PAGE = f"""
SELECT '{{}}'::bigint[], '{{}}'::bigint[], coalesce(array_agg(id ORDER BY id), '{{}}')
FROM billing_authorization
WHERE open_transactions > 0 AND id > %(after_id)s AND id <= %(last_id)s AND {_DUE}
"""

# Whether the viewer of an authorisation `a` owes nothing that could not be collected (`billing.arrears`).
OWES_NOTHING = f"""
NOT EXISTS (
    SELECT 1 FROM billing_authorization o
    JOIN billing_collection c ON c.authorization_id = o.id AND c.status = '{CollectionStatus.FAILED}'
         AND c.to_units > greatest(o.collected_units, o.pardoned_units) AND c.reason NOT IN {BLAMELESS}
    WHERE o.client_id = a.client_id AND o.charged_units > o.collected_units
      AND (o.wallet_address = a.wallet_address OR o.linked_wallet_address = a.linked_wallet_address)
)
"""
