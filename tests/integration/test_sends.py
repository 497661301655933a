"""Outgoing transactions: one call for one row of the journal, whatever becomes of the answer."""

from contextlib import nullcontext
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from billing import refunds, rounds, sends
from billing.models import Refund, WalletSend
from billing.rules import RefundStatus
from core import clock, db
from tests.concurrency.threads import together
from tests.refunding import (
    ALICE,
    ALICE_O,
    ALICE_T,
    ALICE_TEX,
    ALICE_U,
    EXPIRY_BLOCKS,
    MALLORY,
    MARGIN_BLOCKS,
    REFUND_CONFIRMATIONS,
    ZEC,
    World,
    refund_of,
    send_statuses,
    statuses,
)
from zcash import queries
from zcash.addresses import SAPLING, Network, Receiver, encode_p2pkh, encode_sapling, encode_unified
from zcash.models import SpendingPermission
from zcash.node import operations
from zcash.node.port import Payment, PrivacyPolicy
from zcash.rules import FINAL_DEPTH

LOST_ANSWERS = ("reset_before", "reset_after", "hang", "half", "server_error", "not_json")
SENT_ALL_THE_SAME = ("reset_after", "half")


class Killed(BaseException):
    """The process dies here."""


def viewers(count: int) -> list[str]:
    return [encode_p2pkh(f"viewer {n}".encode().ljust(20), network=Network.REGTEST) for n in range(count)]


def revoked_together(world: World, wallets: list[str], *, zec: str = "0.01") -> list[SpendingPermission]:
    """Return permissions paid by one transaction and revoked; nothing is refunded yet."""
    created = [world.create(wallet, zec=zec) for wallet in wallets]
    world.do("sim_pay_many", [{"address": each.payment_address, "amount": zec} for each in created])
    world.mine(REFUND_CONFIRMATIONS)
    return [world.revoke(each) for each in created]


def outlive(world: World) -> None:
    """Mine until nothing that was built now could be mined, with the margin."""
    world.mine(EXPIRY_BLOCKS + MARGIN_BLOCKS)


def wait_for_another_try(world: World) -> None:
    """Let no reorg be deep enough any more to mine what was given up."""
    world.mine(FINAL_DEPTH)
    world.hours_pass(1)


class TestABatch:
    def test_pays_at_most_forty_at_once(self, world: World) -> None:
        revoked_together(world, viewers(42))

        world.round()
        first = WalletSend.objects.get()
        world.mine()
        world.round(2)

        assert len(first.payments) == 40
        assert [len(each.payments) for each in WalletSend.objects.order_by("id")] == [40, 2]
        assert statuses() == ["sent"] * 42
        assert len(world.sent()) == 42

    def test_pays_no_address_twice_at_once(self, world: World) -> None:
        revoked_together(world, [ALICE_T, ALICE_T, viewers(1)[0]])

        world.round(2)
        world.mine(3)
        world.round(2)

        paid = [[each["address"] for each in send.payments] for send in WalletSend.objects.order_by("id")]
        assert paid == [[ALICE_T, viewers(1)[0]], [ALICE_T]]

    def test_keeps_recipients_of_other_privacy_apart(self, world: World) -> None:
        same_pool, other_pool = (ALICE, ALICE_O) if world.dialect == "zcashd" else (ALICE_O, ALICE)
        revoked_together(world, [same_pool, ALICE_T, MALLORY])

        for _ in range(4):
            world.round(2)
            world.mine(3)

        policies = dict(WalletSend.objects.values_list("policy", "payments"))
        assert [each["address"] for each in policies["AllowRevealedRecipients"]] == [ALICE_T]
        shielded = {"zcashd": [ALICE, MALLORY], "zallet": [ALICE_O]}[world.dialect]
        assert [each["address"] for each in policies["FullPrivacy"]] == shielded
        if world.dialect == "zallet":
            assert [each["address"] for each in policies["AllowRevealedAmounts"]] == [MALLORY]
        assert other_pool not in {each["address"] for each in policies["FullPrivacy"]}

    def test_lets_one_that_failed_go_alone(self, world: World) -> None:
        first, second, third = revoked_together(world, viewers(3))
        world.do("sim_operations", {"fail": {"code": -6, "message": "cannot"}})
        world.round(2)
        world.do("sim_operations", {"fail": None})
        assert statuses() == ["failed"] * 3

        world.hours_pass(1)
        for _ in range(3):
            world.round(2)
            world.mine(3)

        assert [len(each.payments) for each in WalletSend.objects.order_by("id")] == [3, 1, 1, 1]
        assert [each.send_id for each in Refund.objects.order_by("permission_id")] == [
            each.pk for each in WalletSend.objects.order_by("id")[1:]
        ]
        assert [first.pk, second.pk, third.pk] == sorted([first.pk, second.pk, third.pk])

    def test_pays_a_tex_address_alone(self, world: World) -> None:
        revoked_together(world, [viewers(1)[0], ALICE_TEX, ALICE_T])

        world.round()

        assert {each["address"] for each in WalletSend.objects.get().payments} == {viewers(1)[0], ALICE_T}


