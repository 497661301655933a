-- The invariants of money: each query lists what violates it, and finds nothing while the books are right.
--
-- It takes nothing from the engine's own statements on purpose: NUMERIC arithmetic straight from the formula.
-- Every query goes by the set, over all rows, in one snapshot. `manage.py audit` runs them; so does
-- psql -f billing/audit.sql. What must have been settled by an instant (I6, I10) is asked only where
-- `SET paygo.audit_late` says which instant.
--
-- The letters: I1 conservation, I2 bounds, I3 exactly once, I4 independence of the schedule, I5 a complete
-- log, I6 no ghosts, I8 a payment counts once, I9 clients apart, I10 progress. I7, that what was acknowledged
-- is there after any crash, is a question to whoever got the answer: the fault tests keep that journal. L1 and
-- on: the ledger says what the tables say.
--
-- Settlements are derivable, and old ones are archived (schema paygo_archive): a permission's trail may jump
-- down where it passes a time of which settlements are no longer here. Everything else is kept for good.

-- name: I1 what was credited is used, open or left
SELECT p.id, p.credited_zat, p.reversed_zat, p.refunded_zat, p.shortfall_zat, p.remaining_zat,
       coalesce(used.zat, 0) AS used_zat
FROM zcash_permission p
LEFT JOIN (
    SELECT x.permission_id, sum(CASE WHEN x.status <> 'open' THEN x.amount_zat ELSE
        floor(x.rate_zat_per_hour::numeric * floor(1000 * extract(epoch FROM
            least(q.settled_at, x.billable_until) - x.started_at)) / 3600000) END) AS zat
    FROM billing_transaction x JOIN zcash_permission q ON q.id = x.permission_id
    GROUP BY x.permission_id
) used ON used.permission_id = p.id
WHERE p.credited_zat - p.reversed_zat - p.refunded_zat + p.shortfall_zat - p.remaining_zat
      <> coalesce(used.zat, 0)
LIMIT 20;

-- name: I1 all that was received is used, refunded or left
SELECT * FROM (
    SELECT (SELECT coalesce(sum(amount_zat), 0) FROM zcash_deposit WHERE status = 'confirmed') AS received_zat,
           (SELECT coalesce(sum(amount_zat), 0) FROM billing_refund WHERE status <> 'cancelled') AS refunds_zat,
           (SELECT coalesce(sum(remaining_zat), 0) FROM zcash_permission) AS remaining_zat,
           (SELECT coalesce(sum(shortfall_zat), 0) FROM zcash_permission) AS lost_zat,
           (SELECT coalesce(sum(amount_zat), 0) FROM billing_transaction) AS final_zat,
           (SELECT coalesce(sum(floor(x.rate_zat_per_hour::numeric * floor(1000 * extract(epoch FROM
                   least(p.settled_at, x.billable_until) - x.started_at)) / 3600000)), 0)
            FROM billing_transaction x JOIN zcash_permission p ON p.id = x.permission_id
            WHERE x.status = 'open') AS open_zat
) s
WHERE received_zat + lost_zat <> refunds_zat + remaining_zat + final_zat + open_zat;

-- name: I1 credits are confirmed deposits
SELECT p.id, p.credited_zat, p.reversed_zat, coalesce(d.zat, 0) AS deposits_zat
FROM zcash_permission p
LEFT JOIN (
    SELECT permission_id, sum(amount_zat) AS zat FROM zcash_deposit WHERE status = 'confirmed' GROUP BY 1
) d ON d.permission_id = p.id
WHERE p.credited_zat - p.reversed_zat <> coalesce(d.zat, 0)
LIMIT 20;

-- name: I1 what left for refunds is in refunds
SELECT p.id, p.refunded_zat, coalesce(r.zat, 0) AS refunds_zat
FROM zcash_permission p
LEFT JOIN (
    SELECT permission_id, sum(amount_zat) AS zat FROM billing_refund WHERE status <> 'cancelled' GROUP BY 1
) r ON r.permission_id = p.id
WHERE p.refunded_zat <> coalesce(r.zat, 0)
LIMIT 20;

-- name: I1 a send pays exactly its refunds or payouts
SELECT s.id, s.status, r.refunds, r.zat
FROM billing_walletsend s
LEFT JOIN (
    SELECT f.send_id, count(*) AS refunds, sum(f.amount_zat - f.fee_zat) AS zat, bool_and(f.status = w.status) AS same
    FROM (SELECT send_id, amount_zat, fee_zat, status FROM billing_refund
          UNION ALL SELECT send_id, amount_zat, fee_zat, status FROM billing_payout) f
    JOIN billing_walletsend w ON w.id = f.send_id GROUP BY f.send_id
) r ON r.send_id = s.id
WHERE s.status <> 'failed' AND (
    coalesce(r.refunds, 0) <> jsonb_array_length(s.payments) OR NOT coalesce(r.same, true)
    OR coalesce(r.zat, 0) <> (SELECT sum((p->>'amount_zat')::numeric) FROM jsonb_array_elements(s.payments) p))
LIMIT 20;

-- name: I1 a send pays its refunds and payouts where they go
-- One that was found on the chain names the receivers that were paid, not the addresses that were asked for.
SELECT f.noun, f.id, f.send_id, f.address
FROM (SELECT 'refund' AS noun, id, send_id, address, amount_zat - fee_zat AS paid_zat FROM billing_refund
      UNION ALL SELECT 'payout', id, send_id, address, amount_zat - fee_zat FROM billing_payout) f
JOIN billing_walletsend s ON s.id = f.send_id AND s.status <> 'failed' AND s.policy <> ''
WHERE NOT EXISTS (
    SELECT FROM jsonb_array_elements(s.payments) p
    WHERE p->>'address' = f.address AND (p->>'amount_zat')::numeric = f.paid_zat)
LIMIT 20;

-- name: I1 no transaction of the wallet pays two sends
SELECT txid, count(*) AS sends FROM billing_walletsend s, unnest(s.txids) txid
WHERE s.status <> 'failed' GROUP BY txid HAVING count(*) > 1
LIMIT 20;

-- name: I2 no amount is negative or more than there can be
-- 21 million ZEC in zatoshis. What is credited again after a reversal counts twice in both sums.
SELECT * FROM (
    SELECT 'zcash_permission' AS of, id, remaining_zat AS zat FROM zcash_permission
    WHERE remaining_zat NOT BETWEEN 0 AND 2100000000000000
       OR previous_zat NOT BETWEEN 0 AND 2100000000000000
       OR credited_zat - reversed_zat NOT BETWEEN 0 AND 2100000000000000
       OR refunded_zat NOT BETWEEN 0 AND 2100000000000000
       OR shortfall_zat NOT BETWEEN 0 AND reversed_zat
    UNION ALL
    SELECT 'zcash_deposit', id, amount_zat FROM zcash_deposit
    WHERE amount_zat NOT BETWEEN 1 AND 2100000000000000
    UNION ALL
    SELECT 'billing_transaction', id, amount_zat FROM billing_transaction
    WHERE amount_zat NOT BETWEEN 0 AND 2100000000000000
       OR rate_zat_per_hour NOT BETWEEN 1 AND 2100000000000000
    UNION ALL
    SELECT 'billing_refund', id, amount_zat FROM billing_refund
    WHERE fee_zat <= 0 OR amount_zat <= fee_zat OR amount_zat > 2100000000000000
    UNION ALL
    SELECT 'billing_payout', id, amount_zat FROM billing_payout
    WHERE fee_zat <= 0 OR amount_zat <= fee_zat OR amount_zat > 2100000000000000
    UNION ALL
    SELECT 'zcash_permission_audit', id, amount_after_zat FROM zcash_permission_audit
    WHERE amount_before_zat NOT BETWEEN 0 AND 2100000000000000
       OR amount_after_zat NOT BETWEEN 0 AND 2100000000000000
) s
LIMIT 20;

