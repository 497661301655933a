-- The seed's views. They span apps, so they are created after every migrate and dropped before it.

CREATE OR REPLACE VIEW permission_audit_log AS
SELECT a.id, p.public_id AS permission_id, a.action, a.amount_before_zat, a.amount_after_zat,
       a.amount_before_zat / 100000000.0 AS amount_before, a.amount_after_zat / 100000000.0 AS amount_after,
       a.actor, a.details, a.effective_at, a.created_at
FROM zcash_permission_audit a
JOIN zcash_permission p ON p.id = a.permission_id;

-- One row for each active permission; `remaining_now_zat` counts what its open transactions used until now,
-- at most what is left.
CREATE OR REPLACE VIEW active_permissions_with_sessions AS
SELECT p.public_id AS permission_id, p.client_id, p.wallet_address AS user_wallet_address, p.status,
       p.rate_zat_per_hour, p.credited_zat - p.reversed_zat AS approved_zat, p.remaining_zat, p.settled_at,
       greatest(p.remaining_zat - coalesce(x.used_zat, 0), 0) AS remaining_now_zat,
       p.open_transactions AS open_sessions, coalesce(x.session_codes, '{}') AS session_codes, p.expires_at
FROM zcash_permission p
LEFT JOIN LATERAL (
    SELECT sum(floor(t.rate_zat_per_hour::numeric * m.until_now_ms / 3600000)
               - floor(t.rate_zat_per_hour::numeric * m.until_settled_ms / 3600000))::bigint AS used_zat,
           array_agg(s.code ORDER BY s.id) AS session_codes
    FROM billing_transaction t
    JOIN sessions_session s ON s.id = t.session_id
    CROSS JOIN LATERAL (
        SELECT greatest(0, floor(1000 * extract(epoch FROM
                   least(greatest(paygo_now(), p.settled_at), t.billable_until, p.expires_at)
                   - t.started_at)))::bigint AS until_now_ms,
               greatest(0, floor(1000 * extract(epoch FROM
                   least(p.settled_at, t.billable_until) - t.started_at)))::bigint AS until_settled_ms
    ) m
    WHERE t.permission_id = p.id AND t.status = 'open'
) x ON true
WHERE p.status = 'active';

CREATE OR REPLACE VIEW permission_statistics AS
SELECT client_id, status, count(*) AS permissions,
       sum(requested_zat) AS requested_zat, sum(credited_zat - reversed_zat) AS credited_zat,
       sum(remaining_zat) AS remaining_zat,
       sum(credited_zat - reversed_zat - refunded_zat + shortfall_zat - remaining_zat) AS used_zat,
       sum(refunded_zat) AS refunded_zat,
       sum(open_transactions) AS open_sessions
FROM zcash_permission
GROUP BY client_id, status;
