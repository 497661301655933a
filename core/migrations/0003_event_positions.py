from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

# What an event says never changes, and its place among the others is given once: a webhook that is sent
# again says the same.
FROZEN = """
CREATE FUNCTION core_event_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an event is never changed' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER core_event_frozen BEFORE UPDATE ON core_event FOR EACH ROW
    WHEN (OLD.position IS NOT NULL
          OR (OLD.uid, OLD.client_id, OLD.kind, OLD.subject, OLD.payload, OLD.created_at)
             IS DISTINCT FROM (NEW.uid, NEW.client_id, NEW.kind, NEW.subject, NEW.payload, NEW.created_at))
    EXECUTE FUNCTION core_event_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_event_texts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("event", "sequence", models.BigIntegerField(null=True)),
        migrations.AddConstraint(
            "event",
            models.CheckConstraint(
                condition=Q(position__isnull=True, sequence__isnull=True)
                | Q(position__gt=0, sequence__gt=0, sequence__isnull=False),
                name="core_event_published_whole",
            ),
        ),
        migrations.AddConstraint(
            "event",
            models.UniqueConstraint(
                fields=["subject", "sequence"],
                condition=Q(sequence__isnull=False),
                name="core_event_sequence_once",
            ),
        ),
        migrations.AddIndex(
            "event",
            models.Index(
                fields=["client", "position"], name="core_event_feed", condition=Q(position__isnull=False)
            ),
        ),
        migrations.RunSQL(
            FROZEN, "DROP TRIGGER core_event_frozen ON core_event; DROP FUNCTION core_event_refuse_change()"
        ),
    ]
