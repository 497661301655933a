import django.db.models.deletion
from django.db import migrations, models

import core.units

APPEND_ONLY = """
CREATE TRIGGER sessions_vendortokenprice_append_only BEFORE UPDATE OR DELETE ON sessions_vendortokenprice
    FOR EACH ROW EXECUTE FUNCTION sessions_refuse_change();
CREATE TRIGGER sessions_vendortokenprice_no_truncate BEFORE TRUNCATE ON sessions_vendortokenprice
    FOR EACH STATEMENT EXECUTE FUNCTION sessions_refuse_change();
"""
CHANGEABLE = """
DROP TRIGGER sessions_vendortokenprice_append_only ON sessions_vendortokenprice;
DROP TRIGGER sessions_vendortokenprice_no_truncate ON sessions_vendortokenprice;
"""

# A vendor has the version that it says is its latest; both are written by one transaction, in any order.
LATEST = """
ALTER TABLE sessions_vendor ADD CONSTRAINT sessions_vendor_latest_token_price
    FOREIGN KEY (id, token_price_version) REFERENCES sessions_vendortokenprice (vendor_id, version)
    DEFERRABLE INITIALLY DEFERRED
"""


class Migration(migrations.Migration):

    dependencies = [
        ('sessions_app', '0008_session_fee'),
    ]

    operations = [
        migrations.CreateModel(
            name='VendorTokenPrice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.IntegerField()),
                ('chain_id', models.BigIntegerField()),
                ('token_address', models.TextField()),
                ('price_units_per_hour', core.units.UnitsField(null=True)),
                ('created_at', models.DateTimeField()),
                ('actor', models.TextField()),
                ('vendor', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='sessions_app.vendor')),
            ],
            options={
                'db_table': 'sessions_vendortokenprice',
                'indexes': [models.Index(fields=['vendor', 'chain_id', 'token_address', 'version'], name='sessions_vendortokenprice_of')],
                'constraints': [
                    models.UniqueConstraint(fields=('vendor', 'version'), name='sessions_vendortokenprice_version_once'),
                    models.CheckConstraint(condition=models.Q(('version__gte', 1)), name='sessions_vendortokenprice_version'),
                    models.CheckConstraint(condition=models.Q(('price_units_per_hour__isnull', True), models.Q(('price_units_per_hour__gt', 0), ('price_units_per_hour__lte', 1000000000000000000000000000000)), _connector='OR'), name='sessions_vendortokenprice_price'),
                ],
            },
        ),
        migrations.AddField(
            model_name='vendor',
            name='token_price_version',
            field=models.IntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='streamingsession',
            name='token_price_version',
            field=models.IntegerField(null=True),
        ),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
        migrations.RunSQL(LATEST, 'ALTER TABLE sessions_vendor DROP CONSTRAINT sessions_vendor_latest_token_price'),
    ]
