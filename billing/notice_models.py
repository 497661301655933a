"""Tables of notices: what viewers' permissions were warned of, and the mails about it."""

from django.db import models
from django.db.models import Q

from billing.notice_rules import MailStatus


class Notice(models.Model):
    """A rule that has fired for a permission; once in each period.

    `told` is false where a tighter rule fired at the same time, after an outage: one warning is enough.
    """

    permission = models.ForeignKey("zcash.SpendingPermission", on_delete=models.PROTECT, related_name="+")
    rule = models.TextField()
    period = models.TextField()
    told = models.BooleanField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "billing_notice"
        constraints = [
            models.UniqueConstraint(fields=["permission", "rule", "period"], name="billing_notice_once"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.permission_id}"


class Mail(models.Model):
    """A mail about an event, to whoever its permission names; `next_attempt_at` is also a sender's lease.

    The address itself is the permission's alone: whoever wants no more mails has it nowhere.
    """

    event = models.OneToOneField("core.Event", on_delete=models.PROTECT, related_name="+")
    permission = models.ForeignKey("zcash.SpendingPermission", on_delete=models.PROTECT, related_name="+")
    status = models.TextField(
        choices=[(s.value, s.value) for s in MailStatus],
        default=MailStatus.QUEUED,
        db_default=MailStatus.QUEUED,
    )
    attempts = models.IntegerField(default=0, db_default=0)
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    error = models.TextField(default="", db_default="")

    class Meta:
        db_table = "billing_mail"
        constraints = [
            models.CheckConstraint(
                condition=Q(status=MailStatus.QUEUED, next_attempt_at__isnull=False, finished_at=None)
                | Q(
                    status__in=[s.value for s in MailStatus if s is not MailStatus.QUEUED],
                    next_attempt_at__isnull=True,
                    finished_at__isnull=False,
                ),
                name="billing_mail_queued_or_over",
            ),
        ]
        indexes = [
            # What is to be sent next.
            models.Index(
                fields=["next_attempt_at"], name="billing_mail_due", condition=Q(status=MailStatus.QUEUED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} ({self.status})"


class MailCursor(models.Model):
    """Up to which position events have been looked at for mails, None before the first look; one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    position = models.BigIntegerField(null=True)

    class Meta:
        db_table = "billing_mailcursor"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="billing_mailcursor_single_row")]

    def __str__(self) -> str:
        return str(self.position)
