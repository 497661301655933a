"""Outgoing transactions: one call for one row of the journal, whatever becomes of the answer."""

from contextlib import nullcontext

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from billing import refunds, rounds, sends
from billing.models import Refund, WalletSend
from billing.rules import RefundStatus
from core import clock, db
from tests.concurrency.threads import together
from tests.integration.sending import revoked_together
from tests.refunding import (
    ALICE,
    ALICE_O,
    ALICE_T,
    ALICE_TEX,
    ALICE_U,
    MALLORY,
    REFUND_CONFIRMATIONS,
    ZEC,
    World,
    refund_of,
    statuses,
)
from zcash.addresses import SAPLING, Network, Receiver, encode_p2pkh, encode_sapling, encode_unified
from zcash.node.port import Payment, PrivacyPolicy


def viewers(count: int) -> list[str]:
    return [encode_p2pkh(f"viewer {n}".encode().ljust(20), network=Network.REGTEST) for n in range(count)]


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
        spent = world.pay_by_hand(MALLORY, "0.9")
        world.mine(REFUND_CONFIRMATIONS)
        self.explained(world, spent)
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
