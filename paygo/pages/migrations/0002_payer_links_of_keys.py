import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('api', '0003_key_family'),
        ('pages', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='payerlink',
            name='key',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='api.apikey'),
        ),
    ]
