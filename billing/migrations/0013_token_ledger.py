from django.db import migrations, models


# What authorisations were charged, and what was collected of it, before the ledger knew of tokens.
OPENING = """
INSERT INTO billing_transfer (kind, debit, debit_of, credit, credit_of, asset, amount_units, cause_id, at,
                              booked_at)
SELECT kind, debit, debit_of, credit, credit_of, asset, units, cause_id, at, paygo_now() FROM (
    SELECT 'chain_charge' AS kind, 'authorization' AS debit, x.authorization_id AS debit_of,
           'vendor' AS credit, s.vendor_id AS credit_of, x.asset, x.amount_units AS units, x.id AS cause_id,
           x.ended_at AS at
    FROM billing_transaction x JOIN sessions_session s ON s.id = x.session_id
    WHERE x.authorization_id IS NOT NULL AND x.status <> 'open' AND x.amount_units > 0
    UNION ALL
    SELECT 'collection', 'treasury', 0, 'authorization', c.authorization_id, a.token_symbol, c.received_units,
           c.id, c.finished_at
    FROM billing_collection c JOIN billing_authorization a ON a.id = c.authorization_id
    WHERE c.status = 'confirmed' AND c.received_units > 0
    UNION ALL
    SELECT 'collection_loss', 'losses', 0, 'authorization', c.authorization_id, a.token_symbol,
           c.to_units - c.from_units - c.received_units, c.id, c.finished_at
    FROM billing_collection c JOIN billing_authorization a ON a.id = c.authorization_id
    WHERE c.status = 'confirmed' AND c.to_units - c.from_units > c.received_units
) opening ORDER BY at, kind, cause_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0012_payouts'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='transfer',
            name='billing_transfer_moves_as_its_kind',
        ),
        migrations.RemoveConstraint(
            model_name='transfer',
            name='billing_transfer_charged_once',
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('credit', 'permission'), ('debit', 'wallet'), ('kind', 'deposit')), models.Q(('credit', 'wallet'), ('debit', 'permission'), ('kind', 'reversal')), models.Q(('credit', 'permission'), ('debit', 'losses'), ('kind', 'loss')), models.Q(('credit', 'losses'), ('debit', 'permission'), ('kind', 'loss_covered')), models.Q(('credit', 'vendor'), ('debit', 'permission'), ('kind', 'charge')), models.Q(('credit', 'fees'), ('debit', 'vendor'), ('kind', 'fee')), models.Q(('credit', 'vendor'), ('debit', 'authorization'), ('kind', 'chain_charge')), models.Q(('credit', 'authorization'), ('debit', 'treasury'), ('kind', 'collection')), models.Q(('credit', 'authorization'), ('debit', 'losses'), ('kind', 'collection_loss')), models.Q(('credit', 'refund'), ('debit', 'permission'), ('kind', 'refund')), models.Q(('credit', 'permission'), ('debit', 'refund'), ('kind', 'refund_cancelled')), models.Q(('credit', 'wallet'), ('debit', 'refund'), ('kind', 'refund_paid')), models.Q(('credit', 'wallet'), ('debit', 'refund'), ('kind', 'refund_fee')), models.Q(('credit', 'refund'), ('debit', 'wallet'), ('kind', 'refund_returned')), models.Q(('credit', 'payout'), ('debit', 'vendor'), ('kind', 'payout')), models.Q(('credit', 'vendor'), ('debit', 'payout'), ('kind', 'payout_cancelled')), models.Q(('credit', 'wallet'), ('debit', 'payout'), ('kind', 'payout_paid')), models.Q(('credit', 'wallet'), ('debit', 'payout'), ('kind', 'payout_fee')), models.Q(('credit', 'payout'), ('debit', 'wallet'), ('kind', 'payout_returned')), _connector='OR'), name='billing_transfer_moves_as_its_kind'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.UniqueConstraint(condition=models.Q(('kind__in', ['charge', 'fee', 'chain_charge', 'collection', 'collection_loss'])), fields=('kind', 'cause_id'), name='billing_transfer_charged_once'),
        ),
        migrations.RunSQL(OPENING, migrations.RunSQL.noop),
    ]
