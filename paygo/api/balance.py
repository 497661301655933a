"""The call about a wallet's balance and what could be streamed with it."""

from types import MappingProxyType
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from billing import balance
from billing.balance import Balance
from core import clock
from paygo.api.fields import AddressField, ChoiceField, ZecField, path_value
from paygo.api.limits import Policy
from paygo.api.render import hours_number, instant, zec_number
from paygo.api.schema import ADDRESS_IN_PATH, RATE_IN_QUERY, ProblemDocument, documented
from paygo.api.views import ApiView, client_id
from zcash.node import connect

_RATE = "rate_per_hour"
_SOURCES = ["transparent_balance", "shielded_balance", "active_permission"]


class WalletBalance(serializers.Serializer[Any]):
    """What is visible of a wallet; amounts in ZEC, null for what cannot be known."""

    wallet_address = serializers.CharField()
    transparent_balance = serializers.FloatField(allow_null=True)
    shielded_balance = serializers.FloatField(
        allow_null=True, help_text="null: only a holder of the viewing key knows it"
    )
    shielded_visible = serializers.BooleanField()
    total_balance = serializers.FloatField(help_text="The visible part")
    total_is_partial = serializers.BooleanField()
    permission_balance = serializers.FloatField(
        allow_null=True, help_text="Left in the active permission, if it covers the rate"
    )
    rate_per_hour = serializers.FloatField(allow_null=True)
    can_stream = serializers.BooleanField()
    estimated_hours = serializers.FloatField(allow_null=True)
    computed_from = serializers.ListField(child=ChoiceField(_SOURCES))
    as_of = serializers.DateTimeField(
        allow_null=True,
        help_text="When the chain was asked, at most BALANCE_CACHE_SECONDS ago; null: nothing to ask it for",
    )
    stale = serializers.BooleanField(help_text="Never true here: a node that is away is a 503")


class LastKnownBalance(serializers.Serializer[Any]):
    """What the chain said last, at most an hour ago."""

    transparent_balance = serializers.FloatField(help_text="ZEC")
    as_of = serializers.DateTimeField()
    stale = serializers.BooleanField(help_text="Always true: more may have been received or spent since")


class BalanceProblem(ProblemDocument):
    """The node cannot be asked; with what it said last, if that is known."""

    cached = LastKnownBalance(required=False)


class BalanceOfWallet(ApiView):
    """The balance and capacity of a wallet."""

    scopes = MappingProxyType({"GET": "permissions:read"})
    limited_as = MappingProxyType({"GET": Policy.NODE})

    @documented(
        "Show a wallet's balance and capacity",
        answers={200: WalletBalance},
        problems={400: ProblemDocument, 503: BalanceProblem},
        parameters=[ADDRESS_IN_PATH, RATE_IN_QUERY],
    )
    def get(self, request: Request, address: str) -> Response:
        """Answer what is visible, and for how long it would last."""
        found = balance.of_wallet(
            path_value(AddressField(), address, name="address"),
            client_id=client_id(request),
            wallet=connect(),
            now=clock.now(),
            rate_zat_per_hour=_rate(request),
        )
        return Response(render_balance(found))


def render_balance(found: Balance) -> dict[str, Any]:
    """Return a balance, with what its estimate is computed from."""
    rate_zat = found.rate_zat_per_hour
    parts = (found.transparent_zat, found.shielded_zat, found.permission_zat)
    return {
        "wallet_address": found.wallet_address,
        "transparent_balance": _zec_or_none(found.transparent_zat),
        "shielded_balance": _zec_or_none(found.shielded_zat),
        "shielded_visible": found.shielded_zat is not None,
        "total_balance": zec_number(found.visible_zat),
        "total_is_partial": found.is_partial,
        "permission_balance": _zec_or_none(found.permission_zat),
        "rate_per_hour": _zec_or_none(rate_zat),
        "can_stream": found.can_stream,
        "estimated_hours": (
            None if rate_zat is None else hours_number(found.spendable_zat, rate_zat_per_hour=rate_zat)
        ),
        "computed_from": [name for name, part in zip(_SOURCES, parts, strict=True) if part is not None],
        "as_of": None if found.as_of is None else instant(found.as_of),
        "stale": False,
    }


def _rate(request: Request) -> int | None:
    query = request.query_params
    if unknown := sorted(query.keys() - {_RATE}):
        raise ValidationError({unknown[0][:64]: ["this call has no such parameter"]}, code="unknown_field")
    given = query.getlist(_RATE)
    if len(given) > 1:
        raise ValidationError({_RATE: ["is given more than once"]}, code="invalid")
    return path_value(ZecField(), given[0], name=_RATE) if given else None


def _zec_or_none(amount_zat: int | None) -> float | None:
    return None if amount_zat is None else zec_number(amount_zat)
