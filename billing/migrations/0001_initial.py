import billing.rules
import django.db.models.deletion
import django.db.models.expressions
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('sessions_app', '0001_initial'),
        ('zcash', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='IntervalRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField(db_index=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('engine', models.TextField()),
                ('permissions', models.BigIntegerField(default=0)),
                ('events', models.BigIntegerField(default=0)),
                ('put_aside', models.JSONField(default=list)),
            ],
            options={
                'db_table': 'billing_intervalrun',
            },
        ),
        migrations.CreateModel(
            name='Transaction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('rate_zat_per_hour', models.BigIntegerField()),
                ('started_at', models.DateTimeField()),
                ('billable_until', models.DateTimeField()),
                ('status', models.TextField(choices=[('open', 'open'), ('confirmed', 'confirmed')], default=billing.rules.TransactionStatus['OPEN'])),
                ('ended_at', models.DateTimeField(null=True)),
                ('amount_zat', models.BigIntegerField(null=True)),
                ('permission', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='transactions', to='zcash.spendingpermission')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='transactions', to='sessions_app.streamingsession')),
            ],
            options={
                'db_table': 'billing_transaction',
                'indexes': [models.Index(condition=models.Q(('status', billing.rules.TransactionStatus['OPEN'])), fields=['permission'], name='billing_transaction_open')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['open', 'confirmed'])), name='billing_transaction_status'), models.CheckConstraint(condition=models.Q(models.Q(('amount_zat__isnull', True), ('ended_at__isnull', True), ('status', billing.rules.TransactionStatus['OPEN'])), models.Q(models.Q(('status', billing.rules.TransactionStatus['OPEN']), _negated=True), ('amount_zat__gte', 0), ('ended_at__gte', models.F('started_at')), ('ended_at__lte', models.F('billable_until'))), _connector='OR'), name='billing_transaction_final_is_complete'), models.CheckConstraint(condition=models.Q(('rate_zat_per_hour__gt', 0), ('rate_zat_per_hour__lte', 2100000000000000)), name='billing_transaction_rate'), models.CheckConstraint(condition=models.Q(('billable_until__gt', models.F('started_at')), ('billable_until__lte', django.db.models.expressions.CombinedExpression(models.F('started_at'), '+', models.Value('100 days', models.DurationField())))), name='billing_transaction_bounded'), models.UniqueConstraint(condition=models.Q(('status', billing.rules.TransactionStatus['OPEN'])), fields=('session',), name='billing_transaction_one_open_per_session')],
            },
        ),
    ]
