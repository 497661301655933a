"""What a reversal does to money, permissions and sessions, and when so many at once are stopped."""

import io
from datetime import datetime
from importlib import import_module
from typing import Any

import pytest
import structlog
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from billing import expiry, funding, live, refunds, reversals
from billing.models import Refund
from billing.operator_models import OperatorAction
from billing.operators import Word
from core import clock
from core.models import Event, User
from paygo import health
from sessions_app.models import StreamingSession
from tests.factories import ALICE, ZEC, after, stream
from tests.integration.nodes import DEPTH, World, actions, kinds, money, state
from zcash import reorgs, watch
from zcash.errors import WrongPermissionState
from zcash.models import Deposit, SpendingPermission, WatchedChain
from zcash.node.port import NodeUnavailable

pytestmark = pytest.mark.django_db

WALLET = "tmAlice"


def lose(node: World, permission: SpendingPermission, *, depth: int = DEPTH) -> None:
    """Let all of a permission's deposits leave the chain for good, and a pass see it."""
    txids = Deposit.objects.filter(permission=permission).values_list("txid", flat=True).distinct()
    node.do("sim_reorg", depth, list(txids))
    node.scan()


def reorg_and_return(node: World, *, depth: int = DEPTH) -> None:
    """Let the last blocks leave, a pass see it, and their payments be mined deep enough again."""
    node.do("sim_reorg", depth)
    node.scan()
    node.mine(DEPTH)
    node.scan()


def ended() -> list[tuple[str, datetime | None]]:
    return list(StreamingSession.objects.order_by("id").values_list("end_reason", "ended_at"))


class TestSessions:
    def test_end_at_the_reversal_and_the_next_permission_takes_over(self, vera: User, node: World) -> None:
        queued = node.create(vera)
        active = node.create_paid(vera)
        stream(vera, wallet=WALLET, now=node.now)
        node.pay(queued, 10 * ZEC)
        node.mine(DEPTH)
        node.scan()
        started = node.now

        txid = Deposit.objects.get(permission=active).txid
        node.do("sim_reorg", 2 * DEPTH, [txid])
        node.mine(1)
        node.scan(at=after(hours=1))

        assert ended() == [("permission_suspended", after(hours=1))]
        assert state(active) == ("suspended", 0)
        assert (state(queued), queued.activated_at) == (("active", 10 * ZEC), after(hours=1))
        assert started < after(hours=1)

    def test_run_on_where_what_is_left_is_still_what_was_asked_for(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera, requested=2 * ZEC)
        started = node.now
        code = stream(vera, wallet=WALLET, now=started)
        top_up = node.pay(permission, 3 * ZEC)
        node.mine(DEPTH)
        node.scan()
        before = live.of_session(code, client_id=vera.pk, now=node.now)

        node.do("sim_reorg", DEPTH, [top_up])
        node.scan()

        later = live.of_session(code, client_id=vera.pk, now=node.now)
        assert before.depletes_at == started + (after(hours=5) - after())
        assert later.depletes_at == later.granted_until == started + (after(hours=2) - after())
        assert state(permission) == ("active", 2 * ZEC)
        assert kinds(of=["session.grant_changed", "session.ended"]) == ["session.grant_changed"]

    def test_are_told_of_what_the_queue_behind_them_has_lost(self, vera: User, node: World) -> None:
        node.create_paid(vera, requested=1 * ZEC)
        stream(vera, wallet=WALLET, now=node.now)
        queued = node.create_paid(vera, requested=1 * ZEC)

        lose(node, queued)

        assert state(queued) == ("suspended", 0)
        assert kinds(of=["session.grant_changed", "session.ended"]) == ["session.grant_changed"]

    def test_end_exhausted_where_all_that_is_left_was_used(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera, requested=1 * ZEC)
        stream(vera, wallet=WALLET, now=node.now)
        top_up = node.pay(permission, 3 * ZEC)
        node.mine(DEPTH)
        node.scan()

        node.do("sim_reorg", DEPTH, [top_up])
        node.scan(at=after(hours=3))

        assert [reason for reason, _ in ended()] == ["exhausted"]
        assert (money(permission)[:2], permission.shortfall_zat > 0) == (("exhausted", 0), True)

    def test_find_nothing_to_roll_over_to_where_the_whole_wallet_lost_its_money(
        self, vera: User, node: World
    ) -> None:
        first, second = node.create(vera), node.create(vera)
        txid = node.pay_together((first, 10 * ZEC), (second, 10 * ZEC))
        node.mine(DEPTH)
        node.scan()
        stream(vera, wallet=WALLET, now=node.now)

        node.do("sim_reorg", DEPTH, [txid])
        node.scan()

        assert (state(first), state(second)) == (("suspended", 0), ("suspended", 0))
        assert [reason for reason, _ in ended()] == ["permission_suspended"]


