"""Every raw statement of the statistics."""

# The earliest instant at which anything may still end. What is open belongs to a permission or authorisation
# that is settled up to some instant, and ends at that instant or later; what is not begun begins later still.
# Whoever has read the clock and not committed yet is covered by the margin. What nobody has settled for long
# (`stuck_before`) is told apart: since when, and which ones, as a sum that changes with any of them.
FRONTIER = """
SELECT least(min(settled_at) FILTER (WHERE settled_at >= %(stuck_before)s),
             %(now)s::timestamptz - interval '5 minutes'),
       min(settled_at) FILTER (WHERE settled_at < %(stuck_before)s),
       coalesce(sum(hashtextextended(kind || id || ' ' || extract(epoch FROM settled_at), 0)::numeric)
                FILTER (WHERE settled_at < %(stuck_before)s), 0)::text
FROM (
    SELECT 'permission ' AS kind, id, settled_at FROM zcash_permission WHERE open_transactions > 0
    UNION ALL
    SELECT 'authorization ', id, settled_at FROM billing_authorization WHERE open_transactions > 0
) running
"""

FIRST = """
SELECT least(
    (SELECT min(ended_at) FROM billing_transaction WHERE status <> 'open'),
    (SELECT min(created_at) FROM zcash_permission_audit WHERE action <> 'settled'))
"""

# Of hours that can still change: written anew, from ended transactions (what they earned in tokens counts
# before it is collected) and from the audit log without settlements.
FORGET_HOURS = "DELETE FROM billing_hourlyfigure WHERE hour >= %(since)s AND name = ANY(%(names)s)"

COUNT_REVENUE = """
INSERT INTO billing_hourlyfigure (hour, name, asset, value)
SELECT date_trunc('hour', ended_at), 'revenue', asset, coalesce(sum(coalesce(amount_zat, amount_units)), 0)
FROM billing_transaction
WHERE status <> 'open' AND ended_at >= %(since)s
GROUP BY 1, 3
"""

COUNT_STREAMED = """
INSERT INTO billing_hourlyfigure (hour, name, asset, value)
SELECT hour, name, '', value FROM (
    SELECT date_trunc('hour', ended_at) AS hour, count(*)::numeric AS transactions,
           sum(round(extract(epoch FROM ended_at - started_at) * 1000))::numeric AS streamed_ms
    FROM billing_transaction
    WHERE status <> 'open' AND ended_at >= %(since)s
    GROUP BY 1
) hours CROSS JOIN LATERAL (
    VALUES ('streamed_ms', streamed_ms), ('transactions', transactions)
) figures (name, value)
"""

COUNT_CHANGES = """
INSERT INTO billing_hourlyfigure (hour, name, asset, value)
SELECT hour, name, CASE WHEN name LIKE '%%\\_zat' THEN 'ZEC' ELSE '' END, value FROM (
    SELECT date_trunc('hour', created_at) AS hour,
           count(*) FILTER (WHERE action = 'created') AS created,
           count(*) FILTER (WHERE action IN ('activated', 'queued') AND details ? 'credited'
                            AND coalesce(details->>'was', 'pending') = 'pending') AS paid,
           count(*) FILTER (WHERE action = 'activated') AS activated,
           count(*) FILTER (WHERE action = 'exhausted') AS exhausted,
           count(*) FILTER (WHERE action = 'expired') AS expired,
           count(*) FILTER (WHERE action = 'revoked') AS revoked,
           count(*) FILTER (WHERE action = 'lapsed') AS lapsed,
           count(*) FILTER (WHERE action = 'refund_queued') AS refunded,
           coalesce(sum(amount_after_zat - amount_before_zat
                        + coalesce((details->>'shortfall_repaid_zat')::bigint, 0))
                    FILTER (WHERE action = 'credited'), 0) AS credited_zat,
           coalesce(sum(amount_before_zat - amount_after_zat)
                    FILTER (WHERE action IN ('refund_queued', 'refund_cancelled')), 0) AS refunded_zat,
           coalesce(sum(amount_after_zat - amount_before_zat), 0) AS moved_zat
    FROM zcash_permission_audit
    WHERE action <> 'settled' AND created_at >= %(since)s
    GROUP BY 1
) hours CROSS JOIN LATERAL (
    VALUES ('created', created), ('paid', paid), ('activated', activated), ('exhausted', exhausted),
           ('expired', expired), ('revoked', revoked), ('lapsed', lapsed), ('refunded', refunded),
           ('credited_zat', credited_zat), ('refunded_zat', refunded_zat), ('moved_zat', moved_zat)
) figures (name, value)
WHERE value <> 0
"""

# Days are sums of their hours: a year of them is read in no time, ten years of hours are not.
FORGET_DAYS_OF_FIGURES = "DELETE FROM billing_dailyfigure WHERE day >= %(since)s::timestamptz::date"

