"""Addresses as callers name them: what identifies a viewer, and where money may go back to."""

from django.conf import settings

from zcash.addresses import ORCHARD, SAPLING, AddressError, Network, encode_unified, parse
from zcash.errors import AddressInvalid
from zcash.models import SpendingPermission

_SHIELDED = (SAPLING, ORCHARD)


def viewers_wallet(text: str, *, field: str = "user_wallet_address") -> str:
    """Return the canonical form of an address that identifies a viewer and may be paid.

    Raises:
        AddressInvalid: not an address of this network, or one of this service's own.
    """
    address = canonical_wallet(text, field=field)
    if is_own(address):
        raise AddressInvalid("this address belongs to the service itself", field=field)
    return address


def canonical_wallet(text: str, *, field: str = "user_wallet_address") -> str:
    """Return the canonical form under which a wallet address is stored and looked up.

    Raises:
        AddressInvalid: not an address of this service's network.
    """
    if text[:2] in ("0x", "0X"):
        raise AddressInvalid("Ethereum wallets are not accepted yet; give a Zcash address", field=field)
    try:
        return parse(text, network=Network(settings.ZCASH_NETWORK)).canonical
    except AddressError as error:
        raise AddressInvalid(f"this is {error}", field=field) from error


def is_own(address: str) -> bool:
    """Whether paying an address pays this service: money that went round would come back as a deposit.

    A receiver alone is the same address: what a permission is paid at has one receiver.
    """
    network = Network(settings.ZCASH_NETWORK)
    receivers = set(parse(address, network=network).receivers)
    if settings.ZCASH_SERVICE_WALLET:
        service = parse(settings.ZCASH_SERVICE_WALLET, network=network)
        if receivers & set(service.receivers):
            return True
    alone = [encode_unified([each], network=network) for each in receivers if each.typecode in _SHIELDED]
    return SpendingPermission.objects.filter(payment_address__in=alone).exists()