class TestPrivacy:
    @pytest.mark.parametrize(
        ("address", "zcashd", "zallet"),
        [
            (ALICE, "FullPrivacy", "AllowRevealedAmounts"),
            (ALICE_U, "FullPrivacy", "AllowRevealedAmounts"),
            (ALICE_O, "AllowRevealedAmounts", "FullPrivacy"),
            (ALICE_T, "AllowRevealedRecipients", "AllowRevealedRecipients"),
            (ALICE_TEX, "AllowRevealedRecipients", "AllowRevealedRecipients"),
        ],
        ids=["sapling", "unified", "orchard", "transparent", "tex"],
    )
    def test_reveals_what_the_recipient_needs_and_no_more(
        self, world: World, address: str, zcashd: str, zallet: str
    ) -> None:
        world.revoked(address)

        world.round(2)

        assert WalletSend.objects.get().policy == {"zcashd": zcashd, "zallet": zallet}[world.dialect]

    def test_allows_the_amount_where_a_private_payment_failed(self, world: World) -> None:
        world.revoked(ALICE if world.dialect == "zcashd" else ALICE_O)
        world.do("sim_operations", {"fail": {"code": -8, "message": "insufficient privacy"}})
        world.round(2)
        world.do("sim_operations", {"fail": None})

        world.hours_pass(1)
        world.round(2)

        assert list(WalletSend.objects.order_by("id").values_list("policy", "status")) == [
            ("FullPrivacy", "failed"),
            ("AllowRevealedAmounts", "sent"),
        ]


class TestADefiniteFailure:
    def test_keeps_the_money_and_tries_again_later_and_later(self, world: World) -> None:
        permission = world.revoked()
        spent = world.pay_by_hand(MALLORY, "0.9")
        world.mine(REFUND_CONFIRMATIONS)
        self.explained(world, spent)
        world.round(2)
        first = refund_of(permission)
        assert first.status == "failed"
        assert "nsufficient" in first.reason
        wait_s = (first.not_before - clock.now()).total_seconds()

        world.hours_pass(0.2)
        world.round(2)
        again = refund_of(permission)

        assert 590 < wait_s <= 600
        assert (again.status, again.attempts) == ("failed", 2)
        assert 1190 < (again.not_before - clock.now()).total_seconds() <= 1200
        permission.refresh_from_db()
        assert (permission.remaining_zat, permission.refunded_zat) == (0, ZEC)

    def test_pays_once_there_is_money(self, world: World) -> None:
        permission = world.revoked()
        self.explained(world, world.pay_by_hand(MALLORY, "0.9"))
        world.mine(REFUND_CONFIRMATIONS)
        world.round(2)
        world.do("sim_pay", world.settings.ZCASH_SERVICE_WALLET, "1")
        world.mine(REFUND_CONFIRMATIONS)

        world.hours_pass(1)
        world.round(2)

        assert refund_of(permission).status == "sent"
        assert world.arrived_zat(ALICE) == refund_of(permission).paid_zat

    def test_is_what_a_wallet_that_is_not_ready_answers(self, world: World) -> None:
        permission = world.revoked()
        world.fault("warming_up")

        world.round(2)

        assert refund_of(permission).status == "failed"

    def explained(self, world: World, txid: str) -> None:
        # What was paid by hand belongs to viewers, and the command says so.
        with pytest.raises(CommandError, match="ZEC less than the 1 ZEC that are owed"):
            call_command("reconcile", explain=txid, reason="salary")


