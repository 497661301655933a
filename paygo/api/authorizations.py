"""Calls about Ethereum authorisations: the second, public rail of a viewer's money."""

from types import MappingProxyType

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from billing.ethereum import authorizing
from core import clock
from paygo.api.authorization_bodies import (
    AuthorizationRequest,
    AuthorizationSignatures,
    AuthorizationState,
    CreatedAuthorization,
    render_authorization,
    render_created_authorization,
)
from paygo.api.fields import path_uuid
from paygo.api.limits import Policy
from paygo.api.schema import AUTHORIZATION_IN_PATH, documented
from paygo.api.views import ApiView, NoFields, body, client_id, receipt

READ, WRITE = "permissions:read", "permissions:write"
_FIELD = "authorization_id"


class Authorizations(ApiView):
    """All Ethereum authorisations of a client."""

    scopes = MappingProxyType({"POST": WRITE})
    limited_as = MappingProxyType({"POST": Policy.NODE})

    @documented(
        "Create an Ethereum authorization",
        request=AuthorizationRequest,
        answers={201: CreatedAuthorization},
        problems=(400, 409, 422, 503),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Answer what the wallet has to sign, and the allowance that the spender needs."""
        values = body(request, AuthorizationRequest)
        made = authorizing.create(
            authorizing.Request(
                chain_id=values["chain_id"],
                token=values["token"],
                wallet_address=values["wallet_address"],
                limit_units=values["limit"],
                rate_units_per_hour=values["rate_per_hour"],
                duration_days=values.get("duration_days", settings.DEFAULT_PERMISSION_DURATION_DAYS),
                consent=values["privacy_consent"],
                linked_wallet_address=values.get("linked_wallet_address"),
            ),
            client_id=client_id(request),
            now=clock.now(),
            receipt=receipt(request, values),
        )
        headers = {"Location": f"{request.path}/{made.public_id}"}
        return Response(render_created_authorization(made), status=201, headers=headers)


class Authorization(ApiView):
    """One Ethereum authorisation."""

    scopes = MappingProxyType({"GET": READ})

    @documented(
        "Show an Ethereum authorization",
        answers={200: AuthorizationState},
        problems=(400, 404, 503),
        parameters=[AUTHORIZATION_IN_PATH],
    )
    def get(self, request: Request, authorization_id: str) -> Response:
        """Answer what may still be charged, and which bound makes it no more."""
        public_id = path_uuid(authorization_id, field=_FIELD)
        found = authorizing.show(client_id=client_id(request), public_id=public_id, now=clock.now())
        return Response(render_authorization(found))


class AuthorizationVerification(ApiView):
    """The wallet's signature of one authorisation, and a look at the chain."""

    scopes = MappingProxyType({"POST": WRITE})
    limited_as = MappingProxyType({"POST": Policy.NODE})

    @documented(
        "Verify an Ethereum authorization",
        request=AuthorizationSignatures,
        answers={200: AuthorizationState, 202: AuthorizationState},
        problems=(400, 404, 409, 410, 503),
        parameters=[AUTHORIZATION_IN_PATH],
    )
    def post(self, request: Request, authorization_id: str) -> Response:
        """Activate it; 202 while the chain shows no allowance or balance yet. A repetition looks again."""
        values = body(request, AuthorizationSignatures)
        found = authorizing.verify(
            client_id=client_id(request),
            public_id=path_uuid(authorization_id, field=_FIELD),
            signature=values["signature"],
            permit_signature=values.get("permit_signature"),
            read_clock=clock.now,
        )
        return Response(render_authorization(found), status=200 if found.remaining_units else 202)


class AuthorizationRevocation(ApiView):
    """The end of one authorisation, by the viewer's or the client's will."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Revoke an Ethereum authorization",
        request=NoFields,
        answers={200: AuthorizationState},
        problems=(400, 404, 410, 503),
        parameters=[AUTHORIZATION_IN_PATH],
    )
    def post(self, request: Request, authorization_id: str) -> Response:
        """End it and its sessions for good; what it owes is still collected."""
        body(request, NoFields)
        public_id = path_uuid(authorization_id, field=_FIELD)
        found = authorizing.revoke(client_id=client_id(request), public_id=public_id, now=clock.now())
        return Response(render_authorization(found))
