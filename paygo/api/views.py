"""What the views of the gateway have in common; each parses, makes one domain call, and renders."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from core.errors import Invalid
from core.idempotency import Receipt
from paygo.api import limits
from paygo.api.auth import HasScope
from paygo.api.errors import LengthRequired
from paygo.api.fields import StrictSerializer
from paygo.api.limits import Policy

IDEMPOTENCY_HEADER = "Idempotency-Key"
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")


class ApiView(APIView):
    """A call of a client, who needs the scope that the view names for the method.

    `limited_as` says what a method counts as where it is no ordinary call.
    """

    http_method_names: Sequence[str] = ("get", "head", "post")
    permission_classes: Sequence[type[BasePermission]] = (IsAuthenticated, HasScope)
    scopes: Mapping[str, str] = MappingProxyType({})
    limited_as: Mapping[str, Policy] = MappingProxyType({})

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Take the query for UTF-8, whatever charset the body claims to have."""
        request.encoding = "utf-8"
        return super().initialize_request(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        """Find out who calls, and count who does not say it right."""
        try:
            super().perform_authentication(request)
        except AuthenticationFailed:
            if counted := limits.count_guess(request):
                self.headers |= counted.headers
            raise

    def check_permissions(self, request: Request) -> None:
        """Count the call, whatever becomes of it, then ask what the key may do."""
        if counted := limits.count(request, self.limited_as.get(str(request.method))):
            self.headers |= counted.headers
        super().check_permissions(request)


class PublicView(ApiView):
    """A call that needs no key."""

    authentication_classes = ()
    permission_classes = ()
    limited_as = MappingProxyType(dict.fromkeys(("GET", "HEAD", "POST"), Policy.PUBLIC))


class NoFields(StrictSerializer):
    """The body of a call without fields: none, or `{}`."""


def client_id(request: Request) -> int:
    """Return whose call it is: the scope of every look-up."""
    return cast("int", request.user.pk)


def body(request: Request, kind: type[StrictSerializer]) -> dict[str, Any]:
    """Return the values of the body's fields; optional ones that are not given are missing.

    Raises:
        ValidationError: naming every field that is wrong.
        LengthRequired: the body comes in chunks.
    """
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values


def query(request: Request, kind: type[StrictSerializer]) -> dict[str, Any]:
    """Return the values of the query's parameters; optional ones that are not given are missing.

    Raises:
        ValidationError: naming every parameter that is wrong.
    """
    if repeated := sorted(name for name, given in request.query_params.lists() if len(given) > 1):
        raise ValidationError({repeated[0][:64]: ["is given more than once"]}, code="invalid")
    serializer = kind(data=request.query_params.dict())
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values


def receipt(request: Request, values: Mapping[str, Any]) -> Receipt | None:
    """Return the receipt that an Idempotency-Key asks for; bodies of equal values are the same body.

    Raises:
        Invalid: the header is no 1 to 255 visible ASCII characters.
    """
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Invalid("must be 1 to 255 visible ASCII characters", field=IDEMPOTENCY_HEADER)
    canonical = json.dumps(values, sort_keys=True, default=str).encode()
    return Receipt(
        client_id=client_id(request),
        endpoint=f"{request.method} {request.path}",
        key=key,
        body_digest=hashlib.sha256(canonical).digest(),
    )
