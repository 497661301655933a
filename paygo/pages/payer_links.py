"""Links to a payer's own page: short-lived, exchanged once for a cookie, revocable.

Link and cookie have 192 random bits each, so their plain SHA-256 is as good as they are: it is what is kept
and looked up by.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.http import Http404
from django.urls import reverse

from paygo.pages.models import PayerLink
from zcash.models import SpendingPermission

_TOKEN_BYTES = 24


def make(
    permission: SpendingPermission,
    *,
    valid: timedelta,
    lasts: timedelta,
    may_redirect: bool,
    now: datetime,
) -> tuple[PayerLink, str]:
    """Return a new link and its URL, the only time that it can be read.

    It counts for `valid`; the page that it opens stays open for `lasts` from now. What has been over for long
    is forgotten.
    """
    PayerLink.objects.filter(permission=permission, ends_at__lte=now).delete()
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    link = PayerLink.objects.create(
        permission=permission,
        digest=_digest(token),
        may_redirect=may_redirect,
        created_at=now,
        open_before=now + valid,
        ends_at=now + max(valid, lasts),
    )
    return link, str(settings.PAYGO_URL) + reverse("payer-open", args=[token])


def unopened(token: str, *, now: datetime) -> PayerLink:
    """Return the link with a token that may still be exchanged.

    Raises:
        Http404: there is none, or it was opened, is over, or was revoked.
    """
    found = PayerLink.objects.filter(
        digest=_digest(token), opened_at=None, revoked_at=None, open_before__gt=now
    ).first()
    if found is None:
        raise Http404
    return found


def exchange(token: str, *, now: datetime) -> tuple[PayerLink, str]:
    """Exchange a link for the cookie of its page; of two at the same moment one gets it.

    Raises:
        Http404: it cannot be exchanged, or was just now.
    """
    link = unopened(token, now=now)
    cookie = secrets.token_urlsafe(_TOKEN_BYTES)
    opened = PayerLink.objects.filter(pk=link.pk, opened_at=None, revoked_at=None)
    if not opened.update(opened_at=now, cookie_digest=_digest(cookie)):
        raise Http404
    return link, cookie


def of_cookie(cookie: str, *, now: datetime) -> PayerLink | None:
    """Return the link, with its permission, that a cookie was given for, None where its page is closed."""
    found = PayerLink.objects.filter(cookie_digest=_digest(cookie), revoked_at=None, ends_at__gt=now)
    return found.select_related("permission").first()


def close(link: PayerLink, *, now: datetime) -> None:
    """Close the page of a link for good."""
    PayerLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=now)


def revoke_all(permission: SpendingPermission, *, now: datetime) -> int:
    """Revoke every link of a permission and close the pages that they opened; return how many."""
    live = PayerLink.objects.filter(permission=permission, revoked_at=None, ends_at__gt=now)
    return live.update(revoked_at=now)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
