import uuid

from django.db import migrations, models

# A rotated key is of the family of the one that it replaces.
_FAMILIES = """
UPDATE api_key SET family = gen_random_uuid();
WITH RECURSIVE line AS (
    SELECT id, family FROM api_key WHERE replaces_id IS NULL
    UNION ALL
    SELECT k.id, line.family FROM api_key k JOIN line ON k.replaces_id = line.id
)
UPDATE api_key k SET family = line.family FROM line WHERE line.id = k.id;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('api', '0002_rotation'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='family',
            field=models.UUIDField(default=uuid.uuid4, editable=False),
        ),
        migrations.RunSQL(_FAMILIES, migrations.RunSQL.noop),
    ]
