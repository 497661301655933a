"""Links that lead people to their pages: each opens one permission to whoever holds it."""

from django.db import models
from django.db.models import F, Q

from zcash.models import SpendingPermission

# SHA-256.
_DIGEST_BYTES = 32


class Checkout(models.Model):
    """The page on which one permission is paid.

    The token itself is kept: a repeated creation answers the same link, and the page moves no money.
    """

    permission = models.OneToOneField(SpendingPermission, on_delete=models.PROTECT, related_name="+")
    token = models.TextField(unique=True)
    # Where the client's viewer goes on once the permission is paid.
    return_url = models.TextField(null=True)
    # Made by the demo player: whoever has the token may pay and stream on the simulated node.
    is_demo = models.BooleanField(db_default=False, default=False)

    class Meta:
        db_table = "pages_checkout"

    def __str__(self) -> str:
        return f"checkout of {self.permission_id}"


class PayerLink(models.Model):
    """A link to a payer's own page, exchanged once for a cookie; of both only digests are kept.

    `may_redirect`: whether its holder may name another address for refunds. A link ends with the key that
    made it.
    """

    # None: the service itself made it, for a demo.
    key = models.ForeignKey("api.ApiKey", on_delete=models.PROTECT, null=True, related_name="+")
    permission = models.ForeignKey(SpendingPermission, on_delete=models.PROTECT, related_name="+")
    digest = models.BinaryField(max_length=_DIGEST_BYTES, unique=True)
    cookie_digest = models.BinaryField(max_length=_DIGEST_BYTES, unique=True, null=True)
    may_redirect = models.BooleanField()
    created_at = models.DateTimeField()
    # The link counts until then, and the cookie that it was exchanged for until `ends_at`.
    open_before = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "pages_payerlink"
        constraints = [
            models.CheckConstraint(
                condition=Q(opened_at__isnull=True, cookie_digest__isnull=True)
                | Q(opened_at__isnull=False, cookie_digest__isnull=False),
                name="pages_payerlink_opened_has_cookie",
            ),
            models.CheckConstraint(
                condition=Q(open_before__gt=F("created_at"), ends_at__gte=F("open_before")),
                name="pages_payerlink_ends_later",
            ),
        ]
        indexes = [
            # The links that a revocation ends.
            models.Index(
                fields=["permission"], name="pages_payerlink_live", condition=Q(revoked_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"payer's link to {self.permission_id}"
