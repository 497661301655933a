"""Who calls and what the key may do: `Authorization: Bearer <key>` (RFC 6750) and scopes."""

import re
from typing import TYPE_CHECKING

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core import clock
from core.models import User
from paygo.api import keys
from paygo.api.errors import InsufficientScope
from paygo.api.models import ApiKey

if TYPE_CHECKING:
    # DRF imports this module while it imports its views.
    from rest_framework.views import APIView

_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]{1,200})", re.IGNORECASE)


class ApiKeyAuthentication(BaseAuthentication):
    """Makes the key's owner the request's user and the key's row its auth."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """Return who calls, None without the header.

        Raises:
            AuthenticationFailed: the header is no Bearer key, or the key is unknown, revoked or expired.
        """
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        given = _BEARER.fullmatch(header)
        found = keys.find(given[1], now=clock.now()) if given else None
        if found is None:
            raise AuthenticationFailed("the API key is not known, was revoked, or has expired")
        return found.client, found

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """Return the challenge of a 401."""
        return 'Bearer realm="PayGo"'


class HasScope(BasePermission):
    """Lets a key do what its scopes say; a view names one scope for each of its methods."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Refuse a key without the view's scope, and a method that no scope is named for.

        Raises:
            InsufficientScope, MethodNotAllowed.
        """
        method = "GET" if request.method == "HEAD" else str(request.method)
        scope = getattr(view, "scopes", {}).get(method)
        if scope is None:
            raise MethodNotAllowed(method)
        if not isinstance(request.auth, ApiKey) or scope not in request.auth.scopes:
            raise InsufficientScope(scope)
        return True
