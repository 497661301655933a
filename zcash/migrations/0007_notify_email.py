from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('zcash', '0006_queues'),
    ]

    operations = [
        migrations.AddField(
            model_name='spendingpermission',
            name='notify_email',
            field=models.TextField(null=True),
        ),
    ]
