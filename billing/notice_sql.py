"""The set-based statements of notices and mails."""

from core import outbox

# What follows from rows `due` (id, rule, period, tightest, kind, client_id, public_id, payload): each rule is
# noted once for its period, whoever else notes it too; of those that are new the tightest is told.
_NOTED = """
noted AS (
    INSERT INTO billing_notice (permission_id, rule, period, told, created_at)
    SELECT id, rule, period, tightest, %(now)s FROM due
    ON CONFLICT (permission_id, rule, period) DO NOTHING
    RETURNING permission_id, rule, told
), announced AS ({announced})
SELECT count(*) FILTER (WHERE told) FROM noted
"""
_ANNOUNCED = """
SELECT d.kind, d.client_id, d.public_id AS subject, d.payload
FROM noted n JOIN due d ON d.id = n.permission_id AND d.rule = n.rule WHERE n.told ORDER BY d.id
"""
_TOLD = _NOTED.replace("{announced}", outbox.emitting(_ANNOUNCED).replace("%(booked_at)s", "%(now)s"))

# Paid permissions with money left that end within a lead, each with every lead that it has reached and that
# is not noted yet. A lead that had passed when the permission was paid says nothing new.
EXPIRING = (
    """
WITH leads AS (
    SELECT rule, lead_s * interval '1 second' AS lead
    FROM jsonb_to_recordset(%(leads)s::jsonb) AS l (rule text, lead_s int)
), due AS MATERIALIZED (
    SELECT p.id, l.rule, paygo_iso(p.expires_at) AS period,
           l.lead = min(l.lead) OVER (PARTITION BY p.id) AS tightest, 'permission.expiring' AS kind,
           p.client_id, p.public_id,
           jsonb_build_object(
               'permission_id', p.public_id, 'user_wallet_address', p.wallet_address, 'rule', l.rule,
               'status', p.status, 'remaining_zat', p.remaining_zat, 'expires_at', paygo_iso(p.expires_at)
           ) AS payload
    FROM zcash_permission p JOIN leads l ON p.expires_at <= %(now)s::timestamptz + l.lead
        AND coalesce(p.activated_at, p.queued_at, p.created_at) <= p.expires_at - l.lead
    WHERE p.status IN ('active', 'queued') AND p.remaining_zat > 0
      AND p.expires_at > %(now)s AND p.expires_at <= %(now)s::timestamptz + (SELECT max(lead) FROM leads)
      AND NOT EXISTS (SELECT FROM billing_notice n WHERE n.permission_id = p.id AND n.rule = l.rule
                      AND n.period = paygo_iso(p.expires_at))
), """
    + _TOLD
)

# Active permissions without another one behind them, with what is left by now: little of what was paid, or
# too little to wait for a top-up. A period is what was paid, so a top-up begins another one; nobody is warned
# while one waits for its confirmations. What is left is an estimate where several sessions run: it warns, it
# bills nothing.
LOW = (
    """
WITH burning AS MATERIALIZED (
    SELECT p.id, p.client_id, p.public_id, p.wallet_address, p.status, p.expires_at,
           p.credited_zat - p.reversed_zat AS paid_zat, b.rate,
           greatest(0, p.remaining_zat - ceil(b.rate * t.elapsed_s / 3600)) AS left_zat
    FROM zcash_permission p
    CROSS JOIN LATERAL (
        SELECT greatest(0, extract(epoch FROM %(now)s::timestamptz - p.settled_at)) AS elapsed_s
    ) t
    CROSS JOIN LATERAL (
        SELECT CASE WHEN p.open_transactions = 0 THEN 0 ELSE coalesce(p.meter_rate_zat_per_hour::numeric, (
            SELECT sum(x.rate_zat_per_hour) FROM billing_transaction x
            WHERE x.permission_id = p.id AND x.status = 'open')) END AS rate
    ) b
    WHERE p.status = 'active' AND p.expires_at > %(now)s
      AND (p.open_transactions > 0
           OR p.remaining_zat * 100 <= (p.credited_zat - p.reversed_zat) * %(percent)s::numeric)
), low AS MATERIALIZED (
    SELECT b.*, r.rule, 'paid:' || b.paid_zat AS period, r.tight
    FROM burning b CROSS JOIN LATERAL (
        VALUES (%(share_rule)s, b.left_zat * 100 <= b.paid_zat * %(percent)s::numeric, false),
               (%(time_rule)s, b.rate > 0 AND b.left_zat * 3600 <= b.rate * %(top_up_s)s::numeric, true)
    ) AS r (rule, is_low, tight)
    WHERE r.is_low AND b.left_zat > 0
), due AS MATERIALIZED (
    SELECT l.id, l.rule, l.period, l.tight OR count(*) OVER (PARTITION BY l.id) = 1 AS tightest,
           'permission.low_balance' AS kind, l.client_id, l.public_id,
           jsonb_build_object(
               'permission_id', l.public_id, 'user_wallet_address', l.wallet_address, 'rule', l.rule,
               'status', l.status, 'remaining_zat', l.left_zat::bigint, 'rate_zat_per_hour', l.rate::bigint,
               'expires_at', paygo_iso(l.expires_at)
           ) AS payload
    FROM low l
    WHERE NOT EXISTS (SELECT FROM billing_notice n WHERE n.permission_id = l.id AND n.rule = l.rule
                      AND n.period = l.period)
      AND NOT EXISTS (SELECT FROM zcash_deposit d WHERE d.permission_id = l.id AND d.status = 'seen')
      AND NOT EXISTS (SELECT FROM zcash_permission q WHERE q.client_id = l.client_id
                      AND q.wallet_address = l.wallet_address AND q.status = 'queued')
), """
    + _TOLD
)