class TestShortfall:
    def test_what_was_streamed_is_a_loss_until_the_payment_comes_back(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        started = node.now
        stream(vera, wallet=WALLET, now=started)
        node.do("sim_reorg", DEPTH)
        with structlog.testing.capture_logs() as logs:
            node.scan(at=started + (after(hours=4) - after()))
        assert money(permission) == ("suspended", 0, 4 * ZEC)
        assert [(each["event"], each["amount"]) for each in logs if each["log_level"] == "error"] == [
            ("platform_loss", "4")
        ]

        node.mine(DEPTH)
        node.scan()

        assert money(permission) == ("active", 6 * ZEC, 0)

    def test_an_exhausted_one_stays_so_and_only_repays(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        stream(vera, wallet=WALLET, now=node.now)
        expiry.bring_current(permission.pk, now=after(hours=11))
        node.now = after(hours=11)
        assert money(permission) == ("exhausted", 0, 0)

        node.do("sim_reorg", DEPTH)
        node.scan()
        lost = money(permission)
        node.mine(DEPTH)
        node.scan()

        assert (lost, money(permission)) == (("exhausted", 0, 10 * ZEC), ("exhausted", 0, 0))

    def test_other_money_repays_it_and_lifts_the_suspension(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        started = node.now
        stream(vera, wallet=WALLET, now=started)
        node.do("sim_reorg", DEPTH, [Deposit.objects.get().txid])
        node.scan(at=started + (after(hours=4) - after()))
        node.pay(permission, 9 * ZEC)
        node.mine(DEPTH)
        node.scan()
        assert money(permission) == ("suspended", 5 * ZEC, 0)

        node.pay(permission, 1 * ZEC)
        node.mine(DEPTH)
        node.scan()

        assert money(permission) == ("active", 6 * ZEC, 0)

    def test_money_that_only_repays_lifts_it_to_exhausted(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera, 12 * ZEC)
        started = node.now
        stream(vera, wallet=WALLET, now=started)
        node.do("sim_reorg", DEPTH, [Deposit.objects.get().txid])
        node.scan(at=started + (after(hours=10) - after()))
        assert money(permission) == ("suspended", 0, 10 * ZEC)

        node.pay(permission, 10 * ZEC)
        node.mine(DEPTH)
        node.scan()

        assert money(permission) == ("exhausted", 0, 0)

    def test_a_lifted_one_queues_behind_what_became_active_meanwhile(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        node.do("sim_reorg", DEPTH)
        node.scan()
        other = node.create(vera)
        node.pay(other, 10 * ZEC)
        node.do("sim_hold", Deposit.objects.get(permission=permission).txid)
        node.mine(DEPTH)
        node.scan()
        assert (state(permission)[0], state(other)[0]) == ("suspended", "active")

        node.do("sim_release", Deposit.objects.get(permission=permission).txid)
        node.mine(DEPTH)
        node.scan()

        assert state(permission) == ("queued", 10 * ZEC)

    def test_a_part_that_was_credited_before_the_rest_came_is_taken_back(
        self, vera: User, node: World
    ) -> None:
        permission = node.create_paid(vera, 4 * ZEC)
        assert money(permission) == ("pending", 4 * ZEC, 0)

        lose(node, permission)

        assert money(permission) == ("pending", 0, 0)


class TestEnded:
    def test_what_an_ended_one_has_left_is_taken_back(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=node.now, actor="tests")

        lose(node, permission)

        assert money(permission) == ("revoked", 0, 0)
        refunds.queue_due(now=node.now)
        assert not Refund.objects.exists()

    def test_a_refund_that_waits_is_not_paid_from_others_money(
        self, vera: User, node: World, settings: Settings
    ) -> None:
        settings.REFUND_CONFIRMATIONS = DEPTH + 1
        service = node.create(vera, wallet="service")
        settings.ZCASH_SERVICE_WALLET = service.payment_address
        node.pay(service, 50 * ZEC)
        node.mine(20)
        permission = node.create_paid(vera, wallet=ALICE)
        funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=node.now, actor="tests")
        assert refunds.queue_due(now=node.now) == 1
        assert refunds.send_next(wallet=node.wallet, read_clock=lambda: node.now) is None

        node.do("sim_reorg", DEPTH)
        node.scan()
        node.do("sim_hold", Deposit.objects.get(permission=permission).txid)
        node.mine(3)
        node.scan()
        assert money(permission) == ("revoked", 0, 0)
        assert Refund.objects.get().status == "cancelled"
        assert refunds.send_next(wallet=node.wallet, read_clock=lambda: node.now) is None

        node.do("sim_release", Deposit.objects.get(permission=permission).txid)
        node.mine(DEPTH + 1)
        # The address of an ended permission is looked at every hour.
        node.scan(at=after(hours=1))
        assert money(permission) == ("revoked", 10 * ZEC, 0)
        assert refunds.queue_due(now=node.now) == 1
        assert refunds.send_next(wallet=node.wallet, read_clock=lambda: node.now) is not None


class TestStop:
    def test_more_than_a_number_at_once_reverses_none_until_an_operator_says_so(
        self, vera: User, node: World, settings: Settings
    ) -> None:
        settings.MAX_REVERSALS_PER_PASS = 1
        lost = self.lose_two(vera, node)
        self.assert_stopped(node, lost)

        with pytest.raises(CommandError, match="2 wait"):
            run_command("reversals", "--apply", "--dry-run")
        assert not OperatorAction.objects.exists()
        assert run_command("reversals", "--apply").endswith("2 taken back.\nNone waits.\n")

        said = OperatorAction.objects.order_by("id")
        assert [(each.verb, each.permission_id) for each in said] == [("take_back", each.pk) for each in lost]
        # By the real clock they have expired meanwhile.
        assert [state(each) for each in lost] == [("expired", 0)] * 2
        assert not reorgs.lost().exists()
        assert health.PARTS["deposits"]()["ok"]

    def test_more_than_a_sum_at_once_reverses_none(self, vera: User, node: World, settings: Settings) -> None:
        settings.MAX_REVERSAL_AMOUNT_PER_PASS = "19.99999999"
        lost = self.lose_two(vera, node)
        self.assert_stopped(node, lost)
        settings.MAX_REVERSAL_AMOUNT_PER_PASS = "20"

        node.scan()

        assert [state(each) for each in lost] == [("suspended", 0)] * 2

    def test_a_node_that_fails_on_the_way_tells_of_no_few_at_a_time(
        self, vera: User, node: World, settings: Settings
    ) -> None:
        settings.MAX_REVERSALS_PER_PASS = 1
        method = "gettransaction" if node.dialect == "zcashd" else "z_viewtransaction"
        txids = {node.create_paid(vera, wallet=name).deposits.get().txid for name in ("tmAlice", "tmBob")}
        node.do("sim_reorg", 2 * DEPTH, list(txids))
        node.do("sim_fault", {"kind": "server_error", "method": method, "after": 1})

        with pytest.raises(NodeUnavailable):
            node.scan()
        marked = reorgs.lost().count()
        node.do("sim_fault", None)
        node.scan()

        assert (marked, reorgs.lost().count()) == (1, 2)
        assert not Deposit.objects.filter(status="reversed").exists()

    def lose_two(self, vera: User, node: World) -> list[SpendingPermission]:
        first, second = node.create(vera), node.create(vera, wallet="tmBob")
        txids = [node.pay(each, 10 * ZEC) for each in (first, second)]
        node.mine(DEPTH)
        node.scan()
        node.do("sim_reorg", DEPTH, txids)
        return [first, second]

    def test_one_payment_in_many_outputs_is_one_payment(
        self, vera: User, node: World, settings: Settings
    ) -> None:
        settings.MAX_REVERSALS_PER_PASS = 1
        permission = node.create(vera)
        txid = node.pay_together((permission, 4 * ZEC), (permission, 3 * ZEC), (permission, 3 * ZEC))
        node.mine(DEPTH)
        node.scan()
        node.do("sim_reorg", DEPTH, [txid])

        node.scan()

        assert money(permission) == ("suspended", 0, 0)

    def assert_stopped(self, node: World, lost: list[SpendingPermission]) -> None:
        with structlog.testing.capture_logs() as logs:
            node.scan()
            node.scans()
        alarms = [each for each in logs if each["event"] == "reversals_stopped"]
        assert len(alarms) == 7
        assert (alarms[0]["deposits"], alarms[0]["amount"], alarms[0]["log_level"]) == (2, "20", "error")
        assert [money(each) for each in lost] == [("active", 10 * ZEC, 0)] * 2
        WatchedChain.objects.update(asked_at=clock.now())
        part = health.PARTS["deposits"]()
        assert (part["ok"], part["lost"]) == (False, 2)
        with pytest.raises(CommandError, match="2 wait"):
            run_command("reversals")


class TestOnce:
    @pytest.mark.parametrize(
        "step",
        [
            "zcash.deposits.mark_lost",
            "zcash.deposits.mark_reversed",
            "zcash.money.take_back",
            "zcash.permissions.change_status",
            "billing.metering.stop_all",
            "billing.succession.hand_over",
            "billing.reversals.reverse_lost",
        ],
    )
    @pytest.mark.parametrize("behind", [False, True])
    def test_wherever_a_pass_dies(
        self, vera: User, node: World, monkeypatch: pytest.MonkeyPatch, step: str, behind: bool
    ) -> None:
        permission = node.create_paid(vera)
        stream(vera, wallet=WALLET, now=node.now)
        node.do("sim_reorg", DEPTH, [Deposit.objects.get().txid])
        with monkeypatch.context() as patch:
            die_at(step, patch, behind=behind)
            with pytest.raises(SystemExit):
                node.scan()

        node.scan()
        node.scans()

        assert state(permission) == ("suspended", 0)
        assert actions(permission, of=["reversed", "suspended"]) == ["reversed", "suspended"]
        assert Event.objects.filter(kind="deposit.reversed").count() == 1
        assert [reason for reason, _ in ended()] == ["permission_suspended"]

    def test_one_that_cannot_be_reversed_holds_up_neither_others_nor_credits(
        self, vera: User, node: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad, good, paid = (node.create(vera, wallet=name) for name in ("tmBad", "tmGood", "tmPaid"))
        txid = node.pay_together((bad, 10 * ZEC), (good, 10 * ZEC))
        node.mine(DEPTH)
        node.scan()
        node.do("sim_reorg", DEPTH, [txid])
        node.pay(paid, 10 * ZEC)
        node.mine(DEPTH)
        reverse = reversals.reverse

        def refuse_the_bad_one(deposit: Deposit, *, now: datetime, word: Word | None) -> bool:
            if deposit.permission_id == bad.pk:
                raise WrongPermissionState
            return reverse(deposit, now=now, word=word)

        monkeypatch.setattr(reversals, "reverse", refuse_the_bad_one)

        assert node.scan() == 1

        assert (state(bad)[0], state(good)[0], state(paid)[0]) == ("active", "suspended", "active")

    def test_a_deposit_is_reversed_once_and_only_while_it_is_lost(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)
        deposit = Deposit.objects.get()
        assert reversals.reverse(deposit, now=node.now) is False
        node.do("sim_reorg", DEPTH, [deposit.txid])
        watch.scan(wallet=node.wallet, now=node.now)

        done = [reversals.reverse(deposit, now=node.now) for _ in range(2)]

        assert (done, state(permission)) == ([True, False], ("suspended", 0))

    def test_again_and_again_with_the_same_payment(self, vera: User, node: World) -> None:
        permission = node.create_paid(vera)

        reorg_and_return(node)
        reorg_and_return(node)

        assert money(permission) == ("active", 10 * ZEC, 0)
        assert (permission.credited_zat, permission.reversed_zat) == (30 * ZEC, 20 * ZEC)


def die_at(step: str, patch: pytest.MonkeyPatch, *, behind: bool) -> None:
    """Let a process die at a step's beginning, or right behind it."""
    module, name = step.rsplit(".", 1)
    real = getattr(import_module(module), name)

    def die(*arguments: Any, **named: Any) -> None:
        if behind:
            real(*arguments, **named)
        raise SystemExit

    patch.setattr(step, die)


def run_command(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()