-- name: I2 the meter counts whole milliseconds
SELECT * FROM (
    SELECT 'zcash_permission' AS of, id FROM zcash_permission
    WHERE settled_at <> date_trunc('milliseconds', settled_at)
       OR next_event_at <> date_trunc('milliseconds', next_event_at)
       OR expires_at <> date_trunc('milliseconds', expires_at)
    UNION ALL
    SELECT 'billing_transaction', id FROM billing_transaction
    WHERE started_at <> date_trunc('milliseconds', started_at)
       OR billable_until <> date_trunc('milliseconds', billable_until)
       OR ended_at <> date_trunc('milliseconds', ended_at)
) s
LIMIT 20;

-- name: I3 a session's transactions follow each other, apart by its pauses alone
-- The first starts with the session. One that starts later than the one before it ended comes after a pause:
-- all these gaps together are as long as the session's finished pauses were (`paused_ms`). The last one ended
-- with the session; with the last pause's beginning, where the session is paused or ended in that pause.
SELECT * FROM (
    SELECT s.id, s.status, s.started_at, min(r.started_at) AS first_at, coalesce(s.paused_at, s.ended_at) AS stopped_at,
           max(r.ended_at) AS last_at, s.paused_ms,
           coalesce(sum(1000 * extract(epoch FROM r.started_at - r.came_from)), 0) AS gaps_ms,
           coalesce(bool_or(r.crossed), false) AS crossed
    FROM sessions_session s
    LEFT JOIN (
        SELECT x.session_id, x.started_at, x.ended_at, lag(x.ended_at) OVER runs AS came_from,
               x.started_at < lag(x.ended_at) OVER runs
                   OR (x.status = 'open' AND lead(x.id) OVER runs IS NOT NULL) AS crossed
        FROM billing_transaction x
        WINDOW runs AS (PARTITION BY x.session_id ORDER BY x.id)
    ) r ON r.session_id = s.id
    GROUP BY s.id
) t
WHERE first_at IS DISTINCT FROM started_at OR crossed OR gaps_ms <> paused_ms
   OR (status <> 'active' AND last_at IS DISTINCT FROM stopped_at)
LIMIT 20;

-- name: I3 an ended session has no open transaction, an active one has one
SELECT s.id, s.status, coalesce(x.open, 0) AS open
FROM sessions_session s
LEFT JOIN (
    SELECT session_id, count(*) AS open FROM billing_transaction WHERE status = 'open' GROUP BY 1
) x ON x.session_id = s.id
WHERE coalesce(x.open, 0) <> CASE s.status WHEN 'active' THEN 1 ELSE 0 END
LIMIT 20;

-- name: I3 an open session is open once
SELECT client_id, wallet_address, vendor_id, client_ref, count(*) AS sessions FROM sessions_session
WHERE status <> 'ended' GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
LIMIT 20;

-- name: I3 the count of open transactions is right
SELECT p.id, p.open_transactions, coalesce(x.open, 0) AS open
FROM zcash_permission p
LEFT JOIN (
    SELECT permission_id, count(*) AS open FROM billing_transaction WHERE status = 'open' GROUP BY 1
) x ON x.permission_id = p.id
WHERE p.open_transactions <> coalesce(x.open, 0) OR (x.open > 0 AND p.status <> 'active')
LIMIT 20;

-- name: I3 the meter on a permission is that of its one open transaction
SELECT p.id, p.meter_rate_zat_per_hour, p.meter_started_at, x.open, x.rate_zat_per_hour, x.started_at
FROM zcash_permission p
LEFT JOIN (
    SELECT permission_id, count(*) AS open, min(rate_zat_per_hour) AS rate_zat_per_hour, min(started_at) AS started_at
    FROM billing_transaction WHERE status = 'open' GROUP BY 1
) x ON x.permission_id = p.id
WHERE (p.meter_rate_zat_per_hour, p.meter_started_at) IS DISTINCT FROM
      (CASE WHEN x.open = 1 THEN x.rate_zat_per_hour END, CASE WHEN x.open = 1 THEN x.started_at END)
LIMIT 20;

-- name: I3 settlements of a permission go forward in time
-- However late it was booked: `effective_at` is the instant up to which was drawn. What archived rows said
-- is before all that is left.
SELECT * FROM (
    SELECT a.permission_id, a.id, a.effective_at, p.settled_at,
           lag(a.effective_at) OVER (PARTITION BY a.permission_id ORDER BY a.id) AS came_from
    FROM zcash_permission_audit a JOIN zcash_permission p ON p.id = a.permission_id
    WHERE a.action = 'settled'
) r
WHERE effective_at <= came_from OR effective_at > settled_at OR settled_at IS NULL
LIMIT 20;

-- name: I4 a final amount follows from the formula, or is the last of the money
-- The full amount; less only where the permission was exhausted at that instant, and then not less than the
-- amount one millisecond before.
SELECT x.id, x.amount_zat, f.full_zat, f.least_zat
FROM billing_transaction x
CROSS JOIN LATERAL (
    SELECT floor(1000 * extract(epoch FROM x.ended_at - x.started_at)) AS ms
) t
CROSS JOIN LATERAL (
    SELECT floor(x.rate_zat_per_hour::numeric * t.ms / 3600000) AS full_zat,
           floor(x.rate_zat_per_hour::numeric * greatest(0, t.ms - 1) / 3600000) AS least_zat
) f
LEFT JOIN (
    SELECT DISTINCT permission_id, effective_at FROM zcash_permission_audit WHERE action = 'exhausted'
) e ON e.permission_id = x.permission_id AND e.effective_at = x.ended_at
WHERE x.status <> 'open' AND x.amount_zat <> f.full_zat
  AND (e.permission_id IS NULL OR x.amount_zat NOT BETWEEN f.least_zat AND f.full_zat)
LIMIT 20;

-- name: I4 nothing was billed past an end
SELECT x.id, x.started_at, x.ended_at, x.billable_until, s.ended_at AS session_ended_at, p.expires_at
FROM billing_transaction x
JOIN sessions_session s ON s.id = x.session_id JOIN zcash_permission p ON p.id = x.permission_id
WHERE x.ended_at > s.ended_at OR x.ended_at > p.expires_at OR x.ended_at > x.billable_until
   OR x.ended_at < x.started_at OR (x.status <> 'open') <> (x.ended_at IS NOT NULL)
   OR (x.status <> 'open') <> (x.amount_zat IS NOT NULL)
