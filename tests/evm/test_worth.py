"""No debt is collected that is not worth its gas, none is tried for ever, and none is forgotten silently."""

from datetime import timedelta

import pytest

from billing import engine, expiry
from billing.engine import StartRequest
from billing.errors import AuthorizationSuspended
from billing.ethereum import abi, authorizing
from billing.ethereum.errors import DebtUnpaid
from billing.models import Transaction
from billing.models_ethereum import Authorization, ChainSend, Collection
from billing.operators import Word
from core.models import Event, User
from tests.evm.world import ADMIN, BLOCKS, LEAST, TREASURY, USD, World, viewer

pytestmark = pytest.mark.django_db(transaction=True)
WHO = viewer(1)


def reasons() -> list[str]:
    return list(Collection.objects.order_by("id").values_list("reason", flat=True))


@pytest.mark.parametrize("by_collector", [True, False])
def test_a_debt_below_the_least_waits_for_more(world: World, vera: User, by_collector: bool) -> None:
    world.configure(by_collector=by_collector)
    authorization = world.active(vera, WHO)
    for _ in range(3):
        world.stream(authorization, LEAST // 3)
        world.settle()
    sent = ChainSend.objects.count()
    world.stream(authorization, LEAST - 3 * (LEAST // 3))
    world.settle()

    assert (sent, ChainSend.objects.count()) == (0, 1)
    assert world.balance(TREASURY) == LEAST


def test_what_is_left_near_an_end_is_collected_by_a_few_transactions(world: World, vera: User) -> None:
    authorization = world.active(vera, WHO, limit_units=USD // 2)
    engine.start(StartRequest(WHO.address, "vendor123"), client_id=vera.pk, now=world.now)

    for _ in range(50):
        world.round(seconds=10)
        world.node.mine(2)
    world.settle()

    authorization.refresh_from_db()
    # A half, and half of the rest each time, in rounds of a fiftieth.
    assert authorization.collected_units == USD // 2
    assert ChainSend.objects.count() <= 7


def test_a_debt_below_the_least_is_not_collected_before_the_last_day_ends(world: World, vera: User) -> None:
    authorization = world.active(vera, WHO, rate_units_per_hour=LEAST, duration_days=1)
    world.now = authorization.expires_at - timedelta(minutes=30)
    engine.start(StartRequest(WHO.address, "vendor123"), client_id=vera.pk, now=world.now)

    world.round(seconds=600)

    assert not Collection.objects.exists()


def test_a_debt_below_the_least_blocks_nobody_once_it_is_too_late(world: World, vera: User) -> None:
    authorization = world.active(vera, WHO, duration_days=1)
    world.stream(authorization, LEAST - 1)
    world.now = authorization.collectable_until
    expiry.run(now=world.now)

    world.settle()

    assert not Collection.objects.exists()
    assert Transaction.objects.get().status == "failed"
    again = world.signed(world.asked(vera, WHO), WHO)
    assert (again.status, again.ceiling_units, again.cutoff_units) == ("active", 2 * USD, 2 * USD)


def test_a_debt_below_the_least_is_not_given_up_while_more_may_come_to_it(world: World, vera: User) -> None:
    authorization = world.active(vera, WHO, duration_days=1)
    world.stream(authorization, LEAST - 1)
    world.now = authorization.collectable_until - timedelta(seconds=1)
    expiry.run(now=world.now)

    world.settle()

    assert Transaction.objects.get().status == "pending"
    again = world.signed(world.asked(vera, WHO), WHO)
    assert (again.ceiling_units, again.cutoff_units) == (2 * USD - (LEAST - 1),) * 2


def test_a_debt_that_is_not_collected_in_time_fails_and_blocks_until_it_is_pardoned(
    world: World, vera: User
) -> None:
    authorization = world.active(vera, WHO, duration_days=1)
    world.stream(authorization, USD)
    world.now = authorization.collectable_until
    expiry.run(now=world.now)

    world.settle()
    with pytest.raises(DebtUnpaid, match="ask the service's operator to pardon it"):
        world.asked(vera, WHO)
    with pytest.raises(AuthorizationSuspended, match="ask the service's operator to pardon it"):
        engine.start(StartRequest(WHO.address, "vendor123"), client_id=vera.pk, now=world.now)
    told = Event.objects.get(kind="collection.failed")
    word = Word(None, "shell:olga", "to be kind")
    authorizing.pardon(authorization.public_id, word=word, now=world.now)
    world.settle()

    assert (reasons(), ChainSend.objects.count()) == (["too_late"], 0)
    assert (told.payload["reason"], told.payload["amount"]) == ("too_late", str(USD))
    assert Transaction.objects.get().status == "failed"
    assert world.asked(vera, WHO).status == "pending"


def test_a_debt_that_is_too_late_is_read_no_more(world: World, vera: User) -> None:
    authorization = world.active(vera, WHO, duration_days=1)
    world.stream(authorization, USD)
    read_at = authorization.chain_read_at
    world.now = authorization.collectable_until
    expiry.run(now=world.now)

    world.settle()

    authorization.refresh_from_db()
    assert authorization.chain_read_at == read_at


def test_a_failed_collection_is_told_though_nothing_was_sent(world: World, vera: User) -> None:
    authorization = world.active(vera, WHO)
    world.stream(authorization, USD)
    world.approve(WHO.address, 1)

    world.round()

    assert Event.objects.get(kind="collection.failed").payload["reason"] == "allowance"


def test_what_is_missing_is_not_tried_until_it_is_there(world: World, vera: User) -> None:
    authorization = world.active(vera, WHO)
    world.stream(authorization, USD)
    world.approve(WHO.address, 1)
    for _ in range(6):
        world.round(seconds=1800)
    missing = reasons()

    world.approve(WHO.address, 5 * USD)
    world.round(seconds=301)
    world.settle()

    authorization.refresh_from_db()
    assert missing == ["allowance"]
    assert (authorization.status, world.balance(TREASURY)) == ("active", USD)


@pytest.mark.parametrize("symbol", ["BLOCKS", "PLAIN"])
def test_a_transfer_that_would_fail_costs_no_gas_and_is_tried_ever_more_rarely(
    world: World, vera: User, symbol: str
) -> None:
    world.tokens = {symbol: world.add_token(symbol, BLOCKS)}
    world.configure()
    authorization = world.active(vera, WHO, symbol=symbol)
    block = "block_wallet(address,bool)"
    world.do(ADMIN, world.tokens[symbol], block, WHO.address, True)
    world.stream(authorization, USD)

    for _ in range(24 * 6):
        world.round(seconds=601)
    tried, sent = len(reasons()), ChainSend.objects.count()
    world.do(ADMIN, world.tokens[symbol], block, WHO.address, False)
    world.round(seconds=24 * 3600)
    world.settle()

    # At 0, 10, 30, 70, 150, 310, 630 and 1270 minutes of 1440.
    assert (tried, sent) == (8, 0)
    authorization.refresh_from_db()
    assert (authorization.status, world.balance(TREASURY, symbol=symbol)) == ("active", USD)


def test_a_transfer_that_fails_on_the_chain_alone_is_sent_ever_more_rarely(world: World, vera: User) -> None:
    """The wallet allows while it is asked, and takes it back in the block that would collect."""
    authorization = world.active(vera, WHO)
    world.stream(authorization, USD)
    sent = []
    for _ in range(12):
        world.round(seconds=601)
        world.overtake(WHO.address, world.tokens["USDT"], abi.APPROVE, world.spender(), 0)
        world.node.mine(2)
        world.round()
        world.approve(WHO.address, 5 * USD)
        sent.append(ChainSend.objects.count())

    assert sent == [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4]
    assert set(reasons()) == {"token_refused"}
    assert Authorization.objects.get().status == "suspended"


def test_a_contract_wallet_that_denies_its_signature_costs_no_gas(world: World, vera: User) -> None:
    authorization = world.active_contract(vera, viewer(77))
    world.stream(authorization, USD)
    world.node.ask("anvil_setCode", authorization.wallet_address, "0x5f5f5260205ff3")

    world.round()

    assert (reasons(), ChainSend.objects.count()) == (["not_signed"], 0)
