import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


APPEND_ONLY = """
CREATE FUNCTION sessions_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: write the next version instead', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER sessions_vendorprice_append_only BEFORE UPDATE OR DELETE ON sessions_vendorprice
    FOR EACH ROW EXECUTE FUNCTION sessions_refuse_change();
CREATE TRIGGER sessions_vendorprice_no_truncate BEFORE TRUNCATE ON sessions_vendorprice
    FOR EACH STATEMENT EXECUTE FUNCTION sessions_refuse_change();
"""

CHANGEABLE = """
DROP TRIGGER sessions_vendorprice_append_only ON sessions_vendorprice;
DROP TRIGGER sessions_vendorprice_no_truncate ON sessions_vendorprice;
DROP FUNCTION sessions_refuse_change();
"""

# What a vendor costs today is its first version. The rows' own checks are done before tables change again.
FIRST_VERSIONS = """
INSERT INTO sessions_vendorprice (vendor_id, version, price_zat_per_hour, created_at, actor)
SELECT id, 1, price_zat_per_hour, created_at, 'migration' FROM sessions_vendor;
UPDATE sessions_vendor SET price_version = 1;
SET CONSTRAINTS ALL IMMEDIATE;
"""

# A vendor has the version that it says is its current one; both are written by one transaction, in any order.
CURRENT_PRICE = """
ALTER TABLE sessions_vendor ADD CONSTRAINT sessions_vendor_current_price
    FOREIGN KEY (id, price_version) REFERENCES sessions_vendorprice (vendor_id, version)
    DEFERRABLE INITIALLY DEFERRED
"""


class Migration(migrations.Migration):

    dependencies = [
        ('sessions_app', '0003_pause_and_cap'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='VendorPrice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.IntegerField()),
                ('price_zat_per_hour', models.BigIntegerField(null=True)),
                ('created_at', models.DateTimeField()),
                ('actor', models.TextField()),
                ('vendor', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='prices', to='sessions_app.vendor')),
            ],
            options={
                'db_table': 'sessions_vendorprice',
                'constraints': [
                    models.UniqueConstraint(fields=('vendor', 'version'), name='sessions_vendorprice_version_once'),
                    models.CheckConstraint(condition=models.Q(('version__gte', 1)), name='sessions_vendorprice_version'),
                    models.CheckConstraint(condition=models.Q(('price_zat_per_hour__isnull', True), models.Q(('price_zat_per_hour__gt', 0), ('price_zat_per_hour__lte', 2100000000000000)), _connector='OR'), name='sessions_vendorprice_price'),
                ],
            },
        ),
        migrations.AddField(
            model_name='vendor',
            name='price_version',
            field=models.IntegerField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='vendor',
            name='heartbeat_seconds',
            field=models.IntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(5), django.core.validators.MaxValueValidator(3600)]),
        ),
        migrations.AlterField(
            model_name='vendor',
            name='price_zat_per_hour',
            field=models.BigIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(2100000000000000)]),
        ),
        migrations.AddField(
            model_name='streamingsession',
            name='price_version',
            field=models.IntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name='streamingsession',
            constraint=models.CheckConstraint(condition=models.Q(('price_version__isnull', True), ('price_version__gte', 1), _connector='OR'), name='sessions_session_price_version'),
        ),
        migrations.AlterField(
            model_name='streamingsession',
            name='client',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='streamingsession',
            index=models.Index(fields=['client', 'id'], name='sessions_session_client'),
        ),
        migrations.AddIndex(
            model_name='streamingsession',
            index=models.Index(fields=['client', 'wallet_address', 'id'], name='sessions_session_wallet'),
        ),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
        migrations.RunSQL(FIRST_VERSIONS, migrations.RunSQL.noop),
        migrations.RunSQL(CURRENT_PRICE, 'ALTER TABLE sessions_vendor DROP CONSTRAINT sessions_vendor_current_price'),
    ]
