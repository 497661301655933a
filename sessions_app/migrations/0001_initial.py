import django.core.validators
import django.db.models.deletion
import sessions_app.rules
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Vendor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.CharField(max_length=64, validators=[django.core.validators.RegexValidator('\\A[A-Za-z0-9_-]{1,64}\\Z', message='must have 1 to 64 letters, digits, hyphens or underscores')])),
                ('name', models.CharField(max_length=200)),
                ('price_zat_per_hour', models.BigIntegerField(blank=True, null=True)),
                ('heartbeat_seconds', models.IntegerField(blank=True, null=True)),
                ('is_active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField()),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'sessions_vendor',
            },
        ),
        migrations.CreateModel(
            name='StreamingSession',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('code', models.TextField(unique=True)),
                ('wallet_address', models.TextField()),
                ('client_ref', models.TextField(blank=True, default='')),
                ('rate_zat_per_hour', models.BigIntegerField()),
                ('status', models.TextField(choices=[('active', 'active'), ('paused', 'paused'), ('ended', 'ended')], default=sessions_app.rules.SessionStatus['ACTIVE'])),
                ('started_at', models.DateTimeField()),
                ('capped_at', models.DateTimeField()),
                ('heartbeat_seconds', models.IntegerField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('end_reason', models.TextField(choices=[('ended_by_client', 'ended_by_client'), ('exhausted', 'exhausted'), ('permission_expired', 'permission_expired'), ('permission_revoked', 'permission_revoked'), ('heartbeat_lost', 'heartbeat_lost'), ('max_duration', 'max_duration')], null=True)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('vendor', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to='sessions_app.vendor')),
            ],
            options={
                'db_table': 'sessions_session',
            },
        ),
        migrations.AddConstraint(
            model_name='vendor',
            constraint=models.UniqueConstraint(fields=('client', 'slug'), name='sessions_vendor_slug_per_client'),
        ),
        migrations.AddConstraint(
            model_name='vendor',
            constraint=models.CheckConstraint(condition=models.Q(('price_zat_per_hour__isnull', True), models.Q(('price_zat_per_hour__gt', 0), ('price_zat_per_hour__lte', 2100000000000000)), _connector='OR'), name='sessions_vendor_price'),
        ),
        migrations.AddConstraint(
            model_name='vendor',
            constraint=models.CheckConstraint(condition=models.Q(('heartbeat_seconds__isnull', True), models.Q(('heartbeat_seconds__gte', 5), ('heartbeat_seconds__lte', 3600)), _connector='OR'), name='sessions_vendor_heartbeat'),
        ),
        migrations.AddConstraint(
            model_name='streamingsession',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['active', 'paused', 'ended'])), name='sessions_session_status'),
        ),
        migrations.AddConstraint(
            model_name='streamingsession',
            constraint=models.CheckConstraint(condition=models.Q(('rate_zat_per_hour__gt', 0), ('rate_zat_per_hour__lte', 2100000000000000)), name='sessions_session_rate'),
        ),
        migrations.AddConstraint(
            model_name='streamingsession',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('end_reason__isnull', False), ('ended_at__isnull', False), ('status', sessions_app.rules.SessionStatus['ENDED'])), models.Q(models.Q(('status', sessions_app.rules.SessionStatus['ENDED']), _negated=True), ('end_reason__isnull', True), ('ended_at__isnull', True)), _connector='OR'), name='sessions_session_ended_is_explained'),
        ),
        migrations.AddConstraint(
            model_name='streamingsession',
            constraint=models.CheckConstraint(condition=models.Q(('ended_at__isnull', True), ('ended_at__gte', models.F('started_at')), _connector='OR'), name='sessions_session_ends_after_start'),
        ),
        migrations.AddConstraint(
            model_name='streamingsession',
            constraint=models.CheckConstraint(condition=models.Q(('capped_at__gt', models.F('started_at'))), name='sessions_session_cap_after_start'),
        ),
        migrations.AddConstraint(
            model_name='streamingsession',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['active', 'paused'])), fields=('client', 'wallet_address', 'vendor', 'client_ref'), name='sessions_session_one_open_per_ref'),
        ),
    ]
