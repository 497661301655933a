"""Mails to viewers about their permissions: made of published events, sent by whoever claims them.

A mail server is outside: nothing is sent within a transaction, and a mail whose sender died is sent again,
under the same Message-ID.
"""

import smtplib
import time
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from billing import notice_sql
from billing.notice_models import Mail
from billing.notice_rules import MAIL_LIFE, MAILED, MailStatus, mail_retry
from core import db
from core.amounts import zec_text
from zcash.models import SpendingPermission
from zcash.permissions import stop_mails

log = structlog.get_logger(__name__)

# Longer than a mail server may take for one mail.
_LEASE: Final = timedelta(minutes=10)
_AT_ONCE: Final = 20
# The first SMTP reply code that a repetition does not change.
_PERMANENT: Final = 500
PAGE: Final = 2_000
_SALT: Final = "paygo.mails.stop"


def queue(*, now: datetime) -> int:
    """Make the mails of events that were published since the last time; return how many events were seen.

    What happened before mail was ever switched on, or longer ago than a mail lives, becomes none.
    """
    with db.operation():
        db.execute(notice_sql.BEGIN_MAILS)
        (seen,) = db.row(
            notice_sql.QUEUE_MAILS,
            {"limit": PAGE, "kinds": list(MAILED), "since": now - MAIL_LIFE, "now": now},
        )
    return int(seen)


def send_due(*, now: datetime) -> int:
    """Send what is due; return how many mails were sent. Without a mail server they wait, for a day."""
    began = time.monotonic()
    sent = 0
    for _ in range(_AT_ONCE):
        # Each has a lease of its own, from its own instant on: a slow server must not use up the next one's.
        at = now + timedelta(seconds=time.monotonic() - began)
        mail = _claim(now=at)
        if mail is None:
            break
        sent += _send(mail, now=at)
    return sent


def message(mail: Mail) -> EmailMultiAlternatives:
    """Return a mail as it is sent, plain and in HTML, with a link that ends them (RFC 8058)."""
    recipient = mail.permission.notify_email
    assert recipient is not None, "an unwanted mail is not sent"
    stop_url = settings.PAYGO_URL + reverse("mail-stop", args=[stop_token(mail.permission)])
    context = {"kind": mail.event.kind, "stop_url": stop_url, **_told(mail)}
    subject = render_to_string("mail/subject.txt", context).strip()
    sent = EmailMultiAlternatives(
        subject,
        render_to_string("mail/notice.txt", context),
        settings.MAIL_FROM,
        [recipient],
        headers={
            "Message-ID": f"<{mail.event.uid}@{settings.MAIL_FROM.rpartition('@')[2].rstrip('>')}>",
            "List-Unsubscribe": f"<{stop_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    sent.attach_alternative(render_to_string("mail/notice.html", context), "text/html")
    return sent


def stop_token(permission: SpendingPermission) -> str:
    """Return the token that ends the mails about a permission, and does nothing else."""
    return signing.dumps(str(permission.public_id), salt=_SALT)


def stop(token: str) -> bool:
    """End the mails that a token is about, for good; False for a token that nobody here made."""
    try:
        public_id = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        return False
    stop_mails(public_id)
    return True


def _claim(*, now: datetime) -> Mail | None:
    with db.operation():
        claimed = db.rows(notice_sql.CLAIM_MAIL, {"now": now, "lease_until": now + _LEASE})
    return Mail.objects.select_related("event", "permission").get(pk=claimed[0][0]) if claimed else None


def _send(mail: Mail, *, now: datetime) -> bool:
    if mail.permission.notify_email is None:
        _finish(mail, MailStatus.UNWANTED, now=now)
        return False
    if now - mail.event.created_at >= MAIL_LIFE:
        _finish(mail, MailStatus.FAILED, now=now, error=f"too late: {mail.error or 'nobody sent it'}")
        return False
    try:
        message(mail).send()
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused) as error:
        if _is_for_now(error):
            _try_again(mail, error, now=now)
            return False
        _finish(mail, MailStatus.FAILED, now=now, error=f"refused: {type(error).__name__}")
        return False
    except ValueError as error:
        # It cannot even be addressed, and must not hold up the others.
        _finish(mail, MailStatus.FAILED, now=now, error=f"unfit: {type(error).__name__}")
        return False
    except (OSError, smtplib.SMTPException) as error:
        _try_again(mail, error, now=now)
        return False
    _finish(mail, MailStatus.SENT, now=now)
    return True


def _is_for_now(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPSenderRefused) -> bool:
    """Whether a refusal is temporary, as of a server that lets strangers wait (RFC 5321, 4.2.1: 4yz)."""
    if isinstance(error, smtplib.SMTPSenderRefused):
        return error.smtp_code < _PERMANENT
    return any(code < _PERMANENT for code, _ in error.recipients.values())


def _try_again(mail: Mail, error: Exception, *, now: datetime) -> None:
    log.warning("mail_not_sent", error=type(error).__name__, advice="it is tried again; check EMAIL_URL")
    Mail.objects.filter(pk=mail.pk, status=MailStatus.QUEUED).update(
        next_attempt_at=now + mail_retry(mail.attempts), error=type(error).__name__
    )


def _finish(mail: Mail, status: MailStatus, *, now: datetime, error: str = "") -> None:
    Mail.objects.filter(pk=mail.pk, status=MailStatus.QUEUED).update(
        status=status, next_attempt_at=None, finished_at=now, error=error
    )


def _told(mail: Mail) -> dict[str, Any]:
    """Return what a mail says of its event."""
    data = mail.event.payload
    return {
        "rule": data.get("rule", ""),
        "remaining": zec_text(data.get("remaining_zat", 0)),
        "amount": data.get("amount", ""),
        "expires_at": mail.permission.expires_at,
    }
