from django.db import migrations

# Events that are written by the set say amounts and instants as those that are written one by one do.
TEXTS = """
CREATE FUNCTION paygo_zec(amount_zat bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT trim_scale(amount_zat * 0.00000001)::text
$$;

CREATE FUNCTION paygo_iso(moment timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || CASE WHEN date_trunc('second', moment) = moment THEN ''
                ELSE to_char(moment AT TIME ZONE 'UTC', '.US') END
        || '+00:00'
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]

    operations = [
        migrations.RunSQL(TEXTS, "DROP FUNCTION paygo_zec(bigint); DROP FUNCTION paygo_iso(timestamptz)"),
    ]
