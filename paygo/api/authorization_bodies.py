"""Bodies of the calls about Ethereum authorisations: what they take, and what they answer.

Amounts of a token are whole numbers of its smallest unit, as texts.
"""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from billing import privacy
from billing.ethereum import abi, typed_data
from billing.ethereum.rules import AuthorizationStatus, Binding, PermitStatus
from billing.models_ethereum import Authorization
from paygo.api.ethereum_fields import ConsentField, EthereumAddressField, SignatureField, UnitsTextField
from paygo.api.fields import ChoiceField, StrictSerializer, ViewersAddressField, WholeField
from paygo.api.render import instant

_UNITS = "In the token's smallest unit, a text"


class AuthorizationRequest(StrictSerializer):
    """What a viewer is to sign."""

    chain_id = WholeField(low=1, high=2**53)
    wallet_address = EthereumAddressField(help_text="The wallet that pays and signs, with its checksum")
    token = EthereumAddressField(help_text="The token's contract, one that the operator accepts")
    limit = UnitsTextField(help_text=f"The most that is ever taken. {_UNITS}")
    rate_per_hour = UnitsTextField(help_text=f"The most that an hour of streaming may cost. {_UNITS}")
    duration_days = WholeField(low=1, high=settings.MAX_PERMISSION_DURATION_DAYS, required=False)
    linked_wallet_address = ViewersAddressField(
        required=False, allow_null=True, help_text="The Zcash wallet whose streams it goes on paying for"
    )
    privacy_consent = ConsentField(help_text=f"The viewer agrees. {privacy.NOTE}")


class AuthorizationSignatures(StrictSerializer):
    """What the viewer's wallet has signed."""

    signature = SignatureField(help_text="Of `typed_data` (EIP-712), by the key or the contract (EIP-1271)")
    permit_signature = SignatureField(
        required=False, help_text="Of `permit_typed_data` (EIP-2612), instead of an approval on the chain"
    )


class AuthorizationState(serializers.Serializer[Any]):
    """An authorisation as it is; amounts in the token's smallest unit, as texts."""

    authorization_id = serializers.UUIDField()
    status = ChoiceField([each.value for each in AuthorizationStatus])
    chain_id = serializers.IntegerField()
    wallet_address = serializers.CharField()
    linked_wallet_address = serializers.CharField(allow_null=True)
    token = serializers.CharField()
    token_symbol = serializers.CharField()
    decimals = serializers.IntegerField()
    spender = serializers.CharField(help_text="Who needs the allowance")
    limit = serializers.CharField()
    rate_per_hour = serializers.CharField()
    charged = serializers.CharField(help_text="What streams have used of the limit")
    collected = serializers.CharField(help_text="What has arrived of that for good")
    spendable = serializers.CharField(help_text="What may still be charged")
    binding = ChoiceField([each.value for each in Binding], help_text="Which bound makes it no more")
    allowance = serializers.CharField(allow_null=True, help_text="As the chain was last read")
    balance = serializers.CharField(allow_null=True, help_text="As the chain was last read")
    debt_ceiling = serializers.CharField(
        help_text="The most that may be charged and not collected; what is owed by others is taken off"
    )
    chain_read_at = serializers.DateTimeField(allow_null=True)
    suspended_for = serializers.CharField(
        allow_null=True, help_text="Why what is owed could not be collected"
    )
    permit_status = ChoiceField(
        [each.value for each in PermitStatus],
        allow_null=True,
        help_text="How far the signed permit is; null: none was given. `waiting`: it is handed in once the "
        "wallet has the money for a first collection. `failed`: approve the spender instead",
    )
    permit_refusal = serializers.CharField(allow_null=True, help_text="Why the permit failed")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    collectable_until = serializers.DateTimeField()
    privacy_note = serializers.CharField()


class CreatedAuthorization(AuthorizationState):
    """A new authorisation, and what the wallet has to do for it."""

    typed_data = serializers.DictField(help_text="To be signed (eth_signTypedData_v4)")
    permit_typed_data = serializers.DictField(
        allow_null=True, help_text="The same for the allowance; null: the token takes no permits"
    )
    approve_to = serializers.CharField(help_text="Or a transaction to this contract ...")
    approve_data = serializers.CharField(help_text="... with this data, which allows the limit")
    consent = serializers.CharField(help_text="The sentence that is signed with it")


def render_authorization(found: Authorization) -> dict[str, Any]:
    """Return the body of an authorisation."""
    return {
        "authorization_id": str(found.public_id),
        "status": found.status,
        "chain_id": found.chain_id,
        "wallet_address": found.wallet_address,
        "linked_wallet_address": found.linked_wallet_address,
        "token": found.token_address,
        "token_symbol": found.token_symbol,
        "decimals": found.decimals,
        "spender": found.spender,
        "limit": str(found.limit_units),
        "rate_per_hour": str(found.rate_units_per_hour),
        "charged": str(found.charged_units),
        "collected": str(found.collected_units),
        "spendable": str(found.remaining_units if found.status == AuthorizationStatus.ACTIVE else 0),
        "binding": found.binding,
        "allowance": _or_none(found.allowance_units),
        "balance": _or_none(found.balance_units),
        "debt_ceiling": str(found.ceiling_units),
        "chain_read_at": instant(found.chain_read_at) if found.chain_read_at else None,
        "suspended_for": found.suspended_for or None,
        "permit_status": found.permit_status,
        "permit_refusal": found.permit_refusal or None,
        "created_at": instant(found.created_at),
        "expires_at": instant(found.expires_at),
        "collectable_until": instant(found.collectable_until),
        "privacy_note": privacy.NOTE,
    }


def render_created_authorization(found: Authorization) -> dict[str, Any]:
    """Return the body of an authorisation that waits for its signature."""
    approve = abi.call(abi.APPROVE, found.spender, found.limit_units)
    return {
        **render_authorization(found),
        "typed_data": found.typed_data,
        "permit_typed_data": found.permit,
        "approve_to": found.token_address,
        "approve_data": "0x" + approve.hex(),
        "consent": typed_data.CONSENT,
    }


def _or_none(units: int | None) -> str | None:
    return None if units is None else str(units)
