"""The watcher and the credit of what it finds, on the simulated node over HTTP."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from billing import expiry, funding, rounds
from core.models import Event, User
from tests.factories import NOW, ZEC, after, make_client, see_deposit
from tests.factories import make_permission as make_unpaid
from zcash import permissions, watch
from zcash.models import Deposit, SpendingPermission, WatchedChain
from zcash.node import NodeUnavailable, WalletPort, WrongChain, connect, disconnect
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode

pytestmark = pytest.mark.django_db

USER, PASSWORD = "paygo", "only-for-tests"


@pytest.fixture(scope="module")
def simnode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimNode]:
    with SimNode(datadir=tmp_path_factory.mktemp("node"), user=USER, password=PASSWORD) as running:
        yield running


@pytest.fixture
def wallet(simnode: SimNode, settings: Settings) -> Iterator[WalletPort]:
    settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD = USER, PASSWORD
    settings.ZCASH_RPC_URL, settings.ZCASH_RPC_COOKIE_FILE = simnode.url, ""
    settings.ZCASH_MIN_CONFIRMATIONS = 3
    yield connect()
    disconnect()


@pytest.fixture
def chain(simnode: SimNode, wallet: WalletPort) -> Iterator[RpcClient]:
    """The node as the rest of the world moves it; it begins with a new block."""
    with closing(RpcClient(simnode.url, user=USER, password=PASSWORD)) as client:
        client.call("generate", 1)
        yield client


@pytest.fixture
def vera() -> User:
    return make_client()


def create(client: User, wallet: WalletPort, *, now: datetime = NOW, days: int = 30) -> SpendingPermission:
    request = permissions.Request("tmWallet", 10 * ZEC, 1 * ZEC, days)
    return permissions.create(request, client_id=client.pk, wallet=wallet, now=now)


def state(permission: SpendingPermission) -> tuple[str, int]:
    permission.refresh_from_db()
    return permission.status, permission.credited_zat


def kinds() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


def test_finds_a_payment_that_nobody_asks_to_verify(vera: User, wallet: WalletPort, chain: RpcClient) -> None:
    permission = create(vera, wallet)
    chain.call("sim_pay", permission.payment_address, 10)
    chain.call("generate", 3)

    assert funding.scan_and_credit(wallet=wallet, read_clock=lambda: after(seconds=15)) == 1

    assert state(permission) == ("active", 10 * ZEC)
    assert kinds() == ["permission.created", "deposit.seen", "deposit.confirmed", "permission.activated"]


def test_credits_with_the_last_confirmation_and_not_before(
    vera: User, wallet: WalletPort, chain: RpcClient
) -> None:
    permission = create(vera, wallet)
    chain.call("sim_pay", permission.payment_address, 10)

    told = []
    for _ in range(3):
        chain.call("generate", 1)
        funding.scan_and_credit(wallet=wallet, read_clock=lambda: NOW)
        told.append((Deposit.objects.get().confirmations, state(permission)[0]))

    assert told == [(1, "pending"), (2, "pending"), (3, "active")]


def test_sees_a_payment_in_the_mempool_without_crediting_it(
    vera: User, wallet: WalletPort, chain: RpcClient
) -> None:
    permission = create(vera, wallet)
    chain.call("sim_pay", permission.payment_address, 4)

    found = watch.scan(wallet=wallet, now=NOW)

    deposit = Deposit.objects.get()
    assert found.new_deposits == 1
    assert (deposit.amount_zat, deposit.confirmations, deposit.height, deposit.status) == (
        4 * ZEC,
        0,
        None,
        "seen",
    )
    assert funding.credit_confirmed(now=NOW) == 0
    assert state(permission) == ("pending", 0)


def test_looks_at_the_addresses_once_for_each_block(vera: User, wallet: WalletPort, chain: RpcClient) -> None:
    create(vera, wallet)

    looked = [watch.scan(wallet=wallet, now=after(seconds=n)).addresses for n in range(3)]
    chain.call("generate", 1)
    looked.append(watch.scan(wallet=wallet, now=after(seconds=3)).addresses)

    row = WatchedChain.objects.get()
    assert looked == [1, 0, 0, 1]
    assert row.asked_at == row.scanned_at == after(seconds=3)


def test_a_look_without_news_changes_nothing(vera: User, wallet: WalletPort, chain: RpcClient) -> None:
    permission = create(vera, wallet)
    chain.call("sim_pay", permission.payment_address, 10)
    chain.call("generate", 3)
    looks = [watch.look(permission, wallet=wallet, now=after(seconds=n)) for n in range(2)]
    funding.credit(permission.pk, now=NOW)
    before = Deposit.objects.values().get()

    looks.append(watch.look(permission, wallet=wallet, now=after(seconds=9)))

    assert looks == [1, 0, 0]
    assert Deposit.objects.values().get() == before
    assert kinds().count("deposit.seen") == 1


def test_verifies_without_waiting_for_a_new_block(vera: User, wallet: WalletPort, chain: RpcClient) -> None:
    permission = create(vera, wallet)
    watch.scan(wallet=wallet, now=NOW)
    chain.call("sim_pay", permission.payment_address, 10)

    funding.verify(client_id=vera.pk, public_id=permission.public_id, wallet=wallet, read_clock=lambda: NOW)
    payment = funding.payment_of(permission)
    chain.call("generate", 3)
    verified = funding.verify(
        client_id=vera.pk, public_id=permission.public_id, wallet=wallet, read_clock=lambda: NOW
    )

    assert (payment.received_zat, payment.confirmed_zat, payment.confirmations) == (10 * ZEC, 0, 0)
    assert verified.status == "active"


def test_a_watcher_that_dies_starts_its_pass_again(
    vera: User, wallet: WalletPort, chain: RpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = create(vera, wallet), create(vera, wallet)
    look = watch._look

    def die_at_the_second(permission: SpendingPermission, this: watch._Pass) -> int:
        if permission.pk == second.pk:
            raise SystemExit
        return look(permission, this)

    monkeypatch.setattr(watch, "_look", die_at_the_second)
    with pytest.raises(SystemExit):
        watch.scan(wallet=wallet, now=NOW)
    monkeypatch.setattr(watch, "_look", look)

    assert WatchedChain.objects.get().scanned_at is None
    assert watch.scan(wallet=wallet, now=NOW).addresses == 2
    assert state(first)[0] == "pending"


def test_pins_the_chain_at_first_sight(vera: User, wallet: WalletPort, chain: RpcClient) -> None:
    watch.scan(wallet=wallet, now=NOW)

    row = WatchedChain.objects.get()
    assert (row.network, row.genesis_hash) == ("regtest", chain.call("getblockhash", 0))


def test_refuses_another_chain_and_credits_nothing_from_it(
    vera: User, wallet: WalletPort, chain: RpcClient
) -> None:
    permission = create(vera, wallet)
    WatchedChain.objects.update_or_create(
        pk=1, defaults={"network": "regtest", "genesis_hash": "0" * 64, "asked_at": None}
    )
    chain.call("sim_pay", permission.payment_address, 10)
    chain.call("generate", 3)

    with pytest.raises(WrongChain):
        funding.scan_and_credit(wallet=wallet, read_clock=lambda: NOW)
    with pytest.raises(WrongChain):
        funding.verify(
            client_id=vera.pk, public_id=permission.public_id, wallet=wallet, read_clock=lambda: NOW
        )

    assert not Deposit.objects.exists()
    row = WatchedChain.objects.get()
    assert (row.genesis_hash, row.asked_at) == ("0" * 64, None)


def test_refuses_a_node_on_another_network(vera: User, wallet: WalletPort, settings: Settings) -> None:
    settings.ZCASH_NETWORK = "test"

    with pytest.raises(WrongChain):
        watch.scan(wallet=wallet, now=NOW)

    assert not WatchedChain.objects.exists()


def test_without_a_node_credits_what_was_recorded_before_and_nothing_else(
    vera: User, wallet: WalletPort, settings: Settings, tmp_path: Path
) -> None:
    recorded, unseen = make_unpaid(vera), make_unpaid(vera, wallet="other")
    see_deposit(recorded, amount=10 * ZEC)
    with SimNode(datadir=tmp_path, user=USER, password=PASSWORD) as gone:
        settings.ZCASH_RPC_URL = gone.url

    with pytest.raises(NodeUnavailable):
        funding.scan_and_credit(wallet=connect(), read_clock=lambda: NOW)

    assert state(recorded) == ("active", 10 * ZEC)
    assert state(unseen) == ("pending", 0)
    assert rounds.deposit_round() is None
    assert not WatchedChain.objects.exists()


def test_a_payment_that_is_gone_from_the_chain_loses_its_confirmations(
    vera: User, wallet: WalletPort, chain: RpcClient
) -> None:
    permission = create(vera, wallet)
    lost = see_deposit(permission, amount=10 * ZEC, confirmations=2)

    watch.scan(wallet=wallet, now=NOW)

    lost.refresh_from_db()
    assert (lost.confirmations, lost.height, lost.block_hash, lost.status) == (0, None, None, "seen")


@pytest.mark.parametrize(
    ("days_closed", "gap", "looked"),
    [
        (1, timedelta(minutes=59), 0),
        (1, timedelta(minutes=60), 1),
        (29, timedelta(hours=1), 1),
        (31, timedelta(hours=1), 0),
        (31, timedelta(hours=24), 1),
        (400, timedelta(hours=24), 1),
    ],
)
def test_looks_at_closed_permissions_hourly_then_daily(
    vera: User, wallet: WalletPort, chain: RpcClient, days_closed: int, gap: timedelta, looked: int
) -> None:
    create(vera, wallet)
    SpendingPermission.objects.update(status="lapsed", closed_at=NOW - timedelta(days=days_closed))
    watch.scan(wallet=wallet, now=NOW)
    chain.call("generate", 1)

    assert watch.scan(wallet=wallet, now=NOW + gap).addresses == looked


def test_late_money_for_a_closed_permission_is_found_and_kept(
    vera: User, wallet: WalletPort, chain: RpcClient
) -> None:
    permission = create(vera, wallet, days=1)
    watch.scan(wallet=wallet, now=NOW)
    expiry.run(now=after(hours=24))
    assert state(permission)[0] == "lapsed"
    chain.call("sim_pay", permission.payment_address, 10)
    chain.call("generate", 3)

    credited = funding.scan_and_credit(wallet=wallet, read_clock=lambda: after(hours=25))

    assert credited == 1
    assert state(permission) == ("lapsed", 10 * ZEC)


def test_a_payment_made_within_the_window_but_mined_after_it_is_not_too_late(
    vera: User, wallet: WalletPort, chain: RpcClient
) -> None:
    permission = create(vera, wallet)
    watch.scan(wallet=wallet, now=after(hours=23.9))
    chain.call("sim_pay", permission.payment_address, 10)

    # The tip is the same: this pass asks the node and looks at no address.
    watch.scan(wallet=wallet, now=after(hours=24.1))
    expiry.run(now=after(hours=24.1))
    chain.call("generate", 3)
    funding.scan_and_credit(wallet=wallet, read_clock=lambda: after(hours=24.2))

    assert state(permission)[0] == "active"


def test_what_could_not_be_read_does_not_lapse(
    vera: User, wallet: WalletPort, chain: RpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    unread, read = create(vera, wallet), create(vera, wallet)
    look = watch._look

    def fail_at_the_first(permission: SpendingPermission, this: watch._Pass) -> int:
        if permission.pk == unread.pk:
            raise NodeUnavailable("this receipt cannot be understood")
        return look(permission, this)

    monkeypatch.setattr(watch, "_look", fail_at_the_first)
    watch.scan(wallet=wallet, now=after(hours=24.1))

    expiry.run(now=after(hours=24.1))

    assert (state(unread)[0], state(read)[0]) == ("pending", "lapsed")
