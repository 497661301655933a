"""Every raw statement on the partitions of the audit log; `{names}` are identifiers that this app makes."""

# The leaves of one branch with what they cover, the default one apart.
LEAVES = r"""
SELECT c.relname, substring(bound FROM 'FROM \(''([^'']+)''\)')::timestamptz,
       substring(bound FROM 'TO \(''([^'']+)''\)')::timestamptz
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) bound
WHERE i.inhparent = to_regclass(%(branch)s) AND bound <> 'DEFAULT'
ORDER BY 2
"""

BRANCH_EXISTS = "SELECT to_regclass(%(branch)s) IS NOT NULL"

# Waits for nothing longer than an interval's chunk does: while an exclusive lock is waited for, every
# chunk queues behind it.
SHORT_LOCKS = "SET LOCAL lock_timeout = '40ms'"

HOLDS_ROWS = """
SELECT EXISTS (SELECT FROM {default} WHERE created_at >= %(covers_from)s AND created_at < %(covers_to)s)
"""

# Made beside the tree and then attached: that locks the branch against other changes of its shape only, and
# of what holds rows the default leaf alone, where nothing is written while the leaves are there in time.
# The indexes and the row triggers come with the attachment; a TRUNCATE trigger is not inherited.
CREATE_LEAF = """
CREATE TABLE {leaf} (LIKE {branch} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TRIGGER zcash_permission_audit_no_truncate BEFORE TRUNCATE ON {leaf}
    FOR EACH STATEMENT EXECUTE FUNCTION zcash_refuse_change();
ALTER TABLE {branch} ATTACH PARTITION {leaf} FOR VALUES FROM ('{covers_from}') TO ('{covers_to}')
"""

# CONCURRENTLY is not to be had beside a default leaf; the exclusive lock lasts for a few milliseconds. The
# row trigger belonged to the tree: the table gets one of its own.
ARCHIVE_LEAF = """
CREATE SCHEMA IF NOT EXISTS {archive};
ALTER TABLE {branch} DETACH PARTITION {leaf};
ALTER TABLE {leaf} SET SCHEMA {archive};
CREATE TRIGGER zcash_permission_audit_append_only BEFORE UPDATE OR DELETE ON {archive}.{leaf}
    FOR EACH ROW EXECUTE FUNCTION zcash_refuse_change()
"""

IS_ARCHIVED = "SELECT to_regclass(%(place)s) IS NOT NULL"

# The highest number given out: whatever is written from now on has a higher one.
LAST_ID = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('zcash_permission_audit', 'id')), 0)"

# Long enough for an hour of any day on a slow disk; the service's own limit is for requests. What the text of
# an instant depends on is fixed.
LONG_READ = """
SET LOCAL statement_timeout = '900s'; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'
"""

# The sealed text of a part of a leaf: one line a row, COPY's text form (nothing in a value looks like a
# separator), instants in ISO 8601 (as numbers they cost as much as all the rest). COPY takes no parameters.
ROWS_AS_TEXT = """
COPY (
    SELECT id, permission_id, created_at, effective_at, amount_before_zat, amount_after_zat, action, actor,
           details
    FROM ONLY {place}
    WHERE created_at >= '{since}' AND created_at < '{until}' AND id <= {last_id}
    ORDER BY created_at, id
) TO STDOUT
"""

LATE_ROWS = "SELECT count(*) FROM ONLY {place} WHERE id > %(last_id)s"

DEFAULT_HAS_ROWS = "SELECT EXISTS (SELECT FROM {default})"
