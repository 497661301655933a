from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('zcash', '0007_notify_email'),
    ]

    operations = [
        migrations.CreateModel(
            name='UnmatchedDeposit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('txid', models.TextField()),
                ('pool', models.TextField()),
                ('output_index', models.BigIntegerField()),
                ('address', models.TextField()),
                ('amount_zat', models.BigIntegerField()),
                ('height', models.IntegerField(null=True)),
                ('first_seen_at', models.DateTimeField()),
                ('resolved_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'zcash_unmatched',
                'indexes': [models.Index(condition=models.Q(('resolved_at__isnull', True)), fields=['-amount_zat', 'id'], name='zcash_unmatched_waiting')],
                'constraints': [models.UniqueConstraint(fields=('txid', 'pool', 'output_index'), name='zcash_unmatched_once'), models.CheckConstraint(condition=models.Q(('amount_zat__gt', 0), ('amount_zat__lte', 2100000000000000)), name='zcash_unmatched_amount')],
            },
        ),
    ]
