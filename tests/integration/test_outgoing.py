"""The guard before every send: the account has paid nothing that the database does not know."""

import contextlib
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing import foreign, outgoing, refunds, sends
from billing.ledger_models import Transfer
from billing.models import ForeignSend, Refund, SendGuard, WalletSend
from billing.operator_models import OperatorAction
from billing.rules import SendStatus
from core import clock
from paygo import health
from tests.refunding import (
    ALICE_T,
    MALLORY,
    REFUND_CONFIRMATIONS,
    TRANSPARENT_FEE,
    ZEC,
    World,
    refund_of,
    statuses,
)
from zcash.models import WatchedChain


def reconcile(**options: object) -> tuple[str, str]:
    """Run the command; return what it wrote, and what it failed with."""
    written, failed = StringIO(), ""
    try:
        call_command("reconcile", stdout=written, **options)
    except CommandError as error:
        failed = str(error)
    return written.getvalue(), failed


def reconcile_json() -> dict[str, Any]:
    """Run the command; return its document."""
    written = StringIO()
    with contextlib.suppress(CommandError):
        call_command("reconcile", stdout=written, json=True)
    found: dict[str, Any] = json.loads(written.getvalue())
    return found


@pytest.fixture
def halted(world: World) -> str:
    """The txid of what the operator has paid by hand; a refund waits behind it."""
    world.float_money()
    world.revoked(ALICE_T)
    txid = world.pay_by_hand(MALLORY, "0.5")
    world.mine(REFUND_CONFIRMATIONS)
    world.round(2)
    return txid


