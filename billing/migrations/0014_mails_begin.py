from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0013_token_ledger'),
    ]

    operations = [
        migrations.AlterField(
            model_name='mailcursor',
            name='position',
            field=models.BigIntegerField(null=True),
        ),
        # Where mail was never on, nothing was looked at.
        migrations.RunSQL(
            'UPDATE billing_mailcursor SET position = NULL WHERE position = 0',
            'UPDATE billing_mailcursor SET position = 0 WHERE position IS NULL',
        ),
    ]
