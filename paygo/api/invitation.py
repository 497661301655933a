"""A 402 as an invitation: how a program that has met one pays by itself, in the shape of x402 (version 2).

x402's own schemes pay a request; here one payment funds hours, so the schemes are PayGo's: `zip321` pays a
permission that there is, `paygo-permission` asks for one first, `paygo-authorization` lets a wallet on an EVM
chain sign. Amounts are in the asset's smallest unit, as texts.
"""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers

from billing import funding, privacy, token_prices
from billing.errors import AuthorizationExhausted, AuthorizationExpired, AuthorizationRequired
from billing.ethereum import chains
from billing.ethereum.chains import Chain, Token
from billing.ethereum.errors import ConfigurationUnfit
from billing.ethereum.rules import Binding
from billing.linked import is_ethereum
from core.amounts import parse_zec
from core.errors import NotFound, PaymentRequired
from paygo.api.render import zec_number
from paygo.api.schema import ProblemDocument
from sessions_app import queries
from sessions_app.models import Vendor
from zcash import queries as permissions
from zcash.errors import PermissionExhausted, PermissionExpired, PermissionPending, PermissionRequired
from zcash.zip321 import payment_uri

HEADER = "PAYMENT-REQUIRED"
_VERSION = 2
_NO_PERMISSION = (PermissionRequired, PermissionExpired)
_HELPED_BY_A_SIGNATURE = (
    PermissionRequired,
    PermissionPending,
    PermissionExhausted,
    PermissionExpired,
    AuthorizationRequired,
    AuthorizationExhausted,
    AuthorizationExpired,
)
# The answer's header has all of it, and headers of more than 8 KiB are refused on the way.
_MOST_TOKENS = 4
_SESSIONS, _PERMISSIONS = "/api/v1/sessions", "/api/v1/zcash/permissions"
_AUTHORIZATIONS = "/api/v1/ethereum/authorizations"
_DAY_SECONDS = 24 * 3600


class PaidResource(serializers.Serializer[Any]):
    """What the payment is for."""

    url = serializers.URLField()
    description = serializers.CharField()
    mimeType = serializers.CharField()  # noqa: N815  # x402's names


class PaymentOption(serializers.Serializer[Any]):
    """One way to pay, in x402's fields."""

    scheme = serializers.CharField(
        help_text="`zip321`; `paygo-permission` where one must be asked for first; `paygo-authorization`"
    )
    network = serializers.CharField(
        help_text="`zcash:main`, `zcash:test` or `zcash:regtest`; `eip155:` and the number of an EVM chain"
    )
    amount = serializers.CharField(
        help_text="Zatoshis: what is missing, else what an hour costs; 0: all is seen, wait. "
        "Of a token 0: nothing is paid ahead"
    )
    asset = serializers.CharField(help_text="`ZEC`, or the token's contract")
    payTo = serializers.CharField(help_text="An address, or the call that gives one")  # noqa: N815
    maxTimeoutSeconds = serializers.IntegerField(help_text="For how long that counts")  # noqa: N815
    extra = serializers.DictField(
        help_text="`zip321`: `payment_uri` and `verify`; the others: `create` (method, url, body) and "
        "`choose`, the fields that the payer decides; `paygo-authorization`: `privacy_note`, to be agreed to"
    )


class PaymentProblem(ProblemDocument):
    """Nothing pays for the session yet; the same is in the header PAYMENT-REQUIRED, in base64."""

    x402Version = serializers.IntegerField(required=False)  # noqa: N815
    resource = PaidResource(required=False)
    accepts = PaymentOption(many=True, required=False)


def invite(
    refusal: PaymentRequired, values: Mapping[str, Any], *, client_id: int, now: datetime
) -> dict[str, str]:
    """Add the ways to pay to the refusal of a session, and return the header that has them, too."""
    refusal.context |= {
        "x402Version": _VERSION,
        "resource": {
            "url": settings.PAYGO_URL + _SESSIONS,
            "description": f"Streaming at {values['vendor_id']}, by the hour",
            "mimeType": "application/json",
        },
        "accepts": [
            *_options(refusal, values, client_id=client_id, now=now),
            *_public_options(refusal, values, client_id=client_id),
        ],
    }
    told = {name: refusal.context[name] for name in ("x402Version", "resource", "accepts")}
    content = json.dumps({**told, "error": refusal.detail}, separators=(",", ":")).encode()
    return {HEADER: base64.b64encode(content).decode()}


def _options(
    refusal: PaymentRequired, values: Mapping[str, Any], *, client_id: int, now: datetime
) -> list[dict[str, Any]]:
    rate_zat = _price(values["vendor_id"], client_id=client_id)
    known = refusal.context
    if address := known.get("payment_address"):
        amount_zat = _missing(known["permission_id"], client_id=client_id, hour_zat=rate_zat)
        return [_pay(address, known, amount_zat=amount_zat, now=now)]
    # An Ethereum wallet cannot be a permission's.
    if isinstance(refusal, _NO_PERMISSION) and not is_ethereum(values["user_wallet_address"]):
        return [_ask(values, rate_zat=rate_zat)]
    # A hold is the operator's to lift, and a dearer permission would wait behind the one that there is.
    return []


