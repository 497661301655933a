"""Deposits from the chain to the permission, in every odd case, on both wallets over HTTP."""

import pytest
from pytest_django.fixtures import Settings

from billing import engine, expiry, funding, live
from core import db
from core.models import User
from tests.factories import NOW, ZEC, after, make_permission, see_deposit, stream
from tests.integration.nodes import DEPTH, World, actions, deposits, kinds, money, on_zallet, state
from zcash import deposits as zcash_deposits
from zcash.errors import WrongDepositState
from zcash.models import Deposit, SpendingPermission

pytestmark = pytest.mark.django_db


class TestAmounts:
    @pytest.mark.parametrize(
        ("amounts", "status"),
        [
            ([10 * ZEC - 1], "pending"),
            ([10 * ZEC], "active"),
            ([25 * ZEC], "active"),
            ([4 * ZEC, 5 * ZEC], "pending"),
            ([4 * ZEC, 6 * ZEC], "active"),
            ([1], "pending"),
            ([10 * ZEC - 1, 1], "active"),
        ],
    )
    def test_adds_up_what_arrives(self, vera: User, node: World, amounts: list[int], status: str) -> None:
        permission = node.create(vera)
        for amount in amounts:
            node.pay(permission, amount)
        node.mine(DEPTH)

        credited = node.scan()

        assert credited == 1
        assert state(permission) == (status, sum(amounts))
        assert funding.payment_of(permission).missing_zat == max(0, 10 * ZEC - sum(amounts))
        assert actions(permission, of=["credited"]) == ["credited"] * len(amounts)

    def test_each_part_is_credited_at_its_own_depth(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.pay(permission, 4 * ZEC)
        node.mine(2)
        node.pay(permission, 6 * ZEC)

        told = []
        for _ in range(3):
            node.mine()
            node.scan()
            told.append(state(permission))

        assert told == [("pending", 4 * ZEC), ("pending", 4 * ZEC), ("active", 10 * ZEC)]

    def test_a_top_up_moves_the_running_sessions_depletion(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera, requested=1 * ZEC)
        started = node.now
        code = stream(vera, wallet="tmAlice", now=started)
        before = live.of_session(code, client_id=vera.pk, now=started)
        node.pay(permission, 1 * ZEC)
        node.mine(DEPTH)

        node.scan(at=after(hours=0.5))

        later = live.of_session(code, client_id=vera.pk, now=node.now)
        assert before.depletes_at == started + (after(hours=1) - NOW)
        assert later.depletes_at == started + (after(hours=2) - NOW)
        record = engine.end(code, client_id=vera.pk, now=after(hours=9))
        assert (record.amount_zat, record.session.ended_at) == (2 * ZEC, later.depletes_at)

    def test_dust_revives_a_used_up_permission_for_as_long_as_it_pays(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera, requested=1 * ZEC)
        stream(vera, wallet="tmAlice", now=node.now)
        node.now = after(hours=2)
        expiry.bring_current(permission.pk, now=node.now)
        node.pay(permission, 1)
        node.mine(DEPTH)

        node.scan()

        assert money(permission) == ("active", 1, 0)


class TestOneTransaction:
    def test_two_outputs_to_one_permission_are_two_deposits(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.pay_together((permission, 4 * ZEC), (permission, 6 * ZEC))
        node.mine(DEPTH)

        node.scan()
        node.scans()

        assert state(permission) == ("active", 10 * ZEC)
        assert [status for status, _ in deposits(permission)] == ["confirmed", "confirmed"]

    def test_two_outputs_of_the_same_amount_are_not_taken_for_one(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.pay_together((permission, 5 * ZEC), (permission, 5 * ZEC))
        node.mine(DEPTH)

        node.scan()

        assert state(permission) == ("active", 10 * ZEC)

    def test_outputs_to_two_permissions_are_credited_each_to_its_own(self, vera: User, node: World) -> None:
        first, second = node.create(vera), node.create(vera)
        node.pay_together((second, 10 * ZEC), (first, 11 * ZEC), (second, 1))
        node.mine(DEPTH)

        assert node.scan() == 2
        node.scans()

        assert {state(first)[1], state(second)[1]} == {11 * ZEC, 10 * ZEC + 1}
        assert {state(first)[0], state(second)[0]} == {"active", "queued"}

    def test_verifying_one_of_them_leaves_the_other_to_its_own_look(self, vera: User, node: World) -> None:
        first, second = node.create(vera), node.create(vera, wallet="tmBob")
        node.pay_together((first, 10 * ZEC), (second, 10 * ZEC))
        node.mine(DEPTH)

        node.verify(first)

        assert (state(first), deposits(second)) == (("active", 10 * ZEC), [])
        node.scan()
        assert state(second) == ("active", 10 * ZEC)


class TestLateMoney:
    def test_after_the_window_it_is_kept_and_due_for_a_refund(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.scan(at=after(hours=24, seconds=1))
        expiry.run(now=node.now)
        node.pay(permission, 10 * ZEC)
        node.mine(DEPTH)

        node.scan(at=after(hours=25.1))

        assert money(permission) == ("lapsed", 10 * ZEC, 0)
        assert permission.refund_due

    def test_money_that_came_in_time_and_is_too_little_is_due_too(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.pay(permission, 4 * ZEC)
        node.mine(DEPTH)
        node.scan()
        node.mine()

        node.scan(at=after(hours=24, seconds=1))
        expiry.run(now=node.now)

        assert money(permission) == ("lapsed", 4 * ZEC, 0)
        assert permission.refund_due

    @pytest.mark.parametrize("end", ["expired", "revoked"])
    def test_after_an_end_it_is_kept_and_due_for_a_refund(self, vera: User, node: World, end: str) -> None:
        permission = node.create_paid(vera, days=1)
        if end == "revoked":
            funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=node.now, actor="tests")
        SpendingPermission.objects.update(refund_due=False)
        node.pay(permission, 1 * ZEC)
        node.mine(DEPTH)

        node.scan(at=after(hours=24.5))
        node.scans()

        assert money(permission) == (end, 11 * ZEC, 0)
        assert permission.refund_due

    def test_is_followed_to_its_depth_block_by_block(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.scan(at=after(hours=24, seconds=1))
        expiry.run(now=node.now)
        node.pay(permission, 10 * ZEC)
        node.mine()
        node.scan(at=after(hours=25.1))
        assert deposits(permission) == [("seen", 1)]
        node.mine(DEPTH - 1)

        assert node.scan() == 1


class TestWindow:
    def test_is_judged_by_first_sight_and_not_by_the_depth(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.pay(permission, 10 * ZEC)
        node.mine()
        node.scan(at=after(hours=24, seconds=-1))

        node.mine()
        node.scan(at=after(hours=24, seconds=60))
        expiry.run(now=node.now)
        assert state(permission)[0] == "pending"
        node.mine()
        node.scan()

        assert state(permission) == ("active", 10 * ZEC)

    def test_what_is_first_seen_after_it_is_late_though_it_was_sent_before_the_sweep(
        self, vera: User, node: World
    ) -> None:
        permission = node.create(vera)
        node.scan(at=after(hours=24, seconds=1))
        node.pay(permission, 10 * ZEC)
        node.mine(DEPTH)

        node.scan()

        assert state(permission) == ("lapsed", 10 * ZEC)

    @on_zallet
    def test_does_not_end_with_the_list_of_a_wallet_under_repair(
        self, vera: User, node: World, settings: Settings
    ) -> None:
        permission = node.create(vera)
        node.scan(at=after(hours=23))
        node.do("sim_wallet", {"locked": True})
        node.mine()
        node.scan(at=after(hours=24, seconds=1))
        node.pay(permission, 10 * ZEC)
        node.do("sim_wallet", {})
        node.mine()

        node.scan()
        node.mine(2)
        node.scan()

        assert state(permission) == ("active", 10 * ZEC)


class TestUnmined:
    def test_an_expired_payment_is_gone_and_the_permission_lapses(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        txid = node.pay(permission, 10 * ZEC)
        node.do("sim_hold", txid)
        node.mine()
        node.scan()
        assert funding.payment_of(permission).received_zat == 10 * ZEC

        node.mine(40)
        node.scan()

        assert deposits(permission) == [("gone", 0)]
        assert funding.payment_of(permission).missing_zat == 10 * ZEC
        node.mine()
        node.scan(at=after(hours=24, seconds=1))
        expiry.run(now=node.now)
        assert money(permission) == ("lapsed", 0, 0)
        assert kinds(of=["deposit.seen", "deposit.gone", "permission.lapsed"]) == [
            "deposit.seen",
            "deposit.gone",
            "permission.lapsed",
        ]

    def test_an_expired_payment_that_kept_a_permission_waiting_lets_it_lapse(
        self, vera: User, node: World
    ) -> None:
        permission = node.create(vera)
        txid = node.pay(permission, 10 * ZEC)
        node.do("sim_hold", txid)
        node.mine()
        node.scan(at=after(hours=23.9))
        node.mine()
        node.scan(at=after(hours=24.1))
        expiry.run(now=node.now)
        assert state(permission)[0] == "pending"

        node.mine(40)
        node.scan()
        expiry.run(now=node.now)

        assert state(permission)[0] == "lapsed"

    def test_a_replaced_payment_is_gone_at_the_latest_when_it_expires(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        txid = node.pay(permission, 10 * ZEC)
        node.mine(0)
        node.verify(permission)
        other = node.create(vera, wallet="tmBob")
        node.do("sim_replace", txid, other.payment_address, "10")

        node.mine(DEPTH)
        node.scan()
        at_once = deposits(permission)
        node.mine(40)
        node.scan()

        # zallet does not tell a replaced payment from one that waits.
        assert at_once == ([("gone", 0)] if node.dialect == "zcashd" else [("seen", 0)])
        assert deposits(permission) == [("gone", 0)]
        assert state(permission) == ("pending", 0)
        assert state(other) == ("active", 10 * ZEC)

    def test_a_payment_that_was_given_up_and_is_mined_after_all_is_credited(
        self, vera: User, node: World
    ) -> None:
        permission = node.create(vera)
        node.pay(permission, 10 * ZEC)
        node.verify(permission)
        deposit = Deposit.objects.get()
        zcash_deposits.give_up(deposit, permission=permission, now=node.now)
        assert deposits(permission) == [("gone", 0)]

        node.mine()
        node.scan()
        seen = deposits(permission)
        node.mine(DEPTH - 1)
        node.scan()

        assert (seen, state(permission)) == ([("seen", 1)], ("active", 10 * ZEC))

    def test_a_mined_deposit_cannot_be_given_up(self, vera: User, node: World) -> None:
        permission = node.create(vera)
        node.pay(permission, 10 * ZEC)
        node.verify(permission)
        stale = Deposit.objects.get()
        node.mine()
        node.scan()

        zcash_deposits.give_up(stale, permission=permission, now=node.now)

        assert deposits(permission) == [("seen", 1)]
        assert kinds(of=["deposit.gone"]) == []


class TestGuards:
    def test_a_credited_deposit_is_not_credited_again(self, vera: User) -> None:
        permission = make_permission(vera)
        stale = see_deposit(permission, amount=10 * ZEC)
        funding.credit(permission.pk, now=NOW)

        with db.operation(), pytest.raises(WrongDepositState):
            zcash_deposits.mark_credited(stale, permission=permission, now=NOW)

    def test_a_deposit_that_is_not_credited_is_not_reversed(self, vera: User) -> None:
        permission = make_permission(vera)
        stale = see_deposit(permission, amount=10 * ZEC)

        with db.operation(), pytest.raises(WrongDepositState):
            zcash_deposits.mark_reversed(stale, permission=permission, now=NOW)

    def test_a_credited_deposit_is_not_given_up(self, vera: User) -> None:
        permission = make_permission(vera)
        stale = see_deposit(permission, amount=10 * ZEC)
        funding.credit(permission.pk, now=NOW)

        zcash_deposits.give_up(stale, permission=permission, now=NOW)

        assert deposits(permission) == [("confirmed", 10)]
