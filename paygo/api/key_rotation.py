"""Calls about a client's own API keys, with their bodies."""

from datetime import timedelta
from types import MappingProxyType
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import clock
from paygo.api import keys
from paygo.api.fields import StrictSerializer, WholeField
from paygo.api.keys import Rotated
from paygo.api.models import ApiKey
from paygo.api.render import instant, instant_or_none
from paygo.api.schema import documented
from paygo.api.views import ApiView, body, client_id, receipt

_DAY, _WEEK = 24 * 3600, 7 * 24 * 3600
_MOST = 200


class KeyRotationRequest(StrictSerializer):
    """For how long the old key goes on."""

    overlap_seconds = WholeField(
        low=0, high=_WEEK, default=_DAY, help_text="The old key expires after so many seconds."
    )


class KeyState(serializers.Serializer[Any]):
    """A key, without what makes it one."""

    prefix = serializers.CharField(help_text="How the key begins")
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute; null: never")
    is_caller = serializers.BooleanField(help_text="Whether this call was made with it")


class KeyList(serializers.Serializer[Any]):
    """A client's keys, newest first, at most 200."""

    keys = KeyState(many=True)


class RotatedKey(serializers.Serializer[Any]):
    """A new key in the place of the one that called."""

    key = serializers.CharField(help_text="Shown once: keep it secret, it is stored as a digest only")
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True)
    old_key_expires_at = serializers.DateTimeField(help_text="When the key that called ends")


class Keys(ApiView):
    """All keys of a client."""

    scopes = MappingProxyType({"GET": "keys:read"})

    @documented("List API keys", answers={200: KeyList}, problems=(503,))
    def get(self, request: Request) -> Response:
        """Answer which keys there are, what they may do, and when each was used last."""
        found = ApiKey.objects.filter(client_id=client_id(request)).order_by("-id")[:_MOST]
        return Response({"keys": [_key(each, caller=request.auth) for each in found]})


class Rotation(ApiView):
    """The replacement of the key that calls."""

    scopes = MappingProxyType({"POST": "keys:write"})

    @documented(
        "Rotate the API key",
        request=KeyRotationRequest,
        answers={201: RotatedKey},
        problems=(400, 409, 410, 422, 503),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Make a key with the same scopes and life; the one that calls expires after the overlap.

        Where the answer was lost call again: with the same Idempotency-Key it is the same, without one what
        the first call has made is revoked if nobody has used it.
        """
        values, calling = body(request, KeyRotationRequest), _calling(request)
        rotated = keys.rotate(
            calling.pk,
            overlap=timedelta(seconds=values["overlap_seconds"]),
            now=clock.now(),
            # Which key is replaced is a part of what was asked for.
            receipt=receipt(request, {**values, "key": calling.pk}),
        )
        return Response(_rotated(rotated), status=201, headers={"Cache-Control": "no-store"})


def _calling(request: Request) -> ApiKey:
    found = request.auth
    assert isinstance(found, ApiKey)
    return found


def _key(row: ApiKey, *, caller: Any) -> dict[str, Any]:
    return {
        "prefix": row.prefix,
        "name": row.name,
        "scopes": row.scopes,
        "created_at": instant(row.created_at),
        "expires_at": instant_or_none(row.expires_at),
        "revoked_at": instant_or_none(row.revoked_at),
        "last_used_at": instant_or_none(row.last_used_at),
        "is_caller": isinstance(caller, ApiKey) and caller.pk == row.pk,
    }


def _rotated(rotated: Rotated) -> dict[str, Any]:
    return {
        "key": rotated.key,
        "prefix": rotated.row.prefix,
        "scopes": rotated.row.scopes,
        "expires_at": instant_or_none(rotated.row.expires_at),
        "old_key_expires_at": instant_or_none(rotated.old.expires_at),
    }