class TestWhatSomebodyPaidByHand:
    def test_stops_all_sending(self, world: World, halted: str) -> None:
        world.revoked(ALICE_T, zec="2")

        world.round(3)

        assert statuses() == ["queued", "queued"]
        assert halted in outgoing.halted()
        assert world.arrived_zat(ALICE_T) == 0

    def test_is_told_by_the_health_check(self, world: World, halted: str) -> None:
        world.round()

        assert health.PARTS["refunds"]() == {
            "ok": False,
            "detail": "sending is halted: see manage.py reconcile",
        }
        assert halted

    def test_is_listed_until_a_person_explains_it(self, world: World, halted: str) -> None:
        listed, failed = reconcile()
        explained, lifted = reconcile(explain=halted, reason="salaries")
        world.round(2)

        assert halted in listed
        assert "50000000 zat" in listed
        assert failed.startswith("Sending is halted")
        assert (f"{halted} is explained." in explained, lifted) == (True, "")
        row = ForeignSend.objects.get()
        assert (row.explanation, row.explained_at is not None) == ("salaries", True)
        assert statuses() == ["sent"]
        assert health.PARTS["refunds"]() == {"ok": True}

    def test_stays_unexplained_without_a_reason(self, world: World, halted: str) -> None:
        _, failed = reconcile(explain=halted, reason=" ")

        assert failed.startswith("Give a --reason")
        assert [each.txid for each in foreign.unexplained()] == [halted]
        assert world.arrived_zat(ALICE_T) == 0

    def test_cannot_be_explained_where_the_wallet_does_not_know_it(self, world: World, halted: str) -> None:
        _, failed = reconcile(explain="ab" * 32, reason="a guess")

        assert failed == f"The wallet does not know a transaction {'ab' * 32}."
        assert [each.txid for each in foreign.unexplained()] == [halted]
        assert world.arrived_zat(ALICE_T) == 0

    def test_is_noticed_and_can_be_explained_where_it_gave_no_change(self, world: World) -> None:
        permission = world.revoked(ALICE_T)
        fee = 10_000 if world.dialect == "zcashd" else 20_000
        txid = world.pay_by_hand(MALLORY, f"{(ZEC - fee) / ZEC:.8f}")
        world.do("sim_restart")
        world.float_money()
        world.round(2)
        _, failed = reconcile()
        assert failed.startswith("Sending is halted")

        _, lifted = reconcile(explain=txid, reason="salaries")
        world.round(2)

        assert lifted == ""
        assert refund_of(permission).status == "sent"

    def test_is_taken_for_the_refund_that_it_pays(self, world: World) -> None:
        permission = world.revoked(ALICE_T)
        world.float_money()
        refunds.queue_due(now=clock.now())
        txid = world.pay_by_hand(ALICE_T, "0.99985")
        world.by_hand.clear()

        world.round(2)
        world.confirm()

        assert refund_of(permission).status == "confirmed"
        assert WalletSend.objects.get().txids == [txid]
        assert world.arrived_zat(ALICE_T) == ZEC - TRANSPARENT_FEE

    def test_is_not_taken_for_a_later_refund_once_it_is_explained(self, world: World) -> None:
        world.float_money()
        first = world.revoked(ALICE_T)
        txid = world.pay_by_hand(ALICE_T, "1.99985")
        world.mine(REFUND_CONFIRMATIONS)
        world.round(2)
        reconcile(explain=txid, reason="a present", anyway=True)
        world.round(2)

        # Exactly what the present was.
        second = world.revoked(ALICE_T, zec="2")
        world.round(3)

        assert refund_of(first).status == "confirmed"
        assert refund_of(second).status == "sent"
        assert world.arrived_zat(ALICE_T) == 199_985_000 + 99_985_000 + 199_985_000

    def test_is_not_explained_away_where_it_may_have_paid_a_waiting_refund(self, world: World) -> None:
        world.float_money()
        permission = world.revoked(ALICE_T)
        txid = world.pay_by_hand(ALICE_T, "0.7")
        world.mine(REFUND_CONFIRMATIONS)
        world.round(2)
        refund = refund_of(permission)

        _, failed = reconcile(explain=txid, reason="a present")

        assert f"refund {refund.public_id} waits for the same recipient" in failed
        assert refund_of(permission).status == "queued"

    def test_is_not_explained_away_before_the_refund_that_it_may_have_paid_is_queued(
        self, world: World
    ) -> None:
        world.float_money()
        permission = world.revoked(ALICE_T)
        txid = world.pay_by_hand(ALICE_T, "0.7")
        world.mine(REFUND_CONFIRMATIONS)

        _, failed = reconcile(explain=txid, reason="a present")

        assert f"permission {permission.public_id} is revoked and refunds there" in failed
        assert [each.txid for each in foreign.unexplained()] == [txid]

    def test_settles_of_a_refund_what_the_chain_says(self, world: World) -> None:
        world.float_money()
        permission = world.revoked(ALICE_T)
        txid = world.pay_by_hand(ALICE_T, "0.7")
        world.mine(REFUND_CONFIRMATIONS)
        world.round(2)
        refund = refund_of(permission)

        _, failed = reconcile(explain=txid, reason="paid by hand, too little", settles=[refund.public_id])
        # As a row of the journal it is known from now on.
        world.by_hand.clear()
        world.round(3)

        assert failed == ""
        refund.refresh_from_db()
        assert (refund.status, refund.paid_zat) == ("confirmed", 70_000_000)
        # The rest is the viewer's as before: it is refunded by the next round, with a fee of its own.
        rest = refund_of(permission)
        assert rest.amount_zat == ZEC - 70_000_000 - TRANSPARENT_FEE
        assert world.arrived_zat(ALICE_T) == ZEC - 2 * TRANSPARENT_FEE
        assert not Transfer.objects.filter(kind="withdrawal").exists()

    def test_settles_no_refund_to_somebody_else(self, world: World) -> None:
        world.float_money()
        permission = world.revoked(ALICE_T)
        txid = world.pay_by_hand(MALLORY, "0.99985")
        world.mine(REFUND_CONFIRMATIONS)
        world.round(2)
        refund = refund_of(permission)

        _, failed = reconcile(explain=txid, reason="paid by hand", settles=[refund.public_id])

        assert failed.startswith(f"the wallet says nothing of a payment to {ALICE_T}")
        assert refund_of(permission).status == "queued"
        assert [each.txid for each in foreign.unexplained()] == [txid]

    def test_is_booked_as_taken_out_with_who_said_so(self, world: World, halted: str) -> None:
        before = reconcile_json()
        reconcile(explain=halted, reason="salaries")

        after = reconcile_json()
        assert (before["unexplained_zat"], after["unexplained_zat"]) == (ZEC // 2, 0)
        withdrawn = Transfer.objects.get(kind="withdrawal")
        assert (withdrawn.debit, withdrawn.credit) == ("owner", "wallet")
        assert before["booked_zat"] - after["booked_zat"] == withdrawn.amount_units >= ZEC // 2 + 10_000
        # Books and wallet differ by the operator's own money, as before; its fee cannot be told exactly.
        assert abs(before["difference_zat"] - after["difference_zat"]) <= 25_000
        said = OperatorAction.objects.get(verb="explain")
        assert said.reason == "salaries"
        assert said.operator is None
        assert said.details["by"].startswith("shell:")
        assert (said.details["txid"], said.details["withdrawn_zat"]) == (halted, withdrawn.amount_units)

    def test_is_not_explained_before_it_is_mined(self, world: World) -> None:
        world.float_money()
        world.revoked(ALICE_T)
        txid = world.pay_by_hand(MALLORY, "0.5")
        world.round(2)

        _, failed = reconcile(explain=txid, reason="salaries")
        world.mine()
        _, lifted = reconcile(explain=txid, reason="salaries")

        assert (failed, lifted) == (f"{txid} is not mined yet: run this again when it is.", "")

    def test_is_of_no_account_where_it_expired(self, world: World) -> None:
        world.float_money()
        txid = world.pay_by_hand(MALLORY, "0.5")
        world.do("sim_hold", txid)
        world.mine(50)
        world.by_hand.clear()
        permission = world.revoked(ALICE_T)

        world.round(2)

        assert refund_of(permission).status == "sent"
        assert not ForeignSend.objects.exists()


class TestTheCommand:
    def test_says_that_all_is_known(self, world: World) -> None:
        world.revoked()
        world.round(2)
        world.confirm()

        written, failed = reconcile()

        assert failed == ""
        assert written.endswith("the journal knows everything that the account has paid.\n")

    def test_does_not_take_a_refund_that_is_being_sent_for_a_strangers(self, world: World) -> None:
        world.revoked()
        world.fault("reset_before")
        world.round()

        _, failed = reconcile()

        assert failed.startswith("Money is being sent")
        assert not ForeignSend.objects.exists()


def give_up() -> str:
    """Give the one send up as expired; return the transaction that is on the chain all the same."""
    send = WalletSend.objects.get()
    assert sends.move(send, to=SendStatus.FAILED, now=clock.now(), reason="its transaction expired unmined")
    (txid,) = send.txids
    return str(txid)


class TestTheGuard:
    def test_moves_on_with_every_look(self, world: World) -> None:
        world.revoked()
        world.round(2)

        assert SendGuard.objects.get().checked_height == world.simnode.height

    def test_does_not_ask_for_what_is_long_past(self, world: World) -> None:
        world.paid()
        old = {"account": "0", "policy": "", "payments": [], "intent_height": 1, "created_at": clock.now()}
        WalletSend.objects.create(**old, busy_height=1, status="confirmed", txids=["ab" * 32])
        world.mine(200)
        SendGuard.objects.create(pk=1, checked_height=world.simnode.height)
        permission = world.revoked(ALICE_T)

        world.round(2)
        WalletSend.objects.filter(payments=[]).delete()

        assert refund_of(permission).status == "sent"

    def test_adopts_what_was_given_up_and_mined_after_all(self, world: World) -> None:
        world.float_money()
        permission = world.revoked(ALICE_T)
        world.round(2)
        txid = give_up()
        Refund.objects.update(not_before=clock.now())

        world.round(3)

        assert refund_of(permission).status == "sent"
        assert WalletSend.objects.exclude(status="failed").get().txids == [txid]
        assert world.arrived_zat(ALICE_T) == ZEC - TRANSPARENT_FEE

    def test_halts_where_what_was_given_up_was_mined_and_is_paid_again(self, world: World) -> None:
        world.float_money()
        world.revoked(ALICE_T)
        world.round(2)
        txid = give_up()
        world.by_hand = world.sent()
        Refund.objects.update(status="confirmed")
        world.revoked(MALLORY)

        world.round(3)

        assert txid in outgoing.halted()
        Refund.objects.filter(status="confirmed").update(status="failed")

    def test_begins_where_the_chain_was_pinned(self, world: World) -> None:
        world.float_money()
        world.pay_by_hand(MALLORY, "0.5")
        world.mine(REFUND_CONFIRMATIONS)
        world.by_hand = world.sent()
        permission = world.revoked(ALICE_T)
        WatchedChain.objects.update(pinned_height=world.simnode.height - REFUND_CONFIRMATIONS)

        world.round(2)

        assert refund_of(permission).status == "sent"

    def test_sends_nothing_while_the_wallet_rescans(self, world: World) -> None:
        world.float_money()
        world.revoked(ALICE_T)
        world.round(2)
        world.mine()
        permission = world.revoked(MALLORY)
        refunds.queue_due(now=clock.now())
        world.do("sim_wallet", {"blank": True})

        world.round(2)
        blank = refund_of(permission).status
        world.do("sim_wallet", {})
        world.hours_pass(1)
        world.round(3)

        assert blank in ("queued", "failed")
        assert refund_of(permission).status == "sent"

    def test_sends_nothing_while_the_wallet_repairs_its_view(self, world: World) -> None:
        if world.dialect == "zcashd":
            return
        permission = world.revoked()
        refunds.queue_due(now=clock.now())
        world.do("sim_wallet", {"locked": True})

        world.round(2)
        locked = (refund_of(permission).status, outgoing.halted())
        world.do("sim_wallet", {})
        world.round(2)

        assert locked == ("queued", "")
        assert refund_of(permission).status == "sent"
