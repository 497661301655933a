from django.db import migrations, models

# What an open session would be charged today is what it started with, as far as anybody can tell. Those that
# have ended are posted already and keep none.
FREEZE_OPEN = """
UPDATE sessions_session s SET fee_bps = v.fee_bps
FROM sessions_vendor v WHERE v.id = s.vendor_id AND s.status <> 'ended';
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('sessions_app', '0007_tokens'),
    ]

    operations = [
        migrations.AddField(
            model_name='streamingsession',
            name='fee_bps',
            field=models.IntegerField(null=True),
        ),
        migrations.RunSQL(FREEZE_OPEN, reverse_sql=migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='streamingsession',
            constraint=models.CheckConstraint(condition=models.Q(('fee_bps__isnull', True), models.Q(('fee_bps__gte', 0), ('fee_bps__lte', 10000)), _connector='OR'), name='sessions_session_fee'),
        ),
    ]
