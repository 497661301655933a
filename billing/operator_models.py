"""What operators have done by hand, and the refunds and payouts that they have agreed to."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.operator_rules import Verb
from core.models import WebhookEndpoint
from sessions_app.models import StreamingSession
from zcash.models import Deposit, SpendingPermission


class OperatorAction(models.Model):
    """One thing that an operator did by hand, to what, and why; append-only.

    Without `operator` it was done by a command, by whom the machine knows: `details` say `by`.

    A deposit, session or refund is named besides the permission that it belongs to. What has no column of its
    own, a key of the API, is named by `details`.
    """

    created_at = models.DateTimeField()
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    verb = models.TextField(choices=[(v.value, v.value) for v in Verb])
    reason = models.TextField()
    # Null: a session that an authorisation on Ethereum pays for.
    permission = models.ForeignKey(SpendingPermission, on_delete=models.PROTECT, null=True, related_name="+")
    deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT, null=True, related_name="actions")
    session = models.ForeignKey(StreamingSession, on_delete=models.PROTECT, null=True, related_name="actions")
    refund = models.ForeignKey("billing.Refund", on_delete=models.PROTECT, null=True, related_name="actions")
    payout = models.ForeignKey("billing.Payout", on_delete=models.PROTECT, null=True, related_name="actions")
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, null=True, related_name="actions")
    details = models.JSONField(default=dict)

    class Meta:
        db_table = "billing_operatoraction"
        constraints = [
            models.CheckConstraint(
                condition=Q(verb__in=[v.value for v in Verb]), name="billing_operatoraction_verb"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="billing_operatoraction_says_why"),
        ]
        permissions = [
            ("verify_payment", "Can let the chain be looked at now"),
            ("hold_permission", "Can put a permission on hold and lift that"),
            ("extend_permission", "Can extend a permission"),
            ("end_session", "Can end a session"),
            ("resolve_case", "Can mark a case as resolved"),
            ("revoke_permission", "Can revoke a permission"),
            ("refund_permission", "Can refund what is left, and retry a refund"),
            ("approve_refund", "Can approve a large refund"),
            ("mend_endpoint", "Can enable a webhook endpoint and deliver again"),
            ("revoke_key", "Can revoke an API key"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.created_at:%Y-%m-%d %H:%M}"


class Approval(models.Model):
    """One operator's word that a refund, or payout, may go to an address; another address asks anew."""

    refund = models.ForeignKey("billing.Refund", on_delete=models.PROTECT, null=True, related_name="+")
    payout = models.ForeignKey("billing.Payout", on_delete=models.PROTECT, null=True, related_name="+")
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    address = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "billing_approval"
        constraints = [
            models.CheckConstraint(
                condition=Q(refund__isnull=False) ^ Q(payout__isnull=False), name="billing_approval_of_one"
            ),
            models.UniqueConstraint(
                fields=["refund", "address", "operator"], name="billing_approval_of_refund_once"
            ),
            models.UniqueConstraint(
                fields=["payout", "address", "operator"], name="billing_approval_of_payout_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operator} {self.address}"