# The next instant at which something that runs, or a time that ends, makes a notice due, or takes the money
# or a permission to its end; what happens there can make others due.
NEXT_STOP = """
WITH moments AS (
    SELECT p.expires_at - l.lead_s * interval '1 second' AS at
    FROM zcash_permission p, jsonb_to_recordset(%(leads)s::jsonb) AS l (lead_s int)
    WHERE p.status IN ('active', 'queued') AND p.remaining_zat > 0
    UNION ALL
    SELECT p.expires_at FROM zcash_permission p WHERE p.status = ANY(%(expiring)s)
    UNION ALL
    SELECT p.next_event_at FROM zcash_permission p WHERE p.open_transactions > 0
    UNION ALL
    SELECT p.settled_at
        + least(%(most_s)s, (p.remaining_zat - t.left_zat) * 3600 / b.rate) * interval '1 second'
    FROM zcash_permission p
    CROSS JOIN LATERAL (
        SELECT sum(x.rate_zat_per_hour) AS rate FROM billing_transaction x
        WHERE x.permission_id = p.id AND x.status = 'open'
    ) b
    CROSS JOIN LATERAL (
        VALUES ((p.credited_zat - p.reversed_zat) * %(percent)s::numeric / 100),
               (b.rate * %(top_up_s)s::numeric / 3600)
    ) AS t (left_zat)
    WHERE p.status = 'active' AND p.open_transactions > 0 AND b.rate > 0
)
SELECT min(at) FROM moments WHERE at > %(now)s AND at <= %(until)s
"""

# A mail for each published event of some kinds after the cursor whose permission names a reader, unless it is
# too old to be worth one; the cursor moves in the same statement, so that no event becomes two mails.
QUEUE_MAILS = """
WITH cursor AS (
    SELECT position FROM billing_mailcursor WHERE id = 1 FOR UPDATE
), page AS MATERIALIZED (
    SELECT e.id, e.kind, e.subject, e.position, e.created_at FROM core_event e
    WHERE e.position > (SELECT position FROM cursor) ORDER BY e.position LIMIT %(limit)s
), mailed AS (
    INSERT INTO billing_mail (event_id, permission_id, created_at, next_attempt_at)
    SELECT e.id, p.id, %(now)s, %(now)s
    FROM page e JOIN zcash_permission p ON p.public_id = e.subject
    WHERE e.kind = ANY(%(kinds)s) AND p.notify_email IS NOT NULL AND e.created_at > %(since)s
    ORDER BY e.position
    ON CONFLICT (event_id) DO NOTHING
), moved AS (
    UPDATE billing_mailcursor SET position = (SELECT max(position) FROM page)
    WHERE id = 1 AND EXISTS (SELECT FROM page)
)
SELECT count(*) FROM page
"""

# Where mails begin: whoever switches mail on writes of what happens from then on.
BEGIN_MAILS = """
UPDATE billing_mailcursor SET position = coalesce((SELECT max(position) FROM core_event), 0)
WHERE id = 1 AND position IS NULL
"""

# The oldest mail that is due, taken by this process for as long as a lease.
CLAIM_MAIL = """
WITH claimed AS MATERIALIZED (
    -- A plain subquery may be run again for each row it is compared with, and take another one each time.
    SELECT id FROM billing_mail WHERE status = 'queued' AND next_attempt_at <= %(now)s
    ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE billing_mail m SET attempts = m.attempts + 1, next_attempt_at = %(lease_until)s
FROM claimed WHERE m.id = claimed.id
RETURNING m.id
"""
