import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

_VERBS = (
    "verify hold lift extend revoke end_session refund retry follow approve enable redeliver revoke_key pay_tokens"
    " change_account set_terms explain take_back pardon resolve_send resolve"
).split()

# Who has agreed to a payout was a column of it. The keys that point to operators are checked at once, so that the
# table can be changed further.
MOVED = """
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO billing_approval (payout_id, operator_id, address, created_at)
SELECT p.id, operator, p.address, p.created_at FROM billing_payout p, unnest(p.approved_by) AS operator;
"""
BACK = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE billing_payout p SET approved_by = given.by
FROM (SELECT payout_id, array_agg(operator_id) AS by FROM billing_approval GROUP BY payout_id) given
WHERE given.payout_id = p.id;
DELETE FROM billing_approval WHERE payout_id IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0021_chain_read_block"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RenameModel("RefundApproval", "Approval"),
        migrations.AlterModelTable("approval", "billing_approval"),
        migrations.RemoveConstraint("approval", "billing_refundapproval_once_each"),
        migrations.AlterField(
            "approval",
            "refund",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.refund",
            ),
        ),
        migrations.AddField(
            "approval",
            "payout",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.payout",
            ),
        ),
        migrations.RunSQL(MOVED, BACK),
        migrations.AddConstraint(
            "approval",
            models.CheckConstraint(
                condition=Q(("refund__isnull", False), ("payout__isnull", False), _connector="XOR"),
                name="billing_approval_of_one",
            ),
        ),
        migrations.AddConstraint(
            "approval",
            models.UniqueConstraint(
                fields=("refund", "address", "operator"), name="billing_approval_of_refund_once"
            ),
        ),
        migrations.AddConstraint(
            "approval",
            models.UniqueConstraint(
                fields=("payout", "address", "operator"), name="billing_approval_of_payout_once"
            ),
        ),
        migrations.RemoveField("payout", "approved_by"),
        migrations.AddIndex(
            "refund",
            models.Index(fields=["address", "created_at"], name="billing_refund_recipient"),
        ),
        migrations.AlterField(
            "operatoraction",
            "operator",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RemoveConstraint("operatoraction", "billing_operatoraction_verb"),
        migrations.AlterField(
            "operatoraction", "verb", models.TextField(choices=[(verb, verb) for verb in _VERBS])
        ),
        migrations.AddConstraint(
            "operatoraction",
            models.CheckConstraint(condition=Q(verb__in=_VERBS), name="billing_operatoraction_verb"),
        ),
    ]
