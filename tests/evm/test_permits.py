"""Permits cost the service gas: they are handed in for whoever can pay, after what brings money."""

from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from billing.ethereum import abi, authorizing
from billing.ethereum.errors import SignatureInvalid
from billing.ethereum.rules import PermitStatus
from billing.models_ethereum import Authorization, ChainSend
from core.models import User
from tests.evm.world import USD, World, sign, viewer
from tests.factories import make_client, make_vendor

pytestmark = pytest.mark.django_db(transaction=True)
WHO = viewer(1)


def permitted(
    world: World, client: User, number: int = 1, *, money: int = 5 * USD, **changes: int
) -> Authorization:
    """Return an authorisation of a wallet that has money, and has signed a permit for its allowance."""
    who = viewer(number)
    world.give(who.address, money)
    return world.signed(world.asked(client, who, **changes), who, permit=True)


def status(authorization: Authorization) -> PermitStatus | None:
    authorization.refresh_from_db()
    return authorization.permit_status


def use_nonce(world: World, authorization: Authorization) -> None:
    """Let the wallet's permit nonce be used by another permit of its, for the viewer himself."""
    message = (authorization.permit or {})["message"]
    other = {**(authorization.permit or {}), "message": {**message, "spender": WHO.address}}
    signature = sign(other, WHO)
    values = (message["owner"], WHO.address, int(message["value"]), int(message["deadline"]))
    parts = (signature[64], signature[:32], signature[32:64])
    world.do(WHO.address, authorization.token_address, abi.PERMIT, *values, *parts)


def test_a_permit_is_told_from_the_signature_to_the_block(world: World, vera: User) -> None:
    authorization = permitted(world, vera)
    told = [status(authorization)]
    world.round()
    told.append(status(authorization))
    world.node.mine(2)
    world.round()
    told.append(status(authorization))

    assert told == ["waiting", "sent", "confirmed"]
    assert authorization.allowance_units == authorization.limit_units
    assert status(world.active(vera, viewer(2))) is None


def test_a_wallet_without_money_for_a_first_collection_waits(world: World, vera: User) -> None:
    authorization = permitted(world, vera, money=USD // 2 - 1)
    world.round(seconds=301)
    waits = (status(authorization), ChainSend.objects.count())

    world.give(WHO.address, 1)
    world.round(seconds=301)

    assert waits == ("waiting", 0)
    assert status(authorization) == "sent"


def test_what_is_allowed_already_is_not_asked_for(world: World, vera: User) -> None:
    world.approve(WHO.address, 100 * USD)
    permitted(world, vera)

    world.round()

    assert not ChainSend.objects.exists()


def test_the_permit_of_what_is_revoked_is_not_handed_in(world: World, vera: User) -> None:
    authorization = permitted(world, vera)
    authorizing.revoke(client_id=vera.pk, public_id=authorization.public_id, now=world.now)

    world.round()

    assert not ChainSend.objects.exists()


def test_a_permit_that_the_token_would_refuse_is_refused_when_it_is_given(world: World, vera: User) -> None:
    asked = world.asked(vera, WHO)
    use_nonce(world, asked)

    with pytest.raises(SignatureInvalid, match="the token refuses it") as refused:
        world.signed(asked, WHO, permit=True)

    assert refused.value.field == "permit_signature"
    assert world.signed(asked, WHO).status == "active"


def test_a_permit_that_the_token_refuses_later_is_not_sent_and_says_why(world: World, vera: User) -> None:
    authorization = permitted(world, vera)
    use_nonce(world, authorization)

    world.round()
    world.round(seconds=601)

    assert (status(authorization), ChainSend.objects.count()) == ("failed", 0)
    assert "the token refuses it" in authorization.permit_refusal


def test_a_permit_that_is_undone_on_the_chain_has_failed(world: World, vera: User) -> None:
    authorization = permitted(world, vera)
    world.round()
    use_nonce_first = ChainSend.objects.get()
    world.node.ask("anvil_dropTransaction", use_nonce_first.hashes[0])
    use_nonce(world, authorization)
    world.round()
    world.node.mine(3)
    world.round()

    assert status(authorization) == "failed"


def test_a_wallet_whose_permit_has_paid_nothing_gets_no_second_one(world: World, vera: User) -> None:
    first = permitted(world, vera, limit_units=USD)
    world.settle()
    authorizing.revoke(client_id=vera.pk, public_id=first.public_id, now=world.now)
    second = permitted(world, vera, limit_units=2 * USD)
    world.round()
    refused = (status(second), ChainSend.objects.count())
    authorizing.revoke(client_id=vera.pk, public_id=second.public_id, now=world.now)

    third = permitted(world, vera, limit_units=USD)
    world.stream(third, USD)
    world.settle()
    third.refresh_from_db()
    assert third.collected_units == USD
    fourth = permitted(world, vera, limit_units=2 * USD)
    world.round()

    assert refused == ("failed", 1)
    assert "approve the spender" in second.permit_refusal
    assert status(fourth) == "sent"


def test_a_client_has_so_many_permits_in_a_day_and_holds_up_no_other(
    world: World, vera: User, settings: Settings
) -> None:
    settings.ETHEREUM_PERMITS_PER_CLIENT_DAY = 1
    other = make_client("other-tv")
    make_vendor(other)
    mine = [permitted(world, vera, number) for number in (1, 2)]
    theirs = permitted(world, other, 3)

    world.round()
    today = [status(each) for each in (*mine, theirs)]
    world.node.mine(2)
    world.now += timedelta(days=1)
    world.round()
    world.round(seconds=1)

    assert today == ["sent", "waiting", "sent"]
    assert status(mine[1]) == "sent"


def test_debts_are_collected_before_permits_are_paid_for(world: World, vera: User) -> None:
    permitted(world, vera, 1)
    debtor = world.active(vera, viewer(2))
    world.stream(debtor, USD)

    world.round()

    assert [each.collections.count() for each in ChainSend.objects.order_by("nonce")] == [1, 0]
