import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0003_event_positions'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('url', models.TextField()),
                ('description', models.TextField(db_default='', default='')),
                ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), db_default=[], default=list, size=None)),
                ('secret', models.TextField()),
                ('previous_secret', models.TextField(null=True)),
                ('previous_until', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
                ('disabled_at', models.DateTimeField(null=True)),
                ('disabled_reason', models.TextField(choices=[('client', 'client'), ('failing', 'failing'), ('gone', 'gone')], null=True)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('failing_since', models.DateTimeField(null=True)),
                ('failures', models.IntegerField(db_default=0, default=0)),
                ('resume_at', models.DateTimeField(null=True)),
                ('lane_until', models.DateTimeField(null=True)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'core_webhookendpoint',
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('is_redelivery', models.BooleanField(db_default=False, default=False)),
                ('status', models.TextField(choices=[('pending', 'pending'), ('delivered', 'delivered'), ('failed', 'failed')], db_default='pending', default='pending')),
                ('attempts', models.IntegerField(db_default=0, default=0)),
                ('created_at', models.DateTimeField()),
                ('next_attempt_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.event')),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='core.webhookendpoint')),
            ],
            options={
                'verbose_name_plural': 'webhook deliveries',
                'db_table': 'core_webhookdelivery',
            },
        ),
        migrations.CreateModel(
            name='WebhookAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.IntegerField()),
                ('started_at', models.DateTimeField()),
                ('duration_ms', models.IntegerField()),
                ('url', models.TextField()),
                ('request_headers', models.JSONField()),
                ('response_status', models.IntegerField(null=True)),
                ('response_body', models.TextField(db_default='', default='')),
                ('error', models.TextField(db_default='', default='')),
                ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='log', to='core.webhookdelivery')),
            ],
            options={
                'db_table': 'core_webhookattempt',
                'constraints': [models.UniqueConstraint(fields=('delivery', 'number'), name='core_webhookattempt_once'), models.CheckConstraint(condition=models.Q(('response_status__isnull', False), models.Q(('error', ''), _negated=True), _connector='OR'), name='core_webhookattempt_answer_or_error')],
            },
        ),
        migrations.AddIndex(
            model_name='webhookendpoint',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True), ('disabled_at__isnull', True)), fields=['client'], name='core_webhookendpoint_enabled'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('disabled_at__isnull', True), ('disabled_reason__isnull', True)), models.Q(('disabled_at__isnull', False), ('disabled_reason__in', ['client', 'failing', 'gone'])), _connector='OR'), name='core_webhookendpoint_disabled_for'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('previous_secret__isnull', True), ('previous_until__isnull', True)), models.Q(('previous_secret__isnull', False), ('previous_until__isnull', False)), _connector='OR'), name='core_webhookendpoint_two_secrets'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('failing_since__isnull', True), ('failures', 0)), models.Q(('failing_since__isnull', False), ('failures__gt', 0)), _connector='OR'), name='core_webhookendpoint_failing_since'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['endpoint', 'next_attempt_at'], name='core_webhookdelivery_due'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(fields=['endpoint', 'id'], name='core_webhookdelivery_log'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(fields=['event', 'endpoint'], name='core_webhookdelivery_event'),
        ),
        migrations.AddConstraint(
            model_name='webhookdelivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('next_attempt_at__isnull', False), ('status', 'pending')), models.Q(('finished_at__isnull', False), ('next_attempt_at__isnull', True), ('status__in', ['delivered', 'failed'])), _connector='OR'), name='core_webhookdelivery_pending_or_over'),
        ),
        migrations.AddConstraint(
            model_name='webhookdelivery',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'pending')), fields=('endpoint', 'event'), name='core_webhookdelivery_one_pending'),
        ),
    ]
