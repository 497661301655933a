"""The invariants of money as SQL; each query lists what violates it (rows, or nothing)."""

from django.db import connection

# Independent of billing.sql on purpose: NUMERIC arithmetic straight from the formula.
_USED = (
    "floor(x.rate_zat_per_hour::numeric * floor(1000 * extract(epoch FROM"
    " least(p.settled_at, x.billable_until) - x.started_at)) / 3600000)"
)

INVARIANTS = {
    "what was credited is used, open or left": f"""
        SELECT p.id, p.credited_zat, p.reversed_zat, p.refunded_zat, p.shortfall_zat, p.remaining_zat,
               coalesce(sum(CASE WHEN x.status = 'open' THEN {_USED} ELSE x.amount_zat END), 0) AS used
        FROM zcash_permission p LEFT JOIN billing_transaction x ON x.permission_id = p.id
        GROUP BY p.id
        HAVING p.credited_zat - p.reversed_zat - p.refunded_zat + p.shortfall_zat - p.remaining_zat
               <> coalesce(sum(CASE WHEN x.status = 'open' THEN {_USED} ELSE x.amount_zat END), 0)
    """,
    "what left for refunds is in refunds": """
        SELECT p.id, p.refunded_zat, sum(r.amount_zat) FROM zcash_permission p
        LEFT JOIN billing_refund r ON r.permission_id = p.id AND r.status <> 'cancelled'
        GROUP BY p.id HAVING p.refunded_zat <> coalesce(sum(r.amount_zat), 0)
    """,
    "a send pays exactly its refunds": """
        SELECT s.id, s.status FROM billing_walletsend s JOIN LATERAL (
            SELECT count(*) AS refunds, coalesce(sum(amount_zat - fee_zat), 0) AS zat,
                   bool_and(status = s.status) AS same
            FROM billing_refund WHERE send_id = s.id) r ON true
        WHERE s.status <> 'failed' AND (
            r.refunds <> jsonb_array_length(s.payments) OR NOT r.same
            OR r.zat <> (SELECT sum((p->>'amount_zat')::bigint) FROM jsonb_array_elements(s.payments) p))
    """,
    "no transaction pays two sends": """
        SELECT txid, count(*) FROM billing_walletsend s, unnest(s.txids) txid
        WHERE s.status <> 'failed' GROUP BY txid HAVING count(*) > 1
    """,
    "a permission on hold says why": """
        SELECT id FROM zcash_permission WHERE (status = 'suspended') <> (suspended_for IS NOT NULL)
    """,
    "credits are confirmed deposits": """
        SELECT p.id, p.credited_zat FROM zcash_permission p
        LEFT JOIN zcash_deposit d ON d.permission_id = p.id AND d.status = 'confirmed'
        GROUP BY p.id HAVING p.credited_zat - p.reversed_zat <> coalesce(sum(d.amount_zat), 0)
    """,
    "the count of open transactions is right": """
        SELECT p.id, p.open_transactions, count(x.id) FROM zcash_permission p
        LEFT JOIN billing_transaction x ON x.permission_id = p.id AND x.status = 'open'
        GROUP BY p.id HAVING p.open_transactions <> count(x.id)
    """,
    "the audit trail leads to the balance": """
        SELECT p.id, p.remaining_zat, a.amount_after_zat FROM zcash_permission p
        CROSS JOIN LATERAL (SELECT amount_after_zat FROM zcash_permission_audit
                            WHERE permission_id = p.id ORDER BY id DESC LIMIT 1) a
        WHERE a.amount_after_zat <> p.remaining_zat
    """,
    "the audit trail has no gap": """
        SELECT * FROM (SELECT permission_id, id, amount_before_zat,
                              lag(amount_after_zat, 1, 0::bigint) OVER trail AS came_from
                       FROM zcash_permission_audit WINDOW trail AS (PARTITION BY permission_id ORDER BY id)) a
        WHERE amount_before_zat <> came_from
    """,
    "an ended session has no open transaction, an active one has one": """
        SELECT s.id, s.status, count(x.id) FROM sessions_session s
        LEFT JOIN billing_transaction x ON x.session_id = s.id AND x.status = 'open'
        GROUP BY s.id HAVING (s.status = 'active') <> (count(x.id) = 1)
    """,
    "a session's transactions follow each other without gap or overlap": """
        SELECT * FROM (SELECT x.session_id, x.started_at, s.started_at AS session_started,
                              lag(x.ended_at) OVER runs AS came_from
                       FROM billing_transaction x JOIN sessions_session s ON s.id = x.session_id
                       WINDOW runs AS (PARTITION BY x.session_id ORDER BY x.id)) r
        WHERE started_at <> coalesce(came_from, session_started)
    """,
    "exhausted means empty, active means not empty": """
        SELECT id, status, remaining_zat FROM zcash_permission
        WHERE (status = 'exhausted' AND remaining_zat <> 0) OR (status = 'active' AND remaining_zat = 0)
    """,
    "nothing was billed past an end": """
        SELECT x.id FROM billing_transaction x
        JOIN sessions_session s ON s.id = x.session_id JOIN zcash_permission p ON p.id = x.permission_id
        WHERE x.ended_at > s.ended_at OR x.ended_at > p.expires_at
    """,
    "a final amount follows from the formula, or is the last of the money": """
        SELECT x.id, x.amount_zat FROM billing_transaction x
        CROSS JOIN LATERAL (SELECT floor(x.rate_zat_per_hour::numeric
            * floor(1000 * extract(epoch FROM x.ended_at - x.started_at)) / 3600000) AS full_zat,
            floor(x.rate_zat_per_hour::numeric
            * greatest(0, floor(1000 * extract(epoch FROM x.ended_at - x.started_at)) - 1) / 3600000)
            AS least_zat) f
        WHERE x.status <> 'open' AND x.amount_zat NOT BETWEEN f.least_zat AND f.full_zat
    """,
}


def violations() -> list[str]:
    """Return one line for each invariant that does not hold, with what violates it."""
    found = []
    with connection.cursor() as cursor:
        for name, query in INVARIANTS.items():
            cursor.execute(query)
            if rows := cursor.fetchall():
                found.append(f"{name}: {rows[:5]}")
    return found
