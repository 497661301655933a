import core.units
from django.db import migrations, models


APPEND_ONLY = """
CREATE TRIGGER billing_transfer_append_only BEFORE UPDATE OR DELETE ON billing_transfer
    FOR EACH ROW EXECUTE FUNCTION zcash_refuse_change();
CREATE TRIGGER billing_transfer_no_truncate BEFORE TRUNCATE ON billing_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION zcash_refuse_change();
"""

# What the books would say had they been kept from the beginning, in the order in which it happened: of what
# came and was taken back again, nothing. No vendor was asked for a share, and none was paid, before.
OPENING = """
INSERT INTO billing_transfer (kind, debit, debit_of, credit, credit_of, asset, amount_units, cause_id, at,
                              booked_at)
SELECT kind, debit, debit_of, credit, credit_of, 'ZEC', zat, cause_id, at, paygo_now() FROM (
    SELECT 'deposit' AS kind, 'wallet' AS debit, 0 AS debit_of, 'permission' AS credit,
           permission_id AS credit_of, amount_zat AS zat, id AS cause_id, credited_at AS at, 1 AS step
    FROM zcash_deposit WHERE status = 'confirmed'
    UNION ALL
    SELECT 'loss', 'losses', 0, 'permission', id, shortfall_zat, id, coalesce(settled_at, created_at), 2
    FROM zcash_permission WHERE shortfall_zat > 0
    UNION ALL
    SELECT 'charge', 'permission', x.permission_id, 'vendor', s.vendor_id, x.amount_zat, x.id, x.ended_at, 3
    FROM billing_transaction x JOIN sessions_session s ON s.id = x.session_id
    WHERE x.status <> 'open' AND x.amount_zat > 0
    UNION ALL
    SELECT 'refund', 'permission', permission_id, 'refund', id, amount_zat, id, created_at, 4
    FROM billing_refund WHERE status <> 'cancelled'
    UNION ALL
    SELECT 'refund_paid', 'refund', id, 'wallet', 0, amount_zat - fee_zat, id,
           coalesce(finished_at, created_at), 5
    FROM billing_refund WHERE status IN ('sent', 'confirmed')
    UNION ALL
    SELECT 'refund_fee', 'refund', id, 'wallet', 0, fee_zat, id, coalesce(finished_at, created_at), 6
    FROM billing_refund WHERE status IN ('sent', 'confirmed')
) opening ORDER BY at, step, cause_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0006_ethereum'),
    ]

    operations = [
        migrations.CreateModel(
            name='Transfer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.TextField()),
                ('debit', models.TextField()),
                ('debit_of', models.BigIntegerField(default=0)),
                ('credit', models.TextField()),
                ('credit_of', models.BigIntegerField(default=0)),
                ('asset', models.TextField(default='ZEC')),
                ('amount_units', core.units.UnitsField()),
                ('cause_id', models.BigIntegerField()),
                ('at', models.DateTimeField()),
                ('booked_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'billing_transfer',
                'indexes': [models.Index(fields=['debit', 'debit_of', 'id'], name='billing_transfer_debit'), models.Index(fields=['credit', 'credit_of', 'id'], name='billing_transfer_credit')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('credit', 'permission'), ('debit', 'wallet'), ('kind', 'deposit')), models.Q(('credit', 'wallet'), ('debit', 'permission'), ('kind', 'reversal')), models.Q(('credit', 'permission'), ('debit', 'losses'), ('kind', 'loss')), models.Q(('credit', 'losses'), ('debit', 'permission'), ('kind', 'loss_covered')), models.Q(('credit', 'vendor'), ('debit', 'permission'), ('kind', 'charge')), models.Q(('credit', 'fees'), ('debit', 'vendor'), ('kind', 'fee')), models.Q(('credit', 'refund'), ('debit', 'permission'), ('kind', 'refund')), models.Q(('credit', 'permission'), ('debit', 'refund'), ('kind', 'refund_cancelled')), models.Q(('credit', 'wallet'), ('debit', 'refund'), ('kind', 'refund_paid')), models.Q(('credit', 'wallet'), ('debit', 'refund'), ('kind', 'refund_fee')), models.Q(('credit', 'refund'), ('debit', 'wallet'), ('kind', 'refund_returned')), models.Q(('credit', 'payout'), ('debit', 'vendor'), ('kind', 'payout')), models.Q(('credit', 'vendor'), ('debit', 'payout'), ('kind', 'payout_cancelled')), models.Q(('credit', 'wallet'), ('debit', 'payout'), ('kind', 'payout_paid')), models.Q(('credit', 'wallet'), ('debit', 'payout'), ('kind', 'payout_fee')), models.Q(('credit', 'payout'), ('debit', 'wallet'), ('kind', 'payout_returned')), _connector='OR'), name='billing_transfer_moves_as_its_kind'), models.CheckConstraint(condition=models.Q(('amount_units__gt', 0)), name='billing_transfer_moves_something'), models.UniqueConstraint(condition=models.Q(('kind__in', ['charge', 'fee'])), fields=('kind', 'cause_id'), name='billing_transfer_charged_once')],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, migrations.RunSQL.noop),
        migrations.RunSQL(OPENING, migrations.RunSQL.noop),
    ]
