from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0023_foreign_sends'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='mail',
            name='recipient',
        ),
    ]
