"""Calls about spending permissions."""

from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from billing import funding, live, refund_view, refunds
from billing.live import LivePermission
from core import clock
from paygo.api.fields import AddressField, path_uuid, path_value
from paygo.api.limits import Policy
from paygo.api.permission_bodies import (
    CreatedPermission,
    PermissionRequest,
    PermissionState,
    RefundAddressRequest,
    VerifiedPermission,
    WalletPermission,
    render_created,
    render_of_wallet,
    render_state,
    render_verified,
)
from paygo.api.schema import ADDRESS_IN_PATH, PERMISSION_IN_PATH, documented
from paygo.api.views import ApiView, NoFields, body, client_id, receipt
from paygo.pages import checkouts
from zcash import permissions
from zcash.errors import PermissionGone
from zcash.node import connect
from zcash.rules import PermissionStatus

READ, WRITE, REFUNDS = "permissions:read", "permissions:write", "refunds:write"


class Permissions(ApiView):
    """All permissions of a client."""

    scopes = MappingProxyType({"POST": WRITE})
    limited_as = MappingProxyType({"POST": Policy.NODE})

    @documented(
        "Create a spending permission",
        request=PermissionRequest,
        answers={201: CreatedPermission},
        problems=(400, 409, 422, 503),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Give the viewer an address of their own to pay to."""
        values = body(request, PermissionRequest)
        permission = permissions.create(
            permissions.Request(
                wallet_address=values["user_wallet_address"],
                requested_zat=values["requested_amount"],
                rate_zat_per_hour=values["rate_per_hour"],
                duration_days=values.get("duration_days", settings.DEFAULT_PERMISSION_DURATION_DAYS),
                refund_address=values.get("refund_address"),
                notify_email=values.get("notify_email"),
                max_sessions=values.get("max_sessions"),
            ),
            client_id=client_id(request),
            wallet=connect(),
            now=clock.now(),
            receipt=receipt(request, values),
        )
        checkout = checkouts.of_permission(permission, return_url=values.get("return_url"))
        location = f"{request.path}/{permission.public_id}"
        answer = render_created(permission, checkout_url=checkouts.url(checkout))
        return Response(answer, status=201, headers={"Location": location})


class Permission(ApiView):
    """One permission."""

    scopes = MappingProxyType({"GET": READ})

    @documented(
        "Show a permission",
        answers={200: PermissionState},
        problems=(400, 404, 503),
        parameters=[PERMISSION_IN_PATH],
    )
    def get(self, request: Request, permission_id: str) -> Response:
        """Answer what is left at this very moment."""
        public_id = path_uuid(permission_id, field="permission_id")
        return Response(state_of(public_id, client=client_id(request), now=clock.now()))


class Verification(ApiView):
    """A look at the chain for one permission."""

    scopes = MappingProxyType({"POST": WRITE})
    limited_as = MappingProxyType({"POST": Policy.NODE})

    @documented(
        "Verify the payment of a permission",
        request=NoFields,
        answers={200: VerifiedPermission, 202: VerifiedPermission},
        problems=(400, 404, 410, 503),
        parameters=[PERMISSION_IN_PATH],
    )
    def post(self, request: Request, permission_id: str) -> Response:
        """Credit what is confirmed; 202 while the permission waits for money or confirmations."""
        body(request, NoFields)
        permission = funding.verify(
            client_id=client_id(request),
            public_id=path_uuid(permission_id, field="permission_id"),
            wallet=connect(),
            read_clock=clock.now,
        )
        waits = permission.status == PermissionStatus.PENDING
        answer = render_verified(permission, funding.payment_of(permission))
        return Response(answer, status=202 if waits else 200)


class Revocation(ApiView):
    """The end of one permission, by its owner's or the client's will."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Revoke a permission",
        request=NoFields,
        answers={200: PermissionState},
        problems=(400, 404, 410, 503),
        parameters=[PERMISSION_IN_PATH],
    )
    def post(self, request: Request, permission_id: str) -> Response:
        """End the permission and its sessions for good; a repetition answers the same."""
        body(request, NoFields)
        client, now = client_id(request), clock.now()
        public_id = path_uuid(permission_id, field="permission_id")
        try:
            funding.revoke(client_id=client, public_id=public_id, now=now, actor=f"client:{client}")
        except PermissionGone:
            found = live.of_client(client_id=client, public_id=public_id, now=now)
            if found.permission.status != PermissionStatus.REVOKED:
                raise
        return Response(state_of(public_id, client=client, now=now))


class RefundAddress(ApiView):
    """Where the unused money of one permission goes back to."""

    scopes = MappingProxyType({"POST": REFUNDS})

    @documented(
        "Change the refund address of a permission",
        request=RefundAddressRequest,
        answers={200: PermissionState},
        problems=(400, 404, 409, 422, 503),
        parameters=[PERMISSION_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, permission_id: str) -> Response:
        """Take another address until the refund is sent; where money was seen, that waits for a day."""
        values = body(request, RefundAddressRequest)
        client, now = client_id(request), clock.now()
        public_id = path_uuid(permission_id, field="permission_id")
        # What time alone brings comes first.
        live.of_client(client_id=client, public_id=public_id, now=now)
        answer = refunds.set_address_once(
            receipt(request, values),
            client_id=client,
            public_id=public_id,
            address=values["refund_address"],
            now=now,
            actor=f"client:{client}",
            show=lambda changed: _state(live.read_within(changed.pk, now=now)),
        )
        return Response(answer)


def state_of(public_id: UUID, *, client: int, now: datetime) -> dict[str, Any]:
    """Return a client's permission as it is at this moment, as every call shows it."""
    return _state(live.of_client(client_id=client, public_id=public_id, now=now))


def _state(found: LivePermission) -> dict[str, Any]:
    permission = found.permission
    return render_state(found, funding.payment_of(permission), refund_view.of_permission(permission))


class PermissionOfWallet(ApiView):
    """The active permission of a wallet."""

    scopes = MappingProxyType({"GET": READ})

    @documented(
        "Show the active permission of a wallet",
        answers={200: WalletPermission},
        problems=(400, 404, 503),
        parameters=[ADDRESS_IN_PATH],
    )
    def get(self, request: Request, address: str) -> Response:
        """Answer what is left at this very moment."""
        wallet_address = path_value(AddressField(), address, name="address")
        found = live.of_wallet(client_id=client_id(request), wallet_address=wallet_address, now=clock.now())
        return Response(render_of_wallet(found))
