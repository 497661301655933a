"""Checkout links: one for each permission, addressed by a token that cannot be guessed."""

import secrets

from django.conf import settings
from django.http import Http404
from django.urls import reverse

from paygo.pages.models import Checkout
from zcash.models import SpendingPermission

# 192 random bits.
_TOKEN_BYTES = 24


def of_permission(
    permission: SpendingPermission, *, return_url: str | None = None, is_demo: bool = False
) -> Checkout:
    """Return a permission's checkout, made at the first call; a repeated creation finds the same link."""
    found, _ = Checkout.objects.get_or_create(
        permission=permission,
        defaults={"token": secrets.token_urlsafe(_TOKEN_BYTES), "return_url": return_url, "is_demo": is_demo},
    )
    return found


def find(token: str) -> Checkout:
    """Return the checkout with a token, with its permission.

    Raises:
        Http404: there is none.
    """
    found = Checkout.objects.select_related("permission").filter(token=token).first()
    if found is None:
        raise Http404
    return found


def url(checkout: Checkout) -> str:
    """Return where a viewer finds a checkout."""
    return str(settings.PAYGO_URL) + reverse("checkout", args=[checkout.token])
