import django.contrib.postgres.fields
from django.db import migrations, models

KEEP = """
UPDATE core_webhookendpoint SET previous_secrets = ARRAY[previous_secret] WHERE previous_secret IS NOT NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0006_failing_endpoints'),
    ]

    operations = [
        migrations.AddField(
            model_name='webhookendpoint',
            name='previous_secrets',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), db_default=[], default=list, size=None),
        ),
        migrations.RunSQL(KEEP, reverse_sql='UPDATE core_webhookendpoint SET previous_secret = previous_secrets[1]'),
        migrations.RemoveConstraint(
            model_name='webhookendpoint',
            name='core_webhookendpoint_two_secrets',
        ),
        migrations.RemoveField(
            model_name='webhookendpoint',
            name='previous_secret',
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('previous_secrets', []), ('previous_until__isnull', True)), models.Q(models.Q(('previous_secrets', []), _negated=True), ('previous_until__isnull', False)), _connector='OR'), name='core_webhookendpoint_previous_until'),
        ),
    ]
