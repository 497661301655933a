"""Books, wallet and chain are compared on the simulated node in either dialect."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing import rounds
from billing.ledger_models import Reconciliation, Transfer
from core import db
from paygo import health
from tests.refunding import ALICE, MALLORY, REFUND_CONFIRMATIONS, SHIELDED_FEE, ZEC, World


def reconcile(**options: object) -> tuple[dict[str, Any], int]:
    """Run the command; return its document and its exit code."""
    out, code = StringIO(), 0
    try:
        call_command("reconcile", json=True, stdout=out, **options)
    except CommandError as error:
        code = error.returncode
    return json.loads(out.getvalue() or "{}"), code


def test_finds_the_wallet_to_hold_what_is_owed(world: World) -> None:
    world.paid(ALICE, zec="1.5")

    told, code = reconcile()

    assert (code, told["right"], told["findings"]) == (0, True, [])
    assert told["owed_zat"] == {"permission": 3 * ZEC // 2, "refund": 0, "vendor": 0, "payout": 0}
    assert told["holdings_zat"] == told["booked_zat"] == 3 * ZEC // 2
    assert health.PARTS["books"]()["ok"]


def test_counts_a_refund_that_was_sent_as_gone_with_its_fee(world: World) -> None:
    world.revoked(ALICE, zec="1")
    world.paid(MALLORY, zec="2")
    world.round(2)

    told, code = reconcile()

    assert (code, told["owed_zat"]["refund"], told["owed_zat"]["permission"]) == (0, 0, 2 * ZEC)
    # The change of its transaction is not mined yet.
    assert told["holdings_zat"] >= told["booked_zat"] == 2 * ZEC
    fee = Transfer.objects.get(kind="refund_fee").amount_units
    assert fee >= SHIELDED_FEE


def test_misses_what_somebody_took_from_the_wallet(world: World) -> None:
    world.float_money()
    world.paid(ALICE, zec="1")
    held = world.wallet.holdings()
    world.pay_by_hand(MALLORY, str((held - ZEC // 2) / ZEC))
    world.mine(REFUND_CONFIRMATIONS)
    world.by_hand = world.sent()

    told, code = reconcile()

    assert code == 1
    assert told["missing_zat"] == ZEC // 2 + (ZEC // 2 - told["holdings_zat"])
    assert [finding.split(" ")[0] for finding in told["findings"]] == ["the", "Sending"]
    assert health.PARTS["books"]() == {
        "ok": False,
        "detail": "the books are wrong: see manage.py reconcile",
        "compared_at": Reconciliation.objects.get().at.isoformat(),
    }


@pytest.mark.unbalanced
def test_misses_what_the_books_say_and_nobody_is_owed(world: World) -> None:
    world.paid(ALICE, zec="2")
    db.execute(
        "INSERT INTO billing_transfer (kind, debit, debit_of, credit, credit_of, asset, amount_units,"
        " cause_id, at, booked_at)"
        " VALUES ('deposit', 'wallet', 0, 'permission', 0, 'ZEC', %(zat)s, 1, now(), now()),"
        " ('loss_covered', 'permission', 0, 'losses', 0, 'ZEC', %(zat)s, 1, now(), now())",
        {"zat": ZEC // 4},
    )

    told, code = reconcile()

    assert (code, told["missing_zat"], told["difference_zat"]) == (1, 0, -ZEC // 4)
    assert any("0.25 ZEC less than the 2.25 ZEC that the books say" in each for each in told["findings"])


def test_counts_what_is_seen_and_not_credited(world: World) -> None:
    world.paid(ALICE, zec="1")
    permission = world.create(MALLORY, zec="2")
    world.pay(permission, "2", blocks=1)

    told, code = reconcile()

    assert (code, told["booked_zat"], told["incoming_zat"]) == (0, ZEC, 2 * ZEC)
    assert (told["holdings_zat"], told["difference_zat"]) == (3 * ZEC, 0)


def test_shows_the_operators_own_money_as_a_difference(world: World) -> None:
    world.float_money()
    world.paid(ALICE, zec="1")

    told, _ = reconcile()

    assert told["difference_zat"] == 5 * ZEC


@pytest.mark.unbalanced
def test_names_an_account_that_does_not_say_what_its_permission_says(world: World) -> None:
    permission = world.paid(ALICE, zec="1")
    db.execute(
        "UPDATE zcash_permission SET remaining_zat = remaining_zat - 1 WHERE id = %(id)s",
        {"id": permission.pk},
    )

    told, code = reconcile()

    assert code == 1
    (finding,) = told["findings"]
    assert finding.startswith("L1 a permission's account is what it has left and what its open")
    assert f"id={permission.pk}, " in finding


def test_changes_nothing_in_a_dry_run(world: World) -> None:
    world.paid(ALICE, zec="1")

    told, code = reconcile(dry_run=True)

    assert (code, told["right"], told["chain_searched"]) == (0, True, False)
    assert not Reconciliation.objects.exists()


def test_a_dry_run_says_that_it_has_not_searched_the_chain(world: World) -> None:
    world.paid(ALICE, zec="1")
    dry, full = StringIO(), StringIO()

    call_command("reconcile", stdout=dry, dry_run=True)
    call_command("reconcile", stdout=full)

    assert "The chain was not searched" in dry.getvalue()
    assert "the journal knows everything" in full.getvalue()


def test_says_by_its_exit_code_that_the_wallet_cannot_tell(world: World) -> None:
    world.simnode.__exit__(None, None, None)

    told, code = reconcile(dry_run=True)

    assert (told, code) == ({}, 2)


def test_the_round_keeps_what_it_finds(world: World) -> None:
    world.paid(ALICE, zec="1")

    assert rounds.reconcile_round() is True

    found = Reconciliation.objects.get()
    assert (found.holdings_zat, found.chain_searched) == (ZEC, True)


def test_the_round_finds_by_itself_what_somebody_paid_by_hand(world: World) -> None:
    world.float_money()
    world.paid(ALICE, zec="1")
    assert rounds.reconcile_round() is True
    txid = world.pay_by_hand(MALLORY, "0.5")
    world.mine()

    assert rounds.reconcile_round() is False

    (finding,) = Reconciliation.objects.latest("at").findings
    assert txid in finding


def test_health_fails_where_nobody_compares_the_books(world: World) -> None:
    assert health.PARTS["books"]() == {"ok": True, "compared_at": None}
    world.paid(ALICE, zec="1")
    assert health.PARTS["books"]()["ok"]

    world.hours_pass(19)
    assert health.PARTS["books"]()["detail"].startswith("the books are not compared")
    rounds.reconcile_round()
    assert health.PARTS["books"]()["ok"]
    world.hours_pass(19)

    assert not health.PARTS["books"]()["ok"]


def test_the_round_waits_for_a_node_that_is_away(world: World) -> None:
    world.paid(ALICE, zec="1")
    method = "z_getbalanceforaccount" if world.dialect == "zcashd" else "z_getbalances"
    world.fault("reset_before", method=method, times=9)

    assert rounds.reconcile_round() is None

    assert not Reconciliation.objects.exists()
