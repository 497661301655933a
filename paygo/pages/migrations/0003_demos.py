from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pages", "0002_payer_links_of_keys")]

    operations = [
        migrations.AddField("checkout", "is_demo", models.BooleanField(db_default=False, default=False)),
    ]
