"""Money at addresses of no permission: shown where the wallet lists it, credited to nobody."""

from dataclasses import replace

import pytest

from billing import operators, resolutions
from core import db
from core.errors import Conflict
from core.models import User
from tests.factories import ZEC, make_permission
from tests.integration.nodes import World, on_zallet, state
from zcash import unmatched
from zcash.models import Deposit, SpendingPermission
from zcash.node import IndexUnusable
from zcash.node.port import NodeNotReady, OperationStatus, Payment, PrivacyPolicy
from zcash.unmatched_models import UnmatchedDeposit

# As deep as either wallet lets others' money lie before it spends it.
SPENDABLE = 11


def by_hand(node: World, *, start: int = 2**61) -> str:
    """Return an address of the account that belongs to no permission."""
    for index in range(start, start + 64):
        try:
            return node.wallet.new_address(index).address
        except IndexUnusable:
            continue
    raise AssertionError("64 indices in a row without an address")


def pay(node: World, address: str, amount: str = "1") -> str:
    return str(node.do("sim_pay", address, amount))


def shown() -> list[tuple[str, int, int | None]]:
    """Return (txid, zatoshis, height) of what waits, in the order of its queue."""
    return list(UnmatchedDeposit.objects.waiting().values_list("txid", "amount_zat", "height"))


def tip(node: World) -> int:
    return node.wallet.status().height


@pytest.fixture
def pinned(node: World) -> World:
    """A node whose chain this service has seen already."""
    node.scan()
    return node


