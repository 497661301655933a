"""What vendors earn in tokens is told, and paid by hand: the books know what is still owed."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from billing import earnings, engine, ledger, statements, token_payouts
from billing.earnings import TokenEarnings
from billing.ledger_models import Transfer
from billing.ledger_rules import Account
from billing.operator_models import OperatorAction
from billing.statements import Asked
from core.models import User
from sessions_app.models import Vendor
from tests.factories import (
    ALICE_ETHEREUM,
    NOW,
    USD,
    after,
    make_authorization,
    make_client,
    make_vendor,
    stream,
)

pytestmark = pytest.mark.django_db

TXID = "0x" + "ab" * 32
COMMAND = ["recordtokenpayout", "vera-tv", "vendor123", "USDT"]


@pytest.fixture
def vendor() -> Vendor:
    """A vendor who has earned 2 USDT, of which the platform keeps a tenth."""
    vera = make_client()
    User.objects.create_user("otto", is_staff=True)
    made = make_vendor(vera)
    Vendor.objects.update(fee_bps=1_000)
    make_authorization(vera)
    engine.end(stream(vera, wallet=ALICE_ETHEREUM), client_id=vera.pk, now=after(hours=2))
    made.refresh_from_db()
    return made


def run(*options: str, txid: str = TXID, operator: str = "otto") -> dict[str, Any]:
    out = StringIO()
    by = ["--txid", txid, "--operator", operator, "--reason", "paid from the treasury"]
    call_command(*COMMAND, *options, *by, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_what_was_earned_in_tokens_is_told_token_by_token(vendor: Vendor) -> None:
    assert earnings.in_tokens(vendor) == [TokenEarnings("USDT", 2 * USD, USD // 5, 0, 2 * USD - USD // 5)]
    assert earnings.in_tokens(vendor, until=after(hours=2)) == []
    assert earnings.of_vendor(vendor, now=after(hours=9)).earned_zat == 0
    told = statements.of_vendor(client_id=vendor.client_id, slug=vendor.slug, asked=Asked())
    assert (told.lines, told.tokens) == ([], earnings.in_tokens(vendor))


def test_what_an_operator_has_paid_is_owed_no_more(vendor: Vendor) -> None:
    found = run(str(USD))

    assert (found["paid_units"], found["owed_units"]) == (USD, USD - USD // 5)
    assert ledger.balance(Account.VENDOR, of=vendor.pk, asset="USDT") == USD - USD // 5
    assert ledger.balance(Account.TREASURY, asset="USDT") == USD
    said = OperatorAction.objects.get()
    assert (said.operator.username, said.reason, said.details["txid"]) == (
        "otto",
        "paid from the treasury",
        TXID,
    )
    assert Transfer.objects.get(kind="chain_payout").cause_id == said.pk


def test_changes_nothing_in_a_dry_run(vendor: Vendor) -> None:
    assert run(str(USD), "--dry-run")["dry_run"] is True

    assert not OperatorAction.objects.exists()
    assert earnings.in_tokens(vendor)[0].paid_units == 0


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["for real", "dry run"])
@pytest.mark.parametrize(
    ("units", "given", "message"),
    [
        ("1800001", {}, "1800000 that are owed"),
        ("0", {}, "must be from 1"),
        ("7", {"txid": "0x12"}, "64 hexadecimal digits"),
        ("7", {"operator": "vera-tv"}, "is no operator"),
        ("7", {"operator": "nobody"}, "there is no user nobody"),
        ("7", {"txid": "0x" + "cd" * 32}, "written down already"),
    ],
)
def test_refuses_what_cannot_be(
    vendor: Vendor, units: str, given: dict[str, str], message: str, dry: list[str]
) -> None:
    if "already" in message:
        run("7", **given)
    before = OperatorAction.objects.count()

    with pytest.raises(CommandError, match=message):
        run(units, *dry, **given)

    assert OperatorAction.objects.count() == before


def test_the_table_books_a_word_once(vendor: Vendor) -> None:
    run("7")
    word = OperatorAction.objects.get()

    with pytest.raises(IntegrityError, match="charged_once"), transaction.atomic():
        ledger.token_paid(vendor_id=vendor.pk, asset="USDT", units=1, word_id=word.pk, now=NOW)


def test_two_vendors_can_be_paid_by_one_transaction(vendor: Vendor) -> None:
    run("7")
    other = make_vendor(vendor.client, slug="other")

    # Nothing is owed to him: that, not the transaction, is why it is refused.
    with pytest.raises(Exception, match="from 1 to the 0 that are owed"):
        token_payouts.check(other, asset="USDT", units=7, txid=TXID)