class TestALostAnswer:
    @pytest.mark.parametrize("kind", LOST_ANSWERS)
    def test_is_never_followed_by_another_call_until_the_chain_has_told(
        self, world: World, kind: str, settings: Any
    ) -> None:
        settings.ZCASH_RPC_TIMEOUT_SECONDS = 1.0
        permission = world.revoked()
        refunds.queue_due(now=clock.now())
        world.fault(kind)

        world.round()
        unknown = refund_of(permission).status
        world.round()

        assert unknown == "unknown"
        if kind in SENT_ALL_THE_SAME:
            assert (refund_of(permission).status, refund_of(permission).reason) == (
                "sent",
                "found on the chain",
            )
        else:
            self.fails_after_the_expiry_and_is_sent_once(world, permission)
        assert world.transactions() == 1

    def fails_after_the_expiry_and_is_sent_once(self, world: World, permission: SpendingPermission) -> None:
        world.mine(EXPIRY_BLOCKS + MARGIN_BLOCKS - 1)
        world.round(2)
        assert refund_of(permission).status == "unknown"
        world.mine()
        world.round()
        assert refund_of(permission).status == "failed"
        assert world.transactions() == 0
        wait_for_another_try(world)
        world.round(2)
        assert refund_of(permission).status == "sent"

    def test_is_found_where_it_was_mined_meanwhile(self, world: World) -> None:
        permission = world.revoked()
        world.fault("reset_after")
        world.round()
        world.mine(5)

        world.round()

        assert refund_of(permission).status == "sent"
        assert world.transactions() == 1

    @pytest.mark.parametrize("depth", [1, 20])
    def test_is_found_where_a_reorg_mined_it_below_the_tip_it_was_built_on(
        self, world: World, depth: int
    ) -> None:
        world.float_money()
        permission = world.revoked()
        fork = world.do("generate", depth)[0]
        world.fault("reset_after")
        world.round()
        world.do("sim_restart")

        world.do("invalidateblock", fork)
        world.mine(depth)
        outlive(world)
        world.round(2)

        assert refund_of(permission).status == "confirmed"
        assert world.transactions() == 1

    def test_is_not_sent_again_while_a_reorg_could_still_mine_it(self, world: World) -> None:
        world.float_money()
        permission = world.revoked()
        world.fault("reset_after")
        world.round()
        (lost,) = world.waiting()
        (mined_in,) = world.do("generate", 1)
        world.do("invalidateblock", mined_in)
        world.do("sim_hold", lost)
        other_branch = world.do("generate", EXPIRY_BLOCKS + MARGIN_BLOCKS)[0]
        world.mine()
        world.round()
        world.hours_pass(1)
        world.round(2)
        given_up = refund_of(permission).status, world.transactions()

        world.do("reconsiderblock", mined_in)
        world.do("invalidateblock", other_branch)
        world.mine(EXPIRY_BLOCKS + FINAL_DEPTH)
        world.round(3)

        assert given_up == ("failed", 1)
        assert refund_of(permission).status == "confirmed"
        assert world.transactions() == 1

    def test_another_refund_of_the_permission_waits_as_long(self, world: World) -> None:
        """A reversal cancels what waits: what is queued afterwards has the same money to pay."""
        world.float_money()
        permission = world.revoked()
        world.fault("reset_before")
        world.round()
        outlive(world)
        world.round()
        with db.operation():
            refunds.cancel_waiting(queries.lock(permission.pk), now=clock.now())
        world.round(2)
        waiting = statuses(), send_statuses()

        wait_for_another_try(world)
        world.round()

        assert waiting == (["cancelled", "queued"], ["failed"])
        assert send_statuses() == ["failed", "sending"]
        assert WalletSend.objects.filter(mineable_below__isnull=False).count() == 1

    def test_is_not_given_up_while_the_wallet_works_on_something(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"hold": True})
        world.fault("reset_after")
        world.round()
        outlive(world)
        world.round()
        held = refund_of(permission).status

        world.do("sim_operations", {"hold": False})
        world.round()

        # zallet had planned it before it was held: it is too late to be mined, and needs its own margin.
        late = {"zcashd": "sent", "zallet": "unknown"}[world.dialect]
        assert (held, refund_of(permission).status) == ("unknown", late)
        assert world.transactions() == 1

    def test_is_not_given_up_before_the_expiry_of_what_was_built_last(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"hold": True})
        world.fault("reset_after")
        world.round()
        world.mine(EXPIRY_BLOCKS)
        world.round()
        world.do("sim_restart")
        world.do("sim_operations", {"hold": False})

        world.mine(EXPIRY_BLOCKS + MARGIN_BLOCKS - 1)
        world.round()
        early = refund_of(permission).status
        world.mine()
        world.round()

        assert (early, refund_of(permission).status) == ("unknown", "failed")

    def test_is_no_evidence_while_the_wallet_rescans(self, world: World) -> None:
        world.float_money()
        permission = world.revoked()
        world.fault("reset_after")
        world.round()
        outlive(world)
        world.do("sim_wallet", {"blank": True})

        world.round(2)
        blank = refund_of(permission).status
        world.do("sim_wallet", {})
        world.round()

        assert (blank, refund_of(permission).status) == ("unknown", "sent")
        assert world.transactions() == 1

    def test_holds_everybody_elses_refund_back(self, world: World) -> None:
        world.revoked()
        world.fault("reset_before")
        world.round()
        world.revoked(MALLORY)

        world.round(3)

        assert statuses() == ["unknown", "queued"]
        assert world.transactions() == 0

    def test_is_not_taken_for_the_equal_payment_of_another_refund(self, world: World) -> None:
        _, second = revoked_together(world, [ALICE_T, ALICE_T])
        world.round()
        world.fault("reset_before")
        world.round()
        assert statuses() == ["sent", "unknown"]

        # The first one's transaction is still unmined: it is there to be found.
        world.round(2)

        assert refund_of(second).status == "unknown"


