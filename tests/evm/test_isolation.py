"""What is wrong with one wallet, token, contract or chain holds up no other, and suspends nobody else."""

from datetime import timedelta

import pytest

from billing import covering, engine
from billing.engine import StartRequest
from billing.errors import AuthorizationSuspended
from billing.ethereum import abi, authorizing, following, readings
from billing.ethereum.errors import DebtUnpaid, TokenUnfit
from billing.models_ethereum import Authorization, ChainSend, Collection
from core.db import operation
from core.models import User
from tests.evm.world import ADMIN, BLOCKS, BURNS, TREASURY, USD, World, deploy, viewer

pytestmark = pytest.mark.django_db(transaction=True)


def states() -> list[tuple[str, str]]:
    return list(Collection.objects.order_by("id").values_list("status", "reason"))


def statuses_of(*authorizations: Authorization) -> list[str]:
    keys = [each.pk for each in authorizations]
    return list(Authorization.objects.filter(pk__in=keys).order_by("id").values_list("status", flat=True))


def name_service(world: World, address: str) -> None:
    world.overtake(ADMIN, world.collector, "set_service(address)", address)
    world.node.mine(2)


def test_a_call_that_is_undone_as_a_whole_suspends_nobody_and_each_is_tried_alone(
    world: World, vera: User
) -> None:
    three = [world.active(vera, viewer(number)) for number in (1, 2, 3)]
    for each in three:
        world.stream(each, USD)
    world.round()
    # The call finds another service: it is no wallet's fault.
    name_service(world, viewer(9).address)
    assert "service" in world.round()["Local"]
    undone = states()
    name_service(world, world.service)
    world.settle()

    assert undone == [("failed", "batch_reverted")] * 3
    assert statuses_of(*three) == ["active"] * 3
    assert [each.collections.count() for each in ChainSend.objects.order_by("nonce")] == [3, 1, 1, 1]
    assert world.balance(TREASURY) == 3 * USD


