"""Whose address it is: a viewer's may be paid, the service's own may not."""

import pytest
from pytest_django.fixtures import Settings

from core.models import User
from tests.factories import ALICE, make_client, make_permission
from zcash.addresses import ORCHARD, SAPLING, Network, Receiver, encode_sapling, encode_unified
from zcash.errors import AddressInvalid
from zcash.models import SpendingPermission
from zcash.wallets import viewers_wallet

pytestmark = pytest.mark.django_db

OURS = Receiver(SAPLING, bytes(range(43)))
THEIRS = Receiver(ORCHARD, bytes(range(1, 44)))


def unified(*receivers: Receiver) -> str:
    return encode_unified(receivers, network=Network.REGTEST)


@pytest.fixture
def vera() -> User:
    return make_client()


@pytest.mark.parametrize(
    "address",
    [unified(OURS), encode_sapling(OURS.data, network=Network.REGTEST), unified(OURS, THEIRS)],
    ids=["itself", "its receiver alone", "its receiver beside another one"],
)
def test_refuses_a_payment_address_of_the_service_in_every_shape(vera: User, address: str) -> None:
    permission = make_permission(vera)
    SpendingPermission.objects.filter(pk=permission.pk).update(payment_address=unified(OURS))

    with pytest.raises(AddressInvalid, match="belongs to the service"):
        viewers_wallet(address)


def test_refuses_a_receiver_of_the_service_wallet(settings: Settings) -> None:
    settings.ZCASH_SERVICE_WALLET = unified(OURS, THEIRS)

    with pytest.raises(AddressInvalid, match="belongs to the service"):
        viewers_wallet(encode_sapling(OURS.data, network=Network.REGTEST))


def test_takes_everybody_elses_address(vera: User, settings: Settings) -> None:
    settings.ZCASH_SERVICE_WALLET = unified(OURS)

    assert viewers_wallet(ALICE) == ALICE
    assert viewers_wallet(unified(THEIRS).upper()) == unified(THEIRS)