class TestARestart:
    def test_of_the_wallet_forgets_an_operation_that_had_not_begun(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"hold": True})
        world.round()
        world.do("sim_restart")
        world.do("sim_operations", {"hold": False})

        world.round()
        unknown = refund_of(permission)
        outlive(world)
        world.round()
        wait_for_another_try(world)
        world.round(2)

        assert (unknown.status, unknown.reason) == ("unknown", "the wallet has forgotten the operation")
        assert refund_of(permission).status == "sent"
        assert world.transactions() == 1

    def test_of_the_wallet_forgets_one_that_failed(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"fail": {"code": -6, "message": "cannot"}})
        world.round()
        world.do("sim_operations", {"fail": None})
        world.do("sim_restart")

        world.round()
        unknown = refund_of(permission).status
        outlive(world)
        world.round()

        assert (unknown, refund_of(permission).status) == ("unknown", "failed")
        assert world.transactions() == 0

    def test_of_the_wallet_forgets_one_that_succeeded(self, world: World) -> None:
        world.float_money()
        permission = world.revoked()
        world.round()
        world.do("sim_restart")

        world.round(2)

        assert refund_of(permission).status == "sent"
        assert world.transactions() == 1

    def test_of_zcashd_hides_what_gave_no_change_until_a_person_points_it_out(self, world: World) -> None:
        if world.dialect == "zallet":
            return
        permission = world.revoked()
        world.round()
        (operation,) = world.do("z_getoperationresult", [WalletSend.objects.get().operation_id])
        world.do("sim_restart")
        outlive(world)
        world.round(2)
        hidden = refund_of(permission).status
        assert hidden == "unknown"

        call_command("reconcile", explain=operation["result"]["txid"], reason="the refund of Alice")

        assert refund_of(permission).status in ("sent", "confirmed")
        assert world.transactions() == 1

    @pytest.mark.parametrize("place", ["before", "after"])
    def test_of_paygo_sends_nothing_twice(
        self, world: World, place: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        permission = world.revoked()
        ask = operations.send

        def dying(*arguments: Any, **how: Any) -> str:
            if place == "after":
                ask(*arguments, **how)
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(operations, "send", dying)
            with pytest.raises(Killed):
                world.round()
        assert send_statuses() == ["sending"]

        world.round(2)

        if place == "before":
            assert refund_of(permission).status == "unknown"
            outlive(world)
            world.round()
            wait_for_another_try(world)
            world.round(2)
        assert refund_of(permission).status == "sent"
        assert world.transactions() == 1


class TestWhatTheWalletBuilt:
    def test_is_not_taken_for_sent_where_it_was_not_broadcast(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"broadcast": False})
        world.round(2)
        built = WalletSend.objects.get()
        world.do("sim_operations", {"broadcast": True})

        outlive(world)
        world.round(2)
        wait_for_another_try(world)
        world.round(2)
        world.confirm()

        if world.dialect == "zallet":
            assert built.status in ("unknown", "sent")
        assert refund_of(permission).status == "confirmed"
        assert world.arrived_zat(ALICE) == refund_of(permission).paid_zat

    def test_fails_where_it_expired_unmined_and_is_sent_again(self, world: World) -> None:
        permission = world.revoked()
        world.round(2)
        (txid,) = WalletSend.objects.get().txids
        world.do("sim_hold", txid)
        assert world.transactions() == 1

        world.mine(EXPIRY_BLOCKS + MARGIN_BLOCKS - 1)
        world.round()
        early = refund_of(permission).status
        world.mine()
        world.round()
        failed = refund_of(permission)
        wait_for_another_try(world)
        world.round(2)

        assert (early, failed.status) == ("sent", "failed")
        assert failed.reason == "its transaction expired unmined"
        assert refund_of(permission).status == "sent"
        assert send_statuses() == ["failed", "sent"]
        assert world.arrived_zat(ALICE) == refund_of(permission).paid_zat

    def test_stays_sent_where_a_reorg_takes_it_and_it_is_mined_again(self, world: World) -> None:
        permission = world.revoked()
        world.round(2)
        world.mine(5)
        world.do("sim_reorg", 5)
        world.round()
        out = refund_of(permission).status

        world.mine(REFUND_CONFIRMATIONS)
        world.round()

        assert (out, refund_of(permission).status) == ("sent", "confirmed")
        assert world.transactions() == 1

    def test_fails_where_a_reorg_takes_it_for_good(self, world: World) -> None:
        permission = world.revoked()
        world.round(2)
        world.mine(5)
        world.do("sim_reorg", 5, WalletSend.objects.get().txids)

        outlive(world)
        world.round()
        wait_for_another_try(world)
        world.round(2)

        assert refund_of(permission).status == "sent"
        assert send_statuses() == ["failed", "sent"]
        assert world.arrived_zat(ALICE) == refund_of(permission).paid_zat

    def test_stays_sent_while_the_wallet_rescans(self, world: World) -> None:
        permission = world.revoked()
        world.round(2)
        world.do("sim_wallet", {"blank": True})
        outlive(world)

        world.round(2)
        blank = refund_of(permission).status
        world.do("sim_wallet", {})
        world.round()

        assert (blank, refund_of(permission).status) == ("sent", "confirmed")

    def test_is_one_of_fifty_kinds_of_failure_that_say_nothing(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"fail": {"code": -25, "message": "broadcast failed"}})

        world.round(2)

        assert refund_of(permission).status == "unknown"