def test_who_is_undone_alone_again_is_suspended(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    for _ in range(2):
        world.round()
        name_service(world, viewer(9).address)
        world.round()
        name_service(world, world.service)

    assert states() == [("failed", "batch_reverted"), ("failed", "reverted")]
    assert statuses_of(authorization) == ["suspended"]


def test_a_wallet_whose_token_burns_all_gas_is_suspended_alone(world: World, vera: User) -> None:
    world.tokens = {"BURNS": world.add_token("BURNS", BLOCKS | BURNS)}
    world.configure()
    good, hostile = [world.active(vera, viewer(number), symbol="BURNS") for number in (1, 2)]
    world.stream(good, USD)
    world.stream(hostile, USD)
    # After the simulation, which would not have sent it.
    world.round()
    world.overtake(ADMIN, world.tokens["BURNS"], "block_wallet(address,bool)", viewer(2).address, True)
    world.node.mine(2)
    world.settle()

    assert sorted(states()) == [("confirmed", ""), ("failed", "token_refused")]
    assert statuses_of(good, hostile) == ["active", "suspended"]
    assert world.balance(TREASURY, symbol="BURNS") == USD


def of_contract_wallet(world: World, client: User, *, number: int) -> Authorization:
    """Return an active authorisation of a contract that a viewer owns, with money and allowance."""
    owner = viewer(number)
    wallet = deploy(world.node, "TestWallet", ["address"], owner.address, sender=ADMIN)
    world.give(wallet, 10 * USD)
    approval = abi.call(abi.APPROVE, world.collector, 10 * USD)
    world.do(owner.address, wallet, "call(address,bytes)", world.tokens["USDT"], approval)
    return world.signed(world.asked(client, owner, wallet_address=wallet), owner)


@pytest.mark.parametrize("late", [False, True], ids=["before it is sent", "once it is sent"])
def test_a_contract_wallet_that_denies_what_it_signed_owes_and_holds_up_no_other(
    world: World, vera: User, late: bool
) -> None:
    fickle, other = of_contract_wallet(world, vera, number=1), world.active(vera, viewer(2))
    world.stream(fickle, USD)
    world.stream(other, USD)
    deny = (fickle.wallet_address, "deny(bool)")
    if late:
        world.round()
        world.overtake(ADMIN, *deny, True)
    else:
        world.do(ADMIN, *deny, True)
    world.settle()

    assert sorted(states()) == [("confirmed", ""), ("failed", "not_signed")]
    assert statuses_of(fickle, other) == ["suspended", "active"]
    assert world.balance(TREASURY) == USD
    # What the simulation finds out costs no gas; the contract finds out the rest, in the other's transaction.
    assert (fickle.collections.get().send is not None) == late
    assert ChainSend.objects.count() == 1
    with pytest.raises(AuthorizationSuspended):
        engine.start(StartRequest(fickle.wallet_address, "vendor123"), client_id=vera.pk, now=world.now)
    with pytest.raises(DebtUnpaid):
        world.asked(vera, viewer(1), wallet_address=fickle.wallet_address)

    # It admits it again, and pays.
    world.do(ADMIN, *deny, False)
    world.round(seconds=601)
    world.settle()
    assert statuses_of(fickle, other) == ["active", "active"]
    assert world.balance(TREASURY) == 2 * USD


@pytest.mark.parametrize("symbol", ["USDT", "PLAIN"])
def test_nothing_is_taken_after_the_instant_until_which_the_viewer_has_allowed_it(
    world: World, vera: User, symbol: str
) -> None:
    world.add_token("PLAIN", 0)
    world.configure()
    authorization = world.active(vera, viewer(1), symbol=symbol, duration_days=1)
    world.stream(authorization, USD)
    world.now = authorization.collectable_until

    world.settle()

    assert (states(), ChainSend.objects.count()) == ([("failed", "too_late")], 0)
    assert world.balance(TREASURY, symbol=symbol) == 0


def test_a_token_that_is_configured_no_more_holds_up_no_other(world: World, vera: User) -> None:
    world.add_token("GONE", 0)
    world.configure()
    gone = world.active(vera, viewer(1), symbol="GONE")
    kept = world.active(vera, viewer(2))
    start = StartRequest(viewer(1).address, "vendor123")
    engine.start(start, client_id=vera.pk, now=world.now)
    world.stream(kept, USD)
    token = world.tokens.pop("GONE")
    world.configure()

    world.settle()
    collected = world.balance(TREASURY)
    world.tokens["GONE"] = token
    world.configure()
    world.settle()

    gone.refresh_from_db()
    assert collected == USD
    assert gone.collected_units == world.balance(TREASURY, symbol="GONE") > 0


def test_a_chain_that_is_configured_no_more_is_named_and_holds_up_no_other(world: World, vera: User) -> None:
    gone, kept = world.active(vera, viewer(1)), world.active(vera, viewer(2))
    world.stream(gone, USD)
    world.stream(kept, USD)
    Authorization.objects.filter(pk=gone.pk).update(chain_id=99)

    wrong = world.round()
    world.node.mine(2)
    world.round()

    assert "ETHEREUM_CHAINS_FILE" in wrong["chain 99"]
    assert set(wrong) == {"chain 99"}
    assert world.balance(TREASURY) == USD


def test_a_collector_that_is_another_contract_is_named(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    world.configure(collector=world.tokens["USDT"])

    wrong = world.round()

    assert "no collector of PayGo's" in wrong["Local"]
    with pytest.raises(TokenUnfit, match="no collector"):
        world.asked(vera, viewer(2))


def test_who_revokes_what_he_owes_by_owes_it_still(world: World, vera: User) -> None:
    who = viewer(1)
    authorization, prepared = world.active(vera, who), world.asked(vera, who)
    world.stream(authorization, USD)
    world.approve(who.address, 0)
    world.round()
    assert statuses_of(authorization) == ["suspended"]

    authorizing.revoke(client_id=vera.pk, public_id=authorization.public_id, now=world.now)
    with pytest.raises(DebtUnpaid):
        world.asked(vera, who)
    with pytest.raises(DebtUnpaid):
        world.signed(prepared, who)
    world.approve(who.address, 5 * USD)
    world.round(seconds=601)
    world.settle()

    assert world.balance(TREASURY) == USD
    assert world.signed(prepared, who).status == "active"


def test_debts_of_an_older_collector_are_collected_by_it(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    old, kinds = world.collector, ["address"] * 3
    world.collector = deploy(
        world.node, "PayGoCollector", kinds, world.service, TREASURY, ADMIN, sender=ADMIN
    )
    world.configure()
    world.do(ADMIN, old, "set_service(address)", viewer(9).address)

    refused = world.round()
    world.do(ADMIN, old, "set_service(address)", world.service)
    world.settle()

    assert old in refused["Local"]
    assert statuses_of(authorization) == ["active"]
    assert states() == [("confirmed", "")]
    assert world.balance(TREASURY) == USD


def test_a_send_that_cannot_be_booked_keeps_no_other_from_it(world: World, vera: User) -> None:
    world.add_token("OTHER", 0)
    world.configure()
    first, second = world.active(vera, viewer(1)), world.active(vera, viewer(2), symbol="OTHER")
    world.stream(first, USD)
    world.stream(second, USD)
    world.round()
    world.node.mine(2)
    document = first.typed_data
    Authorization.objects.filter(pk=first.pk).update(typed_data={})

    following.follow(readings.connect(world.chain), world.chain, world.key, now=world.now)
    booked = states()
    Authorization.objects.filter(pk=first.pk).update(typed_data=document)
    world.settle()

    assert booked == [("submitted", ""), ("confirmed", "")]
    assert states() == [("confirmed", ""), ("confirmed", "")]


def test_an_old_reading_counts_only_what_its_block_has(world: World, vera: User) -> None:
    """A node may stay behind, while the collector sees a collection confirmed by another."""
    who = viewer(1)
    authorization = world.active(vera, who)
    world.approve(who.address, 3 * USD // 2)
    world.stream(authorization, USD)
    seen = readings.look(readings.connect(world.chain), authorization)
    world.settle()

    with operation():
        locked = covering.lock_current(authorization.pk, now=world.now)
        assert locked.collected_units == USD
        readings.note(locked, seen, now=world.now + timedelta(minutes=3))

    assert (locked.cutoff_units, locked.binding) == (3 * USD // 2, "allowance")
