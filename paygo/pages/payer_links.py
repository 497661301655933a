"""Links to a payer's own page: short-lived, exchanged once for a cookie, revocable.

Link and cookie have 192 random bits each, so their plain SHA-256 is as good as they are: it is what is kept
and looked up by.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import Http404
from django.urls import reverse

from core import db, idempotency
from core.idempotency import Receipt
from paygo.api.models import ApiKey
from paygo.pages.models import PayerLink
from zcash.models import SpendingPermission

_TOKEN_BYTES = 24


@dataclass(frozen=True)
class MadeLink:
    """A link as its maker is told of it, the only time that its URL can be read."""

    url: str
    open_before: datetime
    ends_at: datetime


def make(
    permission: SpendingPermission,
    *,
    valid: timedelta,
    lasts: timedelta,
    may_redirect: bool,
    now: datetime,
    key: ApiKey | None = None,
    receipt: Receipt | None = None,
) -> MadeLink:
    """Make a link that counts for `valid`; the page that it opens stays open for `lasts` from now.

    Neither counts for longer than the key that made it. What has been over for long is forgotten.

    Raises:
        KeyInFlight, KeyReused: see core.idempotency.
    """
    with db.operation():
        if receipt and (stored := idempotency.claim(receipt, now=now)):
            return _told(stored)
        PayerLink.objects.filter(permission=permission, ends_at__lte=now).delete()
        seed, open_before, ends_at = idempotency.new_seed(), now + valid, now + max(valid, lasts)
        PayerLink.objects.create(
            permission=permission,
            key=key,
            digest=_digest(_token_of(seed)),
            may_redirect=may_redirect,
            created_at=now,
            open_before=open_before,
            ends_at=ends_at,
        )
        result = {"seed": seed, "open_before": open_before.isoformat(), "ends_at": ends_at.isoformat()}
        if receipt:
            idempotency.store(receipt, result, now=now)
    return _told(result)


def unopened(token: str, *, now: datetime) -> PayerLink:
    """Return the link with a token that may still be exchanged.

    Raises:
        Http404: there is none, or it was opened, is over, or was revoked.
    """
    links = PayerLink.objects.filter(digest=_digest(token), opened_at=None, open_before__gt=now)
    found = _that_count(links, now=now).first()
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
    links = PayerLink.objects.filter(cookie_digest=_digest(cookie), ends_at__gt=now)
    return _that_count(links, now=now).select_related("permission").first()


def close(link: PayerLink, *, now: datetime) -> None:
    """Close the page of a link for good."""
    PayerLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=now)


def revoke_all(permission: SpendingPermission, *, now: datetime, receipt: Receipt | None = None) -> int:
    """Revoke every link of a permission and close the pages that they opened; return how many.

    Raises:
        KeyInFlight, KeyReused: see core.idempotency.
    """
    with db.operation():
        if receipt and (stored := idempotency.claim(receipt, now=now)):
            return int(stored["revoked"])
        live = PayerLink.objects.filter(permission=permission, revoked_at=None, ends_at__gt=now)
        revoked = live.update(revoked_at=now)
        if receipt:
            idempotency.store(receipt, {"revoked": revoked}, now=now)
    return revoked


def _that_count(links: QuerySet[PayerLink], *, now: datetime) -> QuerySet[PayerLink]:
    """Return those that count still: not revoked, nor is the key that made them, nor its client."""
    live = Q(key__client__is_active=True, key__revoked_at=None) & (
        Q(key__expires_at=None) | Q(key__expires_at__gt=now)
    )
    return links.filter(Q(key=None) | live, revoked_at=None)


def _told(result: Mapping[str, str]) -> MadeLink:
    return MadeLink(
        str(settings.PAYGO_URL) + reverse("payer-open", args=[_token_of(result["seed"])]),
        datetime.fromisoformat(result["open_before"]),
        datetime.fromisoformat(result["ends_at"]),
    )


def _token_of(seed: str) -> str:
    """Return the token that a repetition can be told again, though no table has it."""
    secret = idempotency.secret_of(seed, purpose="payer-link")
    return base64.urlsafe_b64encode(secret[:_TOKEN_BYTES]).decode()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