COUNT_DAYS_OF_FIGURES = """
INSERT INTO billing_dailyfigure (day, name, asset, value)
SELECT hour::date, name, asset, sum(value) FROM billing_hourlyfigure
WHERE name = ANY(%(names)s) AND hour >= %(since)s::timestamptz::date::timestamptz
GROUP BY 1, 2, 3
"""

FORGET_DAYS = "DELETE FROM billing_vendorday WHERE day >= %(since)s"

COUNT_VENDORS = """
INSERT INTO billing_vendorday (day, vendor_id, asset, amount, streamed_ms, transactions)
SELECT (x.ended_at AT TIME ZONE 'UTC')::date, s.vendor_id, x.asset,
       coalesce(sum(coalesce(x.amount_zat, x.amount_units)), 0),
       sum(round(extract(epoch FROM x.ended_at - x.started_at) * 1000)), count(*)
FROM billing_transaction x JOIN sessions_session s ON s.id = x.session_id
WHERE x.status <> 'open' AND x.ended_at >= %(since)s
GROUP BY 1, 2, 3
"""

# What is owed and what runs now: the last measurement in an hour stands for it. It reads every permission
# once; that is why a task does it and no page.
MEASURE = """
INSERT INTO billing_hourlyfigure (hour, name, asset, value)
SELECT date_trunc('hour', %(now)s::timestamptz), name,
       CASE WHEN name LIKE '%%\\_zat' THEN 'ZEC' ELSE '' END, value
FROM (
    SELECT coalesce(sum(remaining_zat), 0) AS remaining_zat, coalesce(sum(open_transactions), 0) AS running,
           count(*) FILTER (WHERE status = 'active') AS active,
           count(*) FILTER (WHERE status = 'pending') AS pending,
           coalesce(sum(shortfall_zat), 0) AS lost_zat
    FROM zcash_permission
) p CROSS JOIN (
    SELECT coalesce(sum(amount_zat), 0) AS refunding_zat FROM billing_refund
    WHERE status NOT IN ('confirmed', 'cancelled')
) r CROSS JOIN LATERAL (
    VALUES ('remaining_zat', remaining_zat), ('running', running), ('active', active), ('pending', pending),
           ('lost_zat', lost_zat), ('refunding_zat', refunding_zat)
) figures (name, value)
ON CONFLICT ON CONSTRAINT billing_hourlyfigure_once_an_hour DO UPDATE SET value = EXCLUDED.value
"""

# For reading: sums of a name in each bucket of a time range, of hours, or of days that `%(unit)s` ('day' or
# 'week') puts together.
SERIES = """
SELECT name, asset, date_trunc(%(unit)s, hour) AS bucket, sum(value) FROM billing_hourlyfigure
WHERE name = ANY(%(names)s) AND hour >= %(since)s AND hour < %(until)s
GROUP BY 1, 2, 3 ORDER BY 3
"""

SERIES_OF_DAYS = """
SELECT name, asset, date_trunc(%(unit)s, day::timestamptz) AS bucket, sum(value) FROM billing_dailyfigure
WHERE name = ANY(%(names)s) AND day >= %(since)s::timestamptz::date AND day::timestamptz < %(until)s
GROUP BY 1, 2, 3 ORDER BY 3
"""

# Measurements are not added up: the last one stands.
MEASURED = """
SELECT asked.name, latest.value
FROM unnest(%(names)s::text[]) asked (name) CROSS JOIN LATERAL (
    SELECT value FROM billing_hourlyfigure WHERE name = asked.name AND hour < %(until)s
    ORDER BY hour DESC LIMIT 1
) latest
"""

# The vendors whose streams cost the most since a day, ZEC first: amounts of different money have no order.
TOP_VENDORS = """
SELECT vendor_id, asset, sum(amount)::text, sum(streamed_ms)::bigint FROM billing_vendorday
WHERE day >= %(since)s::timestamptz::date
GROUP BY 1, 2 ORDER BY asset <> 'ZEC', sum(amount) DESC LIMIT %(limit)s
"""

# What permissions had left when a time range began: all that moved without streaming, less what was streamed.
LEFT_BEFORE = """
SELECT coalesce(sum(CASE name WHEN 'revenue' THEN -value ELSE value END), 0) FROM (
    SELECT name, asset, value FROM billing_dailyfigure WHERE day < %(since)s::timestamptz::date
    UNION ALL
    SELECT name, asset, value FROM billing_hourlyfigure
    WHERE hour >= %(since)s::timestamptz::date::timestamptz AND hour < %(since)s
          AND name IN ('moved_zat', 'revenue')
) earlier
WHERE name = 'moved_zat' OR (name = 'revenue' AND asset = 'ZEC')
"""