LIMIT 20;

-- name: I4 a vendor costs what the latest version of its price says
SELECT v.id, v.price_version, v.price_zat_per_hour, p.version, p.price_zat_per_hour AS latest_zat_per_hour
FROM sessions_vendor v
LEFT JOIN (
    SELECT DISTINCT ON (vendor_id) vendor_id, version, price_zat_per_hour, count(*) OVER (PARTITION BY vendor_id) AS n
    FROM sessions_vendorprice ORDER BY vendor_id, version DESC
) p ON p.vendor_id = v.id
WHERE v.price_version IS DISTINCT FROM p.version OR p.n <> p.version
   OR (p.version IS NOT NULL AND v.price_zat_per_hour IS DISTINCT FROM p.price_zat_per_hour)
LIMIT 20;

-- name: I4 a session costs what its version of the vendor's price says
-- A version without a price leaves it to the permission.
SELECT s.id, s.vendor_id, s.price_version, s.rate_zat_per_hour, p.price_zat_per_hour
FROM sessions_session s
LEFT JOIN sessions_vendorprice p ON p.vendor_id = s.vendor_id AND p.version = s.price_version
WHERE s.price_version IS NOT NULL AND (p.id IS NULL OR p.price_zat_per_hour <> s.rate_zat_per_hour)
LIMIT 20;

-- name: I4 a vendor's prices in tokens are numbered without a gap, and no session names a later one
SELECT v.id, v.token_price_version, p.latest, p.n, s.latest_named
FROM sessions_vendor v
LEFT JOIN (
    SELECT vendor_id, max(version) AS latest, count(*) AS n FROM sessions_vendortokenprice GROUP BY 1
) p ON p.vendor_id = v.id
LEFT JOIN (
    SELECT vendor_id, max(token_price_version) AS latest_named FROM sessions_session GROUP BY 1
) s ON s.vendor_id = v.id
WHERE v.token_price_version IS DISTINCT FROM p.latest OR p.n <> p.latest
   OR s.latest_named > coalesce(v.token_price_version, 0)
LIMIT 20;