def test_shows_what_an_address_of_no_permission_receives_where_the_wallet_lists_it(
    vera: User, pinned: World
) -> None:
    permission = pinned.create_paid(vera)
    address = by_hand(pinned)
    txid = pay(pinned, address, "0.5")

    pinned.scan()
    waiting = shown()
    pinned.mine()
    pinned.scans()

    if pinned.dialect == "zcashd":
        assert (waiting, shown()) == ([], [])
    else:
        assert waiting == [(txid, ZEC // 2, None)]
        assert shown() == [(txid, ZEC // 2, tip(pinned) - 3)]
        assert UnmatchedDeposit.objects.get().address == address
    assert state(permission) == ("active", 10 * ZEC)
    assert Deposit.objects.count() == 1


@on_zallet
def test_shows_neither_change_nor_what_the_account_pays_to_itself(pinned: World) -> None:
    source, other = by_hand(pinned), by_hand(pinned, start=2**60)
    funded = pay(pinned, source, "10")
    pinned.mine(SPENDABLE)
    pinned.scan()

    operation = pinned.wallet.send(
        [Payment(other, ZEC)], source=source, policy=PrivacyPolicy("AllowRevealedRecipients")
    )
    done = pinned.wallet.operation(operation)
    assert done is not None
    assert done.status is OperationStatus.SUCCEEDED
    pinned.scan()
    pinned.mine()
    pinned.scan()

    listed = pinned.wallet.all_receipts(since_height=0)
    assert listed is not None
    assert {(each.address, each.is_own) for each in listed} == {(source, False), (other, True)}
    assert [txid for txid, _, _ in shown()] == [funded]


@on_zallet
def test_shows_nothing_that_was_mined_before_the_first_start(node: World) -> None:
    pay(node, by_hand(node))
    node.mine()

    node.scans()

    assert shown() == []


@on_zallet
def test_follows_an_output_through_a_reorg(pinned: World) -> None:
    txid = pay(pinned, by_hand(pinned))
    pinned.mine()
    pinned.scan()
    mined_at = tip(pinned)

    pinned.do("sim_reorg", 1)
    pinned.scan()
    back_in_the_mempool = shown()
    pinned.mine()
    pinned.scan()

    assert back_in_the_mempool == [(txid, ZEC, None)]
    assert shown() == [(txid, ZEC, tip(pinned))]
    assert tip(pinned) > mined_at


@on_zallet
def test_drops_what_can_never_be_mined_any_more(pinned: World) -> None:
    txid = pay(pinned, by_hand(pinned))
    pinned.mine()
    pinned.scan()
    pinned.do("sim_reorg", 1, [txid])
    pinned.mine(40)

    pinned.scan()

    assert not UnmatchedDeposit.objects.exists()


@on_zallet
def test_that_a_wallet_does_not_list_it_drops_nothing(pinned: World, operator: User) -> None:
    done, waits = (pay(pinned, by_hand(pinned)) for _ in range(2))
    pinned.mine()
    pinned.scan()
    resolve(UnmatchedDeposit.objects.get(txid=done), operator, pinned)

    for _ in range(3):
        unmatched.record([], wallet=pinned.wallet, since_height=0, above_height=0, now=pinned.now)
    pinned.scans()

    assert [txid for txid, _, _ in shown()] == [waits]
    assert UnmatchedDeposit.objects.count() == 2


@on_zallet
def test_a_wallet_that_knows_nothing_of_it_drops_nothing(pinned: World) -> None:
    unknown = UnmatchedDeposit.objects.create(
        txid="a" * 64, pool="orchard", output_index=0, address="x", amount_zat=1, first_seen_at=pinned.now
    )
    assert pinned.wallet.transaction(unknown.txid) is None

    pinned.scan()

    assert shown() == [(unknown.txid, 1, None)]


@on_zallet
def test_drops_what_the_wallet_comes_to_know_as_its_own(pinned: World) -> None:
    own, others = (pay(pinned, by_hand(pinned)) for _ in range(2))
    pinned.scan()
    listed = pinned.wallet.all_receipts(since_height=0)
    assert listed is not None

    # As after its restore, when it has found what paid for it.
    known = [replace(each, is_own=each.txid == own) for each in listed]
    unmatched.record(known, wallet=pinned.wallet, since_height=0, above_height=0, now=pinned.now)

    assert [txid for txid, _, _ in shown()] == [others]


@on_zallet
def test_a_wallet_that_rescans_drops_nothing(pinned: World) -> None:
    waits = pay(pinned, by_hand(pinned))
    pinned.mine()
    pinned.scan()

    pinned.do("sim_wallet", {"blank": True})
    pinned.scan()
    pinned.mine(3)
    with pytest.raises(NodeNotReady):
        pinned.scan()
    pinned.do("sim_wallet", {})
    pinned.scans()

    assert [txid for txid, _, _ in shown()] == [waits]


@on_zallet
def test_keeps_what_lies_deeper_than_the_list_reaches(pinned: World) -> None:
    txid = pay(pinned, by_hand(pinned))
    pinned.mine()
    pinned.scan()
    mined_at = tip(pinned)
    pinned.mine(130)
    pinned.scans(2)

    assert shown() == [(txid, ZEC, mined_at)]


@on_zallet
def test_what_gets_a_permission_is_recorded_as_its_deposit_and_shown_no_longer(
    vera: User, pinned: World
) -> None:
    address = by_hand(pinned)
    pay(pinned, address, "10")
    pinned.mine()
    pinned.scan()
    assert len(shown()) == 1
    permission = make_permission(vera)
    SpendingPermission.objects.filter(pk=permission.pk).update(payment_address=address)

    pinned.scan()
    pinned.mine(3)
    pinned.scan()

    assert not UnmatchedDeposit.objects.exists()
    assert state(permission) == ("active", 10 * ZEC)


@on_zallet
def test_shows_nothing_at_an_address_of_a_permission_that_waits_to_be_recorded(
    vera: User, pinned: World
) -> None:
    permission = pinned.create(vera)
    pinned.pay(permission, 10 * ZEC)

    record(pinned)

    assert shown() == []


@on_zallet
def test_shows_nothing_that_is_recorded_whatever_its_address_is_called(vera: User, pinned: World) -> None:
    permission = pinned.create_paid(vera)
    SpendingPermission.objects.filter(pk=permission.pk).update(payment_address=by_hand(pinned))

    record(pinned)

    assert shown() == []


def record(node: World) -> None:
    """Show what is unmatched, before the pass that records deposits."""
    listed = node.wallet.all_receipts(since_height=0)
    assert listed
    unmatched.record(listed, wallet=node.wallet, since_height=0, above_height=0, now=node.now)


@on_zallet
def test_dust_never_keeps_money_out(pinned: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unmatched, "MOST_WAITING", 3)
    address = by_hand(pinned)

    waiting = []
    for amounts in (("0.1", "0.5", "0.2", "0.4"), ("0.3",), ("0.6",), ("0.1",)):
        for amount in amounts:
            pay(pinned, address, amount)
        pinned.scan()
        waiting.append([amount * 10 // ZEC for _, amount, _ in shown()])

    assert waiting == [[5, 4, 2], [5, 4, 3], [6, 5, 4], [6, 5, 4]]


@on_zallet
def test_what_finds_no_room_is_shown_when_there_is_some(
    pinned: World, monkeypatch: pytest.MonkeyPatch, operator: User
) -> None:
    monkeypatch.setattr(unmatched, "MOST_WAITING", 2)
    for _ in range(3):
        pay(pinned, by_hand(pinned))
    pinned.scans(1)
    before = {pk for (pk,) in UnmatchedDeposit.objects.values_list("pk")}

    pinned.scan()
    unchanged = {pk for (pk,) in UnmatchedDeposit.objects.values_list("pk")}
    resolve(UnmatchedDeposit.objects.earliest("id"), operator, pinned)
    pinned.scan()

    assert (len(before), unchanged) == (2, before)
    assert (len(shown()), UnmatchedDeposit.objects.count()) == (2, 3)


@on_zallet
def test_what_was_resolved_stays_so(pinned: World, operator: User) -> None:
    pay(pinned, by_hand(pinned))
    pinned.scan()
    row = UnmatchedDeposit.objects.get()

    resolve(row, operator, pinned)
    pinned.scans()

    assert shown() == []
    assert UnmatchedDeposit.objects.get().pk == row.pk
    with pytest.raises(Conflict):
        resolve(row, operator, pinned)


@on_zallet
def test_a_wallet_that_repairs_its_view_neither_adds_nor_drops(pinned: World) -> None:
    txid = pay(pinned, by_hand(pinned))
    pinned.scan()
    pinned.do("sim_wallet", {"locked": True})
    pay(pinned, by_hand(pinned))

    pinned.scan()

    assert [each for each, _, _ in shown()] == [txid]


@on_zallet
def test_that_it_cannot_be_written_costs_no_credit(vera: User, pinned: World) -> None:
    permission = pinned.create(vera)
    db.execute("ALTER TABLE zcash_unmatched RENAME TO zcash_elsewhere")
    pay(pinned, by_hand(pinned))
    pinned.pay(permission, 10 * ZEC)
    pinned.mine(3)

    pinned.scan()

    assert state(permission) == ("active", 10 * ZEC)
    db.execute("ALTER TABLE zcash_elsewhere RENAME TO zcash_unmatched")


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_superuser("otto")


def resolve(row: UnmatchedDeposit, operator: User, node: World) -> None:
    word = operators.word(operator_id=operator.pk, name="otto", reason="our own float")
    resolutions.resolve_unmatched(row.pk, word=word, now=node.now)