def _public_options(
    refusal: PaymentRequired, values: Mapping[str, Any], *, client_id: int
) -> list[dict[str, Any]]:
    """Return the tokens that the viewer may sign for instead: a new authorisation would help, and may pay.

    A session with a spending cap in ZEC takes no token, and a debt is paid first.
    """
    if values.get("max_amount") is not None or not isinstance(refusal, _HELPED_BY_A_SIGNATURE):
        return []
    if refusal.context.get("binding", Binding.LIMIT) != Binding.LIMIT:
        return []
    try:
        found = [(chain, token) for chain in chains.all_chains() for token in chain.tokens]
    except ConfigurationUnfit:
        # The checks say so; who pays in ZEC need not care.
        return []
    vendor = _vendor(values["vendor_id"], client_id=client_id)
    return [_sign(chain, token, values, vendor=vendor) for chain, token in found[:_MOST_TOKENS]]


def _sign(chain: Chain, token: Token, values: Mapping[str, Any], *, vendor: Vendor | None) -> dict[str, Any]:
    """Return how to let a wallet sign an authorisation of a token, at the vendor's price in that."""
    url, wallet = settings.PAYGO_URL + _AUTHORIZATIONS, values["user_wallet_address"]
    body, choose = {"chain_id": chain.chain_id, "token": token.address}, ["limit"]
    rate = token_prices.current(vendor, chain.chain_id, token.address) if vendor else None
    if rate is None:
        choose.append("rate_per_hour")
    else:
        body["rate_per_hour"] = str(rate)
    if is_ethereum(wallet):
        body["wallet_address"] = wallet
    else:
        body["linked_wallet_address"] = wallet
        choose.insert(0, "wallet_address")
    extra = {
        "create": {"method": "POST", "url": url, "body": body},
        "choose": [*choose, "privacy_consent"],
        "symbol": token.symbol,
        "decimals": token.decimals,
        "privacy_note": privacy.NOTE,
    }
    return {
        "scheme": "paygo-authorization",
        "network": f"eip155:{chain.chain_id}",
        "amount": "0",
        "asset": token.address,
        "payTo": url,
        "maxTimeoutSeconds": _DAY_SECONDS,
        "extra": extra,
    }


def _pay(address: str, known: Mapping[str, Any], *, amount_zat: int, now: datetime) -> dict[str, Any]:
    """Return how to pay a permission that there is."""
    permission_url = f"{settings.PAYGO_URL}{_PERMISSIONS}/{known['permission_id']}"
    until = known.get("pay_before") or known.get("expires_at")
    seconds = int((until - now).total_seconds()) if until else _DAY_SECONDS
    extra = {
        "payment_uri": payment_uri(address, amount_zat=amount_zat) if amount_zat else None,
        "permission_id": known["permission_id"],
        "verify": {"method": "POST", "url": f"{permission_url}/verify"},
    }
    return _option("zip321", amount_zat, pay_to=address, seconds=max(0, seconds), extra=extra)


def _missing(permission_id: str, *, client_id: int, hour_zat: int | None) -> int:
    """Return what to pay now: what was not even seen yet of what was asked for, else another hour.

    0 while what was seen, of a top-up too, waits for its confirmations: it is not to be paid twice.
    """
    permission = permissions.of_client(client_id=client_id, public_id=UUID(permission_id))
    payment = funding.payment_of(permission)
    if permission.unpaid_zat > 0:
        return payment.missing_zat
    return 0 if payment.waits else hour_zat or permission.rate_zat_per_hour


def _ask(values: Mapping[str, Any], *, rate_zat: int | None) -> dict[str, Any]:
    """Return how to ask for a permission that pays for an hour; what nobody has set the payer chooses."""
    body: dict[str, Any] = {"user_wallet_address": values["user_wallet_address"]}
    if rate_zat:
        body |= {"requested_amount": zec_number(rate_zat), "rate_per_hour": zec_number(rate_zat)}
    url = settings.PAYGO_URL + _PERMISSIONS
    extra = {
        "create": {"method": "POST", "url": url, "body": body},
        "choose": [] if rate_zat else ["requested_amount", "rate_per_hour"],
    }
    amount_zat = rate_zat or _least_zat()
    return _option("paygo-permission", amount_zat, pay_to=url, seconds=_DAY_SECONDS, extra=extra)


def _option(scheme: str, amount_zat: int, *, pay_to: str, seconds: int, extra: Any) -> dict[str, Any]:
    return {
        "scheme": scheme,
        "network": f"zcash:{settings.ZCASH_NETWORK}",
        "amount": str(amount_zat),
        "asset": "ZEC",
        "payTo": pay_to,
        "maxTimeoutSeconds": seconds,
        "extra": extra,
    }


def _price(vendor_id: str, *, client_id: int) -> int | None:
    vendor = _vendor(vendor_id, client_id=client_id)
    return vendor.price_zat_per_hour if vendor else None


def _vendor(vendor_id: str, *, client_id: int) -> Vendor | None:
    try:
        return queries.find_vendor(client_id=client_id, slug=vendor_id)
    except NotFound:
        return None


def _least_zat() -> int:
    return parse_zec(settings.MIN_PERMISSION_AMOUNT)