-- name: I4 no session costs more than its spending cap
-- Each transaction may cost what those before it have left of the cap; an open one is counted at its bound.
SELECT * FROM (
    SELECT x.id, x.session_id, s.max_amount_zat, x.max_amount_zat AS left_zat,
           s.max_amount_zat - coalesce(sum(x.amount_zat) OVER earlier, 0) AS expected_zat,
           coalesce(x.amount_zat, floor(x.rate_zat_per_hour::numeric
               * floor(1000 * extract(epoch FROM x.billable_until - x.started_at)) / 3600000)) AS most_zat
    FROM billing_transaction x JOIN sessions_session s ON s.id = x.session_id
    WINDOW earlier AS (PARTITION BY x.session_id ORDER BY x.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
) c
WHERE left_zat IS DISTINCT FROM expected_zat OR most_zat > left_zat
LIMIT 20;

-- name: I4 an open transaction runs to its session's bounds, or as long as the spending cap lasts
-- One that is cut short would cost too much one millisecond later.
SELECT * FROM (
    SELECT x.id, x.session_id, x.billable_until, least(s.capped_at, s.lease_until) AS own_bound, x.max_amount_zat,
           floor(x.rate_zat_per_hour::numeric
               * floor(1000 * extract(epoch FROM x.billable_until - x.started_at) + 1) / 3600000) AS more_zat
    FROM billing_transaction x JOIN sessions_session s ON s.id = x.session_id
    WHERE x.status = 'open'
) b
WHERE billable_until > own_bound
   OR (billable_until < own_bound AND NOT coalesce(more_zat > max_amount_zat, false))
LIMIT 20;

-- name: I4 nothing happens by itself before a permission's next event
-- No bound, no last day and no depletion comes before `next_event_at`: what is used one millisecond
-- earlier is still less than what remains.
SELECT p.id, p.next_event_at, p.settled_at, p.expires_at, x.bound, x.used_zat, p.remaining_zat
FROM zcash_permission p
LEFT JOIN (
    SELECT o.permission_id, min(o.billable_until) AS bound,
           sum(floor(o.rate_zat_per_hour::numeric * floor(1000 * extract(epoch FROM
                   q.next_event_at - interval '1 millisecond' - o.started_at)) / 3600000)
               - floor(o.rate_zat_per_hour::numeric * floor(1000 * extract(epoch FROM
                   q.settled_at - o.started_at)) / 3600000)) AS used_zat
    FROM billing_transaction o JOIN zcash_permission q ON q.id = o.permission_id
    WHERE o.status = 'open' GROUP BY o.permission_id
) x ON x.permission_id = p.id
WHERE (p.next_event_at IS NULL) <> (x.bound IS NULL)
   OR p.next_event_at > x.bound OR p.next_event_at > p.expires_at OR p.next_event_at <= p.settled_at
   OR x.used_zat >= p.remaining_zat
LIMIT 20;

-- name: I4 the amount before the last settlement is one that the permission has had
SELECT p.id, p.previous_zat
FROM zcash_permission p
WHERE p.previous_zat <> 0
  AND NOT EXISTS (SELECT 1 FROM zcash_permission_audit a
                  WHERE a.permission_id = p.id AND a.amount_after_zat = p.previous_zat)
  AND NOT EXISTS (SELECT 1 FROM zcash_audit_seal s
                  LEFT JOIN pg_class c ON c.relname = s.partition
                  LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
                  WHERE i.inhrelid IS NULL AND starts_with(s.partition, 'zcash_permission_audit_settled')
                    AND s.covers_to > p.created_at)
LIMIT 20;

-- name: I5 the audit trail leads to the balance
WITH archived AS MATERIALIZED (
    SELECT coalesce(max(s.covers_to), '-infinity') AS up_to FROM zcash_audit_seal s
    LEFT JOIN pg_class c ON c.relname = s.partition LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE i.inhrelid IS NULL AND starts_with(s.partition, 'zcash_permission_audit_settled')
), last AS (
    SELECT DISTINCT ON (permission_id) permission_id, amount_after_zat, created_at
    FROM zcash_permission_audit ORDER BY permission_id, id DESC
)
SELECT p.id, p.remaining_zat, coalesce(last.amount_after_zat, 0) AS amount_after_zat
FROM zcash_permission p LEFT JOIN last ON last.permission_id = p.id
WHERE p.remaining_zat <> coalesce(last.amount_after_zat, 0)
  AND NOT (last.created_at < (SELECT up_to FROM archived) AND p.remaining_zat < last.amount_after_zat)
LIMIT 20;

-- name: I5 the audit trail has no gap
WITH archived AS MATERIALIZED (
    SELECT coalesce(max(s.covers_to), '-infinity') AS up_to FROM zcash_audit_seal s
    LEFT JOIN pg_class c ON c.relname = s.partition LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE i.inhrelid IS NULL AND starts_with(s.partition, 'zcash_permission_audit_settled')
)
SELECT permission_id, id, action, amount_before_zat, came_from FROM (
    SELECT permission_id, id, action, amount_before_zat,
           lag(amount_after_zat, 1, 0::bigint) OVER trail AS came_from, lag(created_at) OVER trail AS came_at
    FROM zcash_permission_audit WINDOW trail AS (PARTITION BY permission_id ORDER BY id)
) a
WHERE amount_before_zat <> came_from
  AND NOT coalesce(came_at < (SELECT up_to FROM archived) AND amount_before_zat < came_from, false)
LIMIT 20;

-- name: I5 every audit row is of a permission and does what its action says
SELECT a.id, a.permission_id, a.action, a.amount_before_zat, a.amount_after_zat
FROM zcash_permission_audit a LEFT JOIN zcash_permission p ON p.id = a.permission_id
WHERE p.id IS NULL OR CASE
    WHEN a.action IN ('settled', 'reversed', 'shortfall_covered') THEN a.amount_after_zat > a.amount_before_zat
    WHEN a.action = 'refund_queued' THEN a.amount_after_zat >= a.amount_before_zat
    WHEN a.action = 'refund_cancelled' THEN a.amount_after_zat <= a.amount_before_zat
    WHEN a.action = 'credited' THEN a.amount_after_zat < a.amount_before_zat
    ELSE a.amount_after_zat <> a.amount_before_zat END
LIMIT 20;

-- name: I5 what the trail says was drawn is what transactions used
-- Only where no settlement has been archived since the permission was made.
WITH archived AS MATERIALIZED (
    SELECT coalesce(max(s.covers_to), '-infinity') AS up_to FROM zcash_audit_seal s
    LEFT JOIN pg_class c ON c.relname = s.partition LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE i.inhrelid IS NULL AND starts_with(s.partition, 'zcash_permission_audit_settled')
), drawn AS (
    SELECT permission_id, sum(amount_before_zat - amount_after_zat) AS zat
    FROM zcash_permission_audit WHERE action = 'settled' GROUP BY 1
), used AS (
    SELECT x.permission_id, sum(CASE WHEN x.status <> 'open' THEN x.amount_zat ELSE
        floor(x.rate_zat_per_hour::numeric * floor(1000 * extract(epoch FROM
            least(q.settled_at, x.billable_until) - x.started_at)) / 3600000) END) AS zat
    FROM billing_transaction x JOIN zcash_permission q ON q.id = x.permission_id
    GROUP BY x.permission_id
)
SELECT p.id, coalesce(drawn.zat, 0) AS drawn_zat, coalesce(used.zat, 0) AS used_zat
FROM zcash_permission p
LEFT JOIN drawn ON drawn.permission_id = p.id LEFT JOIN used ON used.permission_id = p.id
WHERE coalesce(drawn.zat, 0) <> coalesce(used.zat, 0) AND p.created_at >= (SELECT up_to FROM archived)
LIMIT 20;

-- name: I5 the trail of credits, reversals and refunds adds up to what the permission says
WITH told AS (
    SELECT permission_id,
           sum(CASE action WHEN 'credited' THEN amount_after_zat - amount_before_zat
                   + coalesce((details->>'shortfall_repaid_zat')::numeric, 0) ELSE 0 END) AS credited_zat,
           sum(CASE action WHEN 'reversed' THEN amount_before_zat - amount_after_zat
                   + coalesce((details->>'shortfall_zat')::numeric, 0) ELSE 0 END) AS reversed_zat,
           sum(CASE WHEN action IN ('refund_queued', 'refund_cancelled')
                   THEN amount_before_zat - amount_after_zat ELSE 0 END) AS refunded_zat
    FROM zcash_permission_audit
    WHERE action IN ('credited', 'reversed', 'refund_queued', 'refund_cancelled') GROUP BY permission_id
)
SELECT p.id, p.credited_zat, p.reversed_zat, p.refunded_zat, t.credited_zat AS told_credited_zat,
       t.reversed_zat AS told_reversed_zat, t.refunded_zat AS told_refunded_zat
FROM zcash_permission p LEFT JOIN told t ON t.permission_id = p.id
WHERE (p.credited_zat, p.reversed_zat, p.refunded_zat)
      <> (coalesce(t.credited_zat, 0), coalesce(t.reversed_zat, 0), coalesce(t.refunded_zat, 0))
LIMIT 20;

-- name: I5 the last state in the trail is the permission's
SELECT p.id, p.status, s.action
FROM zcash_permission p
JOIN (
    SELECT DISTINCT ON (permission_id) permission_id, action FROM zcash_permission_audit
    WHERE action IN ('activated', 'queued', 'exhausted', 'expired', 'revoked', 'suspended', 'lapsed')
    ORDER BY permission_id, id DESC
) s ON s.permission_id = p.id
WHERE p.status <> CASE s.action WHEN 'activated' THEN 'active' ELSE s.action END
LIMIT 20;

-- name: I5 no event is missing
-- Places are given without a gap, to all events and to those of one subject: one that is gone leaves a hole. The
-- latest ones leave none: of those, what they tell of is asked below.
SELECT * FROM (
    SELECT 'all' AS of, count(position) AS events, coalesce(max(position), 0) AS latest FROM core_event
) a
WHERE events <> latest
UNION ALL
SELECT * FROM (
    SELECT subject::text, count(*), max(sequence) FROM core_event WHERE sequence IS NOT NULL GROUP BY subject
    HAVING count(*) <> max(sequence) LIMIT 19
) s;

-- name: I5 every change of a permission's state has its event
SELECT p.id, t.action, t.changes, coalesce(e.events, 0) AS events
FROM (
    SELECT permission_id, action, count(*) AS changes FROM zcash_permission_audit
    WHERE action IN ('activated', 'queued', 'exhausted', 'expired', 'revoked', 'suspended', 'lapsed', 'extended',
                     'refund_address_changed')
    GROUP BY 1, 2
) t
JOIN zcash_permission p ON p.id = t.permission_id
LEFT JOIN (
    SELECT subject, substr(kind, 12) AS action, count(*) AS events FROM core_event
    WHERE kind LIKE 'permission.%' GROUP BY 1, 2
) e ON e.subject = p.public_id AND e.action = t.action
WHERE t.changes <> coalesce(e.events, 0)
LIMIT 20;

-- name: I5 the end of every session has its event
SELECT s.id, s.ended_at, coalesce(e.events, 0) AS events
FROM sessions_session s
LEFT JOIN (
    SELECT subject, count(*) AS events FROM core_event WHERE kind = 'session.ended' GROUP BY 1
) e ON e.subject = s.public_id
WHERE coalesce(e.events, 0) <> CASE s.status WHEN 'ended' THEN 1 ELSE 0 END
LIMIT 20;

-- name: I5 the end of a session says what it cost
SELECT s.id, e.payload->>'amount' AS told, x.amount_zat, e.payload->>'duration_seconds' AS told_seconds, x.ms
FROM sessions_session s
JOIN core_event e ON e.subject = s.public_id AND e.kind = 'session.ended' AND e.payload ? 'totals'
JOIN (
    SELECT session_id, coalesce(sum(amount_zat), 0) AS amount_zat, coalesce(sum(amount_units), 0) AS amount_units,
           sum(round(date_part('epoch', ended_at - started_at) * 1000)) AS ms
    FROM billing_transaction GROUP BY 1
) x ON x.session_id = s.id
WHERE (e.payload->>'amount')::numeric * 100000000 <> x.amount_zat
   OR (e.payload->>'duration_seconds')::numeric * 1000 <> x.ms::numeric
   OR x.amount_zat + x.amount_units <> (
       SELECT sum((t->>'amount_units')::numeric) FROM jsonb_array_elements(e.payload->'totals') t)
LIMIT 20;

-- name: I5 every refund and payout has its event
SELECT r.public_id, r.status FROM (
    SELECT public_id, status FROM billing_refund UNION ALL SELECT public_id, status FROM billing_payout
) r
LEFT JOIN (
    SELECT DISTINCT coalesce(payload->>'refund_id', payload->>'payout_id')::uuid AS of FROM core_event
    WHERE kind IN ('refund.queued', 'payout.queued')
) e ON e.of = r.public_id
WHERE e.of IS NULL
LIMIT 20;

-- name: I6 what an ended permission has left is on its way back, or too little for that
SELECT id, status, remaining_zat FROM zcash_permission
WHERE status IN ('expired', 'revoked', 'lapsed') AND remaining_zat > 0 AND NOT refund_due AND NOT below_minimum
LIMIT 20;

-- name: I6 exhausted means empty, active means not empty
SELECT id, status, remaining_zat FROM zcash_permission
WHERE (status = 'exhausted' AND remaining_zat <> 0) OR (status = 'active' AND remaining_zat = 0)
LIMIT 20;

-- name: I6 a permission on hold says why
SELECT id, status, suspended_for FROM zcash_permission
WHERE (status = 'suspended') <> (suspended_for IS NOT NULL)
LIMIT 20;

-- name: I6 one permission of a wallet is active, and nothing waits behind none
SELECT client_id, wallet_address, count(*) FILTER (WHERE status = 'active') AS active,
       count(*) FILTER (WHERE status = 'queued') AS queued
FROM zcash_permission WHERE status IN ('active', 'queued') GROUP BY 1, 2
HAVING count(*) FILTER (WHERE status = 'active') <> 1
LIMIT 20;

-- name: I6 no event is long past
SELECT id, status, next_event_at, expires_at FROM zcash_permission
WHERE least(next_event_at, CASE WHEN status IN ('active', 'queued', 'exhausted', 'suspended') THEN expires_at END)
      < coalesce(nullif(current_setting('paygo.audit_late', true), ''), '-infinity')::timestamptz
LIMIT 20;

-- name: I8 an output is one deposit
SELECT txid, pool, output_index, count(*) AS deposits FROM zcash_deposit
GROUP BY 1, 2, 3 HAVING count(*) > 1
LIMIT 20;

-- name: I8 a deposit was credited once more than it was taken back, if it counts
SELECT d.id, d.permission_id, d.status, coalesce(a.credits, 0) AS credits
FROM zcash_deposit d
LEFT JOIN (
    SELECT permission_id, details->>'txid' AS txid, details->>'pool' AS pool,
           (details->>'output_index')::int AS output_index,
           sum(CASE action WHEN 'credited' THEN 1 ELSE -1 END) AS credits
    FROM zcash_permission_audit WHERE action IN ('credited', 'reversed') GROUP BY 1, 2, 3, 4
) a ON a.permission_id = d.permission_id AND a.txid = d.txid AND a.pool = d.pool AND a.output_index = d.output_index
WHERE coalesce(a.credits, 0) <> CASE d.status WHEN 'confirmed' THEN 1 ELSE 0 END
LIMIT 20;

-- name: I8 a credited deposit is in a block
SELECT id, permission_id, height, block_hash, confirmations, credited_at FROM zcash_deposit
WHERE status = 'confirmed' AND (height IS NULL OR block_hash IS NULL OR credited_at IS NULL OR confirmations < 1)
LIMIT 20;

-- name: I9 who streams, who pays and who is paid belong to one client
SELECT x.id, s.id AS session_id, p.id AS permission_id, v.id AS vendor_id
FROM billing_transaction x
JOIN sessions_session s ON s.id = x.session_id
JOIN sessions_vendor v ON v.id = s.vendor_id
JOIN zcash_permission p ON p.id = x.permission_id
WHERE (p.client_id, p.wallet_address) <> (s.client_id, s.wallet_address) OR v.client_id <> s.client_id
   OR x.rate_zat_per_hour <> s.rate_zat_per_hour OR s.rate_zat_per_hour > p.rate_zat_per_hour
LIMIT 20;

-- name: I9 a client is told of its own only
SELECT e.id, e.kind, e.client_id FROM core_event e
LEFT JOIN zcash_permission p ON p.public_id = e.subject
LEFT JOIN sessions_session s ON s.public_id = e.subject
WHERE e.client_id <> coalesce(p.client_id, s.client_id)
LIMIT 20;

-- name: I9 what is on its way goes where its owner has said
-- Whoever says otherwise while it waits has what waits redirected, or taken back, in the same transaction.
SELECT 'refund' AS noun, r.id, r.status, r.address, coalesce(p.refund_address, p.wallet_address) AS said
FROM billing_refund r JOIN zcash_permission p ON p.id = r.permission_id
WHERE r.status NOT IN ('confirmed', 'cancelled') AND r.address <> coalesce(p.refund_address, p.wallet_address)
UNION ALL
SELECT 'payout', o.id, o.status, o.address, v.payout_address
FROM billing_payout o JOIN sessions_vendor v ON v.id = o.vendor_id
WHERE o.status NOT IN ('confirmed', 'cancelled') AND o.address IS DISTINCT FROM v.payout_address
LIMIT 20;

-- name: I10 everything that runs was settled
SELECT id, open_transactions, settled_at FROM zcash_permission
WHERE open_transactions > 0
  AND settled_at < coalesce(nullif(current_setting('paygo.audit_late', true), ''), '-infinity')::timestamptz
LIMIT 20;

-- name: L1 a permission's account is what it has left and what its open transactions have used
SELECT p.id, p.remaining_zat, coalesce(used.zat, 0) AS open_zat, coalesce(t.units, 0) AS account_zat
FROM zcash_permission p
LEFT JOIN (
    SELECT of, sum(units) AS units FROM (
        SELECT credit_of AS of, amount_units AS units FROM billing_transfer
        WHERE credit = 'permission' AND asset = 'ZEC'
        UNION ALL
        SELECT debit_of, -amount_units FROM billing_transfer WHERE debit = 'permission' AND asset = 'ZEC'
    ) moved GROUP BY of
) t ON t.of = p.id
LEFT JOIN (
    SELECT x.permission_id, sum(floor(x.rate_zat_per_hour::numeric * floor(1000 * extract(epoch FROM
               least(q.settled_at, x.billable_until) - x.started_at)) / 3600000)) AS zat
    FROM billing_transaction x JOIN zcash_permission q ON q.id = x.permission_id
    WHERE x.status = 'open' GROUP BY x.permission_id
) used ON used.permission_id = p.id
WHERE coalesce(t.units, 0) <> p.remaining_zat + coalesce(used.zat, 0)
LIMIT 20;

-- name: L2 a final transaction is charged once, from its permission to its vendor
SELECT coalesce(x.id, t.cause_id) AS id, x.amount_zat, t.units
FROM (
    SELECT x.id, x.permission_id, x.amount_zat, s.vendor_id
    FROM billing_transaction x JOIN sessions_session s ON s.id = x.session_id
    WHERE x.status <> 'open' AND x.permission_id IS NOT NULL AND x.amount_zat > 0
) x
FULL JOIN (
    SELECT cause_id, sum(amount_units) AS units, min(debit_of) AS payer, min(credit_of) AS vendor
    FROM billing_transfer WHERE kind = 'charge' AND asset = 'ZEC' GROUP BY cause_id
) t ON t.cause_id = x.id
WHERE (x.amount_zat, x.permission_id, x.vendor_id) IS DISTINCT FROM (t.units, t.payer, t.vendor)
LIMIT 20;

-- name: L3 the platform's share of every charge is what was agreed for its session
-- Of a session that is older than frozen shares nothing says which it was: only that it is no more than the charge.
SELECT coalesce(c.cause_id, f.cause_id) AS cause_id, c.units AS charge_units, c.fee_bps, f.units AS fee_units
FROM (
    SELECT t.cause_id, t.asset, t.amount_units AS units, t.credit_of AS vendor, s.fee_bps
    FROM billing_transfer t
    LEFT JOIN billing_transaction x ON x.id = t.cause_id LEFT JOIN sessions_session s ON s.id = x.session_id
    WHERE t.kind IN ('charge', 'chain_charge')
) c
FULL JOIN (
    SELECT cause_id, asset, amount_units AS units, debit_of AS vendor FROM billing_transfer WHERE kind = 'fee'
) f ON f.cause_id = c.cause_id AND f.asset = c.asset
WHERE c.cause_id IS NULL OR f.units > c.units OR f.vendor <> c.vendor
   OR coalesce(f.units, 0) <> div(c.units * c.fee_bps, 10000)
LIMIT 20;

-- name: L4 a deposit that counts is in the wallet's account once
SELECT coalesce(d.id, t.cause_id) AS id, d.amount_zat, t.units
FROM (SELECT id, amount_zat FROM zcash_deposit WHERE status = 'confirmed') d
FULL JOIN (
    SELECT cause_id, sum(CASE kind WHEN 'deposit' THEN amount_units ELSE -amount_units END) AS units
    FROM billing_transfer WHERE kind IN ('deposit', 'reversal') GROUP BY cause_id
) t ON t.cause_id = d.id
WHERE coalesce(d.amount_zat, 0) <> coalesce(t.units, 0)
LIMIT 20;

-- name: L5 the account of a refund or payout is what has not left the wallet yet
SELECT r.id, r.status, r.amount_zat, coalesce(t.units, 0) AS account_zat
FROM (SELECT 'refund' AS account, id, status, amount_zat FROM billing_refund
      UNION ALL SELECT 'payout', id, status, amount_zat FROM billing_payout) r
LEFT JOIN (
    SELECT account, of, sum(units) AS units FROM (
        SELECT credit AS account, credit_of AS of, amount_units AS units FROM billing_transfer
        WHERE credit IN ('refund', 'payout')
        UNION ALL
        SELECT debit, debit_of, -amount_units FROM billing_transfer WHERE debit IN ('refund', 'payout')
    ) moved GROUP BY account, of
) t ON t.account = r.account AND t.of = r.id
WHERE coalesce(t.units, 0) <> CASE WHEN r.status IN ('sent', 'confirmed', 'cancelled') THEN 0 ELSE r.amount_zat END
LIMIT 20;

-- name: L6 what has left the wallet is what was sent, and the network's fee of it
-- One that was never mined came back, and may have been sent again, for another fee.
SELECT r.id, r.status, r.amount_zat, r.fee_zat, coalesce(t.units, 0) AS left_zat, t.last_fee AS left_fee_zat
FROM (SELECT 'refund' AS noun, id, status, amount_zat, fee_zat FROM billing_refund
      UNION ALL SELECT 'payout', id, status, amount_zat, fee_zat FROM billing_payout) r
LEFT JOIN (
    SELECT split_part(kind, '_', 1) AS noun, cause_id,
           sum(CASE WHEN kind LIKE '%\_returned' THEN -amount_units ELSE amount_units END) AS units,
           count(*) FILTER (WHERE kind LIKE '%\_fee') AS fees,
           count(*) FILTER (WHERE kind LIKE '%\_paid') AS times,
           (array_agg(amount_units ORDER BY id DESC) FILTER (WHERE kind LIKE '%\_fee'))[1] AS last_fee
    FROM billing_transfer
    WHERE kind IN ('refund_paid', 'refund_fee', 'refund_returned', 'payout_paid', 'payout_fee', 'payout_returned')
    GROUP BY 1, 2
) t ON t.noun = r.noun AND t.cause_id = r.id
WHERE coalesce(t.units, 0) <> CASE WHEN r.status IN ('sent', 'confirmed') THEN r.amount_zat ELSE 0 END
   OR t.fees <> t.times
   OR (r.status IN ('sent', 'confirmed') AND t.last_fee IS DISTINCT FROM r.fee_zat)
LIMIT 20;

-- name: L7 the platform's losses are what permissions could not give back
SELECT * FROM (
    SELECT (SELECT coalesce(sum(shortfall_zat), 0) FROM zcash_permission) AS shortfall_zat,
           (SELECT coalesce(sum(CASE kind WHEN 'loss' THEN amount_units ELSE -amount_units END), 0)
            FROM billing_transfer WHERE kind IN ('loss', 'loss_covered')) AS losses_zat
) s
WHERE shortfall_zat <> losses_zat;

-- name: L8 no vendor was paid more than it has earned
SELECT of, asset, sum(units) AS units FROM (
    SELECT credit_of AS of, asset, amount_units AS units FROM billing_transfer WHERE credit = 'vendor'
    UNION ALL
    SELECT debit_of, asset, -amount_units FROM billing_transfer WHERE debit = 'vendor'
) moved GROUP BY of, asset HAVING sum(units) < 0
LIMIT 20;

-- name: L9 what vendors were paid is what their payouts say
SELECT coalesce(p.vendor_id, t.of) AS vendor_id, p.zat, t.units
FROM (SELECT vendor_id, sum(amount_zat) AS zat FROM billing_payout WHERE status <> 'cancelled' GROUP BY 1) p
FULL JOIN (
    SELECT of, sum(units) AS units FROM (
        SELECT debit_of AS of, amount_units AS units FROM billing_transfer WHERE kind = 'payout'
        UNION ALL
        SELECT credit_of, -amount_units FROM billing_transfer WHERE kind = 'payout_cancelled'
    ) moved GROUP BY of
) t ON t.of = p.vendor_id
WHERE coalesce(p.zat, 0) <> coalesce(t.units, 0)
LIMIT 20;

-- The second source: authorisations on an EVM chain. Their charges are one running total that never falls, in a
-- token's smallest unit; what was collected of it is paid, the rest is owed.

-- name: I1 what an authorisation was charged is what its transactions used
SELECT a.id, a.charged_units, coalesce(used.units, 0) AS used_units
FROM billing_authorization a
LEFT JOIN (
    SELECT x.authorization_id, sum(CASE WHEN x.status <> 'open' THEN x.amount_units ELSE
        floor(x.rate_units_per_hour * floor(1000 * extract(epoch FROM
            least(b.settled_at, x.billable_until) - x.started_at)) / 3600000) END) AS units
    FROM billing_transaction x JOIN billing_authorization b ON b.id = x.authorization_id
    GROUP BY x.authorization_id
) used ON used.authorization_id = a.id
WHERE a.charged_units <> coalesce(used.units, 0)
LIMIT 20;

-- name: I2 an authorisation is charged no more than its viewer signed, nor paid more than it was charged
SELECT id, limit_units, charged_units, collected_units, cutoff_units FROM billing_authorization
WHERE charged_units NOT BETWEEN 0 AND limit_units OR collected_units NOT BETWEEN 0 AND charged_units
   OR cutoff_units > limit_units OR settled_at <> date_trunc('milliseconds', settled_at)
   OR next_event_at <> date_trunc('milliseconds', next_event_at)
LIMIT 20;

-- name: I3 the count of an authorisation's open transactions is right, and so is its meter
SELECT a.id, a.status, a.open_transactions, coalesce(x.open, 0) AS open, a.meter_rate_units_per_hour, a.meter_started_at
FROM billing_authorization a
LEFT JOIN (
    SELECT authorization_id, count(*) AS open, min(rate_units_per_hour) AS rate, min(started_at) AS started_at
    FROM billing_transaction WHERE status = 'open' GROUP BY 1
) x ON x.authorization_id = a.id
WHERE a.open_transactions <> coalesce(x.open, 0) OR (x.open > 0 AND a.status <> 'active')
   OR (a.meter_rate_units_per_hour, a.meter_started_at) IS DISTINCT FROM
      (CASE WHEN x.open = 1 THEN x.rate END, CASE WHEN x.open = 1 THEN x.started_at END)
LIMIT 20;

-- name: I4 a final amount of a token follows from the formula, or is the last that could be charged
-- Less than the full amount only where nothing was left at that instant, and then not less than the amount one
-- millisecond before.
SELECT x.id, x.amount_units, f.full_units, f.least_units
FROM billing_transaction x
CROSS JOIN LATERAL (SELECT floor(1000 * extract(epoch FROM x.ended_at - x.started_at)) AS ms) t
CROSS JOIN LATERAL (
    SELECT floor(x.rate_units_per_hour * t.ms / 3600000) AS full_units,
           floor(x.rate_units_per_hour * greatest(0, t.ms - 1) / 3600000) AS least_units
) f
LEFT JOIN (
    SELECT DISTINCT y.authorization_id, y.ended_at FROM billing_transaction y
    JOIN sessions_session s ON s.id = y.session_id AND s.ended_at = y.ended_at
    WHERE y.authorization_id IS NOT NULL AND s.end_reason IN ('exhausted', 'heartbeat_lost', 'max_duration')
) e ON e.authorization_id = x.authorization_id AND e.ended_at = x.ended_at
WHERE x.status <> 'open' AND x.amount_units <> f.full_units
  AND (e.ended_at IS NULL OR x.amount_units NOT BETWEEN f.least_units AND f.full_units)
LIMIT 20;

-- name: I4 nothing of a token was billed past an end, and all of it at the vendor's price or the signed rate
-- The price is that of the version that the session began with; it is never above what was signed.
SELECT x.id, x.started_at, x.ended_at, x.billable_until, s.ended_at AS session_ended_at, a.expires_at
FROM billing_transaction x
JOIN sessions_session s ON s.id = x.session_id JOIN billing_authorization a ON a.id = x.authorization_id
LEFT JOIN LATERAL (
    SELECT t.price_units_per_hour FROM sessions_vendortokenprice t
    WHERE t.vendor_id = s.vendor_id AND t.chain_id = a.chain_id AND t.token_address = a.token_address
      AND t.version <= s.token_price_version ORDER BY t.version DESC LIMIT 1
) p ON true
WHERE x.ended_at > s.ended_at OR x.ended_at > a.expires_at OR x.ended_at > x.billable_until
   OR x.started_at < a.verified_at OR x.rate_units_per_hour > a.rate_units_per_hour OR x.asset <> a.token_symbol
   OR x.rate_units_per_hour <> coalesce(p.price_units_per_hour, a.rate_units_per_hour)
   OR (x.status <> 'open') <> (x.ended_at IS NOT NULL) OR (x.status <> 'open') <> (x.amount_units IS NOT NULL)
LIMIT 20;

-- name: I4 nothing happens by itself before an authorisation's next event
SELECT a.id, a.next_event_at, a.settled_at, a.expires_at, x.bound, x.used_units, a.cutoff_units, a.charged_units
FROM billing_authorization a
LEFT JOIN (
    SELECT o.authorization_id, min(o.billable_until) AS bound,
           sum(floor(o.rate_units_per_hour * floor(1000 * extract(epoch FROM
                   b.next_event_at - interval '1 millisecond' - o.started_at)) / 3600000)
               - floor(o.rate_units_per_hour * floor(1000 * extract(epoch FROM
                   b.settled_at - o.started_at)) / 3600000)) AS used_units
    FROM billing_transaction o JOIN billing_authorization b ON b.id = o.authorization_id
    WHERE o.status = 'open' GROUP BY o.authorization_id
) x ON x.authorization_id = a.id
WHERE (a.next_event_at IS NULL) <> (x.bound IS NULL)
   OR a.next_event_at > x.bound OR a.next_event_at > a.expires_at OR a.next_event_at <= a.settled_at
   OR a.charged_units + x.used_units >= a.cutoff_units
LIMIT 20;

-- name: I5 a token transaction says how far its authorisation was charged when it ended
SELECT x.id, x.amount_units, x.due_units, a.charged_units
FROM billing_transaction x JOIN billing_authorization a ON a.id = x.authorization_id
WHERE x.status <> 'open' AND (x.due_units > a.charged_units OR x.due_units < x.amount_units)
LIMIT 20;

-- name: I5 a token transaction is confirmed once it is paid, and not before
SELECT x.id, x.status, x.amount_units, x.due_units, a.collected_units
FROM billing_transaction x JOIN billing_authorization a ON a.id = x.authorization_id
WHERE x.status <> 'open' AND x.amount_units > 0 AND (x.status = 'confirmed') <> (x.due_units <= a.collected_units)
LIMIT 20;

-- name: I6 an authorisation that may not be charged has no meter, and an exhausted one is charged in full
SELECT id, status, open_transactions, charged_units, limit_units FROM billing_authorization
WHERE (status <> 'active' AND open_transactions > 0) OR (status = 'exhausted' AND charged_units <> limit_units)
   OR (status = 'active' AND charged_units = limit_units)
   OR (status IN ('expired', 'revoked')) <> (closed_at IS NOT NULL)
LIMIT 20;

-- name: I6 no event of an authorisation is long past
SELECT id, status, next_event_at, expires_at FROM billing_authorization
WHERE least(next_event_at, CASE WHEN status IN ('pending', 'active', 'exhausted', 'suspended') THEN expires_at END)
      < coalesce(nullif(current_setting('paygo.audit_late', true), ''), '-infinity')::timestamptz
LIMIT 20;

-- name: I9 who streams and whose token pays belong to one client and one viewer
SELECT x.id, s.id AS session_id, a.id AS authorization_id, s.wallet_address
FROM billing_transaction x
JOIN sessions_session s ON s.id = x.session_id
JOIN sessions_vendor v ON v.id = s.vendor_id
JOIN billing_authorization a ON a.id = x.authorization_id
WHERE a.client_id <> s.client_id OR v.client_id <> s.client_id
   OR s.wallet_address NOT IN (a.wallet_address, coalesce(a.linked_wallet_address, a.wallet_address))
   OR s.max_amount_zat IS NOT NULL
LIMIT 20;

-- name: I10 every authorisation that runs was settled
SELECT id, open_transactions, settled_at FROM billing_authorization
WHERE open_transactions > 0
  AND settled_at < coalesce(nullif(current_setting('paygo.audit_late', true), ''), '-infinity')::timestamptz
LIMIT 20;

-- name: L10 a final transaction of a token is charged once, from its authorisation to its vendor
SELECT coalesce(x.id, t.cause_id) AS id, x.amount_units, t.units
FROM (
    SELECT x.id, x.authorization_id, x.amount_units, x.asset, s.vendor_id
    FROM billing_transaction x JOIN sessions_session s ON s.id = x.session_id
    WHERE x.status <> 'open' AND x.authorization_id IS NOT NULL AND x.amount_units > 0
) x
FULL JOIN (
    SELECT cause_id, sum(amount_units) AS units, min(debit_of) AS payer, min(credit_of) AS vendor, min(asset) AS asset
    FROM billing_transfer WHERE kind = 'chain_charge' GROUP BY cause_id
) t ON t.cause_id = x.id
WHERE (x.amount_units, x.authorization_id, x.vendor_id, x.asset) IS DISTINCT FROM (t.units, t.payer, t.vendor, t.asset)
LIMIT 20;

-- name: L11 what an authorisation owes is in its account
-- What open transactions have used is charged, and not in the account yet.
SELECT a.id, a.charged_units, a.collected_units, coalesce(used.units, 0) AS open_units, coalesce(t.units, 0) AS account_units
FROM billing_authorization a
LEFT JOIN (
    SELECT of, sum(units) AS units FROM (
        SELECT credit_of AS of, amount_units AS units FROM billing_transfer WHERE credit = 'authorization'
        UNION ALL
        SELECT debit_of, -amount_units FROM billing_transfer WHERE debit = 'authorization'
    ) moved GROUP BY of
) t ON t.of = a.id
LEFT JOIN (
    SELECT x.authorization_id, sum(floor(x.rate_units_per_hour * floor(1000 * extract(epoch FROM
               least(b.settled_at, x.billable_until) - x.started_at)) / 3600000)) AS units
    FROM billing_transaction x JOIN billing_authorization b ON b.id = x.authorization_id
    WHERE x.status = 'open' GROUP BY x.authorization_id
) used ON used.authorization_id = a.id
WHERE coalesce(t.units, 0) <> a.collected_units - (a.charged_units - coalesce(used.units, 0))
LIMIT 20;

-- name: L12 a payout in tokens is what an operator has said, once
SELECT coalesce(t.cause_id, w.id) AS id, t.asset, t.units, w.details
FROM (
    SELECT cause_id, min(asset) AS asset, min(debit_of) AS vendor, sum(amount_units) AS units
    FROM billing_transfer WHERE kind = 'chain_payout' GROUP BY cause_id
) t
FULL JOIN (SELECT id, details FROM billing_operatoraction WHERE verb = 'pay_tokens') w ON w.id = t.cause_id
WHERE (t.asset, t.vendor::text, t.units::text)
      IS DISTINCT FROM (w.details->>'asset', w.details->>'vendor', w.details->>'units')
LIMIT 20;

-- name: L13 what the operator took out of the wallet by hand is booked as his
SELECT coalesce(f.id, t.cause_id) AS id, f.txid, f.withdrawn_zat, t.units
FROM (SELECT id, txid, withdrawn_zat FROM billing_foreignsend WHERE withdrawn_zat <> 0) f
FULL JOIN (
    SELECT cause_id, sum(amount_units) AS units FROM billing_transfer WHERE kind = 'withdrawal' GROUP BY cause_id
) t ON t.cause_id = f.id
WHERE coalesce(f.withdrawn_zat, 0) <> coalesce(t.units, 0)
LIMIT 20;

-- name: L14 vendors were paid no more of a token than was collected
SELECT asset, paid_units, collected_units FROM (
    SELECT asset, sum(amount_units) FILTER (WHERE kind = 'chain_payout') AS paid_units,
           coalesce(sum(amount_units) FILTER (WHERE kind <> 'chain_payout'), 0) AS collected_units
    FROM billing_transfer WHERE kind IN ('chain_payout', 'collection', 'collection_loss') GROUP BY asset
) t WHERE paid_units > collected_units
LIMIT 20;

-- name: L15 a transfer moves between its cause's accounts, in the asset of its kind
SELECT id, kind, debit, debit_of, credit, credit_of, asset, cause_id FROM billing_transfer
WHERE (debit IN ('wallet', 'treasury', 'fees', 'owner', 'losses') AND debit_of <> 0)
   OR (credit IN ('wallet', 'treasury', 'fees', 'owner', 'losses') AND credit_of <> 0)
   OR (debit IN ('refund', 'payout') AND debit_of <> cause_id)
   OR (credit IN ('refund', 'payout') AND credit_of <> cause_id)
   OR (kind = 'loss' AND credit_of <> cause_id) OR (kind = 'loss_covered' AND debit_of <> cause_id)
   OR (kind <> 'fee'
       AND (asset = 'ZEC') = (kind IN ('chain_charge', 'chain_payout', 'collection', 'collection_loss')))
LIMIT 20;
