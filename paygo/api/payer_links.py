"""Calls about links that let a viewer in to the page of their own."""

from datetime import timedelta
from types import MappingProxyType
from typing import Any, cast

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock
from paygo.api.fields import StrictSerializer, WholeField, path_uuid
from paygo.api.models import ApiKey
from paygo.api.permissions import REFUNDS, WRITE
from paygo.api.render import instant
from paygo.api.schema import PERMISSION_IN_PATH, documented
from paygo.api.views import ApiView, NoFields, body, client_id, receipt
from paygo.pages import payer_links
from zcash import queries
from zcash.models import SpendingPermission

_VALID_MINUTES, _LASTS_MINUTES = 15, 60
_DAY_MINUTES = 24 * 60


class PayerLinkRequest(StrictSerializer):
    """How long a link counts, and how long the page that it opens stays open."""

    valid_minutes = WholeField(
        low=1, high=60, default=_VALID_MINUTES, help_text="The link must be opened within so many minutes."
    )
    lasts_minutes = WholeField(
        low=1,
        high=_DAY_MINUTES,
        default=_LASTS_MINUTES,
        help_text="The page that it opens closes so many minutes from now; never before the link does.",
    )


class MadePayerLink(serializers.Serializer[Any]):
    """A link for one viewer; it opens once."""

    payer_url = serializers.URLField(help_text="Shown once; whoever opens it acts as the payer")
    open_before = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="When the page closes that it opens")
    may_change_refund_address = serializers.BooleanField(
        help_text="Whether its holder may; so it is where the key has the scope refunds:write"
    )


class RevokedPayerLinks(serializers.Serializer[Any]):
    """How many links and open pages have been closed."""

    revoked = serializers.IntegerField()


class PayerLinks(ApiView):
    """The links to a payer's page."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Make a payer link",
        request=PayerLinkRequest,
        answers={201: MadePayerLink},
        problems=(400, 404, 409, 422, 503),
        parameters=[PERMISSION_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, permission_id: str) -> Response:
        """Answer a link to the page where the viewer stops sessions, pays more, and takes the rest back.

        It is for the viewer alone: give it only to who has logged in with you. It ends with the key that made
        it. A repetition makes another, unless it has the same Idempotency-Key.
        """
        values, key = body(request, PayerLinkRequest), cast("ApiKey", request.auth)
        may_redirect = REFUNDS in key.scopes
        made = payer_links.make(
            _permission(request, permission_id),
            valid=timedelta(minutes=values["valid_minutes"]),
            lasts=timedelta(minutes=values["lasts_minutes"]),
            may_redirect=may_redirect,
            now=clock.now(),
            key=key,
            # A weaker key is not told what a stronger one was.
            receipt=receipt(request, {**values, "may_redirect": may_redirect}),
        )
        answer = {
            "payer_url": made.url,
            "open_before": instant(made.open_before),
            "ends_at": instant(made.ends_at),
            "may_change_refund_address": may_redirect,
        }
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})


class PayerLinkRevocation(ApiView):
    """The end of every link to a payer's page."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Revoke the payer links of a permission",
        request=NoFields,
        answers={200: RevokedPayerLinks},
        problems=(400, 404, 409, 422, 503),
        parameters=[PERMISSION_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, permission_id: str) -> Response:
        """End every link of the permission and close the pages that they have opened, at once."""
        values = body(request, NoFields)
        revoked = payer_links.revoke_all(
            _permission(request, permission_id), now=clock.now(), receipt=receipt(request, values)
        )
        return Response({"revoked": revoked})


def _permission(request: Request, permission_id: str) -> SpendingPermission:
    public_id = path_uuid(permission_id, field="permission_id")
    return queries.of_client(client_id=client_id(request), public_id=public_id)
