import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0010_ethereum_permits'),
        ('core', '0004_webhooks'),
        ('zcash', '0007_notify_email'),
    ]

    operations = [
        migrations.CreateModel(
            name='MailCursor',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('position', models.BigIntegerField(default=0)),
            ],
            options={
                'db_table': 'billing_mailcursor',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='billing_mailcursor_single_row')],
            },
        ),
        migrations.CreateModel(
            name='Mail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('recipient', models.TextField()),
                ('status', models.TextField(choices=[('queued', 'queued'), ('sent', 'sent'), ('failed', 'failed'), ('unwanted', 'unwanted')], db_default='queued', default='queued')),
                ('attempts', models.IntegerField(db_default=0, default=0)),
                ('created_at', models.DateTimeField()),
                ('next_attempt_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('error', models.TextField(db_default='', default='')),
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.event')),
                ('permission', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='zcash.spendingpermission')),
            ],
            options={
                'db_table': 'billing_mail',
                'indexes': [models.Index(condition=models.Q(('status', 'queued')), fields=['next_attempt_at'], name='billing_mail_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('next_attempt_at__isnull', False), ('status', 'queued')), models.Q(('finished_at__isnull', False), ('next_attempt_at__isnull', True), ('status__in', ['sent', 'failed', 'unwanted'])), _connector='OR'), name='billing_mail_queued_or_over')],
            },
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule', models.TextField()),
                ('period', models.TextField()),
                ('told', models.BooleanField()),
                ('created_at', models.DateTimeField()),
                ('permission', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='zcash.spendingpermission')),
            ],
            options={
                'db_table': 'billing_notice',
                'constraints': [models.UniqueConstraint(fields=('permission', 'rule', 'period'), name='billing_notice_once')],
            },
        ),
        migrations.RunSQL(
            'INSERT INTO billing_mailcursor (id, position) VALUES (1, 0)', 'DELETE FROM billing_mailcursor'
        ),
    ]
