import core.units
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0017_dashboard'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='authorization',
            name='pardoned_units',
            field=core.units.UnitsField(db_default=0, default=0),
        ),
        migrations.AddIndex(
            model_name='authorization',
            index=models.Index(condition=models.Q(('linked_wallet_address__isnull', False)), fields=['client', 'linked_wallet_address'], name='billing_authorization_linked'),
        ),
    ]