class TestTwoAtOnce:
    def test_the_journal_takes_one_in_flight(self, world: World) -> None:
        with transaction.atomic():
            self.journal()

        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            self.journal()

        assert db.constraint(refused.value) == "billing_walletsend_one_in_flight"
        WalletSend.objects.all().delete()
        assert world.transactions() == 0

    def journal(self) -> None:
        sends.journal([Payment(ALICE, 1)], policy=PrivacyPolicy.FULL, tip_height=1, now=clock.now())

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("locked", [True, False], ids=["with the lock", "without the lock"])
    def test_rounds_send_every_refund_once(
        self, world: World, locked: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.float_money()
        for wallet in viewers(3):
            world.revoked(wallet)
        refunds.queue_due(now=clock.now())

        with monkeypatch.context() as patched:
            if not locked:
                patched.setattr(db, "alone", lambda _name: nullcontext(True))
            for _ in range(3):
                together(rounds.refund_round, rounds.refund_round, rounds.refund_round)
        world.mine()
        world.round(2)

        assert statuses() == ["sent"] * 3
        assert sorted(zat for _, zat in world.sent().elements()) == [99_985_000] * 3

    def test_a_row_that_was_given_up_meanwhile_is_not_handed_in(self, world: World) -> None:
        permission = world.revoked()
        refunds.queue_due(now=clock.now())
        send = refunds._journal_batch(tip_height=world.simnode.height, moved=set(), now=clock.now())
        assert send is not None
        stale = WalletSend.objects.get(pk=send.pk)
        world.round()
        assert refund_of(permission).status == "unknown"

        sends.hand_in(stale, wallet=world.wallet, read_clock=clock.now)

        assert world.transactions() == 0

    def test_waits_for_what_somebody_else_sends_from_the_account(self, world: World) -> None:
        permission = world.revoked()
        world.do("sim_pay", world.settings.ZCASH_SERVICE_WALLET, "1")
        world.mine(REFUND_CONFIRMATIONS)
        world.do("sim_operations", {"hold": True})
        minconf = 3 if world.dialect == "zcashd" else None
        rows = [{"address": MALLORY, "amount": "0.1"}]
        service = world.settings.ZCASH_SERVICE_WALLET
        world.do("z_sendmany", service, rows, minconf, None, "AllowRevealedAmounts")

        world.round(2)

        assert refund_of(permission).status == RefundStatus.QUEUED
        world.do("sim_restart")
        world.do("sim_operations", {"hold": False})


def test_the_node_being_away_leaves_everything_as_it_is(world: World) -> None:
    permission = world.revoked()
    world.round()
    world.do("sim_fault", {"kind": "reset_before", "method": None})

    assert rounds.refund_round() is None

    world.do("sim_fault", None)
    assert refund_of(permission).status == "sending"
    world.round()
    assert refund_of(permission).status == "sent"


def test_two_recipients_of_one_hash_are_two_payments(world: World) -> None:
    data = b"twin".ljust(43, b"\1")
    bare = encode_sapling(data, network=Network.REGTEST)
    unified = encode_unified([Receiver(SAPLING, data)], network=Network.REGTEST)
    revoked_together(world, [bare, unified], zec="0.5")

    world.round(2)
    world.confirm()

    assert statuses() == ["confirmed"] * 2
    assert world.arrived_zat(bare) == sum(each.paid_zat for each in Refund.objects.all())
