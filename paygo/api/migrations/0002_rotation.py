import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('api', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='lifetime',
            field=models.DurationField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='replaces',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='successors', to='api.apikey'),
        ),
        migrations.RunSQL(
            'UPDATE api_key SET lifetime = expires_at - created_at WHERE expires_at IS NOT NULL',
            migrations.RunSQL.noop,
        ),
    ]
