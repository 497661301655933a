"""What vendors earn in tokens is told, and paid by hand: the books know what is still owed."""

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from billing import earnings, engine, ledger, statements, token_payouts
from billing.earnings import TokenEarnings
from billing.ethereum import statuses
from billing.ledger_models import Transfer
from billing.ledger_rules import Account
from billing.models_ethereum import Authorization, ChainSend, Collection
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


@pytest.fixture
def paid_vendor(vendor: Vendor) -> Vendor:
    """The same, after all of it was collected."""
    collect(2 * USD)
    return vendor


def collect(units: int, *, now: datetime = NOW + timedelta(hours=3)) -> None:
    """Let so much arrive from the wallet for good."""
    authorization = Authorization.objects.get()
    with transaction.atomic():
        send = ChainSend.objects.create(
            chain_id=31337, sender="0x", nonce=ChainSend.objects.count(), status="confirmed", to="0x",
            data=b"", gas=1, max_fee_wei=1, priority_fee_wei=1, raw=b"", hashes=["0x"], created_at=now,
            tried_at=now, mined_hash="0x", block_number=1, block_hash="0x", finished_at=now,
        )  # fmt: skip
        collection = Collection.objects.create(
            authorization=authorization,
            from_units=authorization.collected_units,
            to_units=authorization.collected_units + units,
            status="confirmed",
            send=send,
            received_units=units,
            created_at=now,
            finished_at=now,
        )
        ledger.collected(collection, received_units=units, now=now)
        authorization.collected_units += units
        authorization.save(update_fields=["collected_units"])
        statuses.confirm_paid([authorization])


def run(*options: str, txid: str = TXID, operator: str = "otto") -> dict[str, Any]:
    out = StringIO()
    by = ["--txid", txid, "--operator", operator, "--reason", "paid from the treasury"]
    call_command(*COMMAND, *options, *by, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_what_was_earned_in_tokens_is_told_token_by_token(vendor: Vendor) -> None:
    assert earnings.in_tokens(vendor) == [
        TokenEarnings("USDT", 2 * USD, USD // 5, 2 * USD - USD // 5, paid_units=0, owed_units=0)
    ]
    assert earnings.in_tokens(vendor, until=after(hours=2)) == []
    assert earnings.of_vendor(vendor, now=after(hours=9)).earned_zat == 0
    told = statements.of_vendor(client_id=vendor.client_id, slug=vendor.slug, asked=Asked())
    assert (told.lines, told.tokens) == ([], earnings.in_tokens(vendor))


def test_is_owed_what_the_wallets_have_paid_and_no_more(vendor: Vendor) -> None:
    def told(until: datetime | None = None) -> tuple[int, int]:
        (found,) = earnings.in_tokens(vendor, until=until)
        return found.pending_units, found.owed_units

    with pytest.raises(CommandError, match="from 1 to the 0 that are owed"):
        run("1")
    collect(USD // 2)
    in_part = told()
    collect(3 * USD // 2, now=after(hours=4))

    assert in_part == (1_350_000, 450_000)
    assert told() == (0, 1_800_000)
    # A statement of then goes on saying what it said.
    assert told(until=after(hours=3.5)) == in_part
    run("1800000")
    assert told() == (0, 0)


def test_what_an_operator_has_paid_is_owed_no_more(paid_vendor: Vendor) -> None:
    found = run(str(USD))

    assert (found["paid_units"], found["owed_units"]) == (USD, USD - USD // 5)
    assert ledger.balance(Account.VENDOR, of=paid_vendor.pk, asset="USDT") == USD - USD // 5
    assert ledger.balance(Account.TREASURY, asset="USDT") == USD - 2 * USD
    said = OperatorAction.objects.get()
    assert (said.operator.username, said.reason, said.details["txid"]) == (
        "otto",
        "paid from the treasury",
        TXID,
    )
    assert Transfer.objects.get(kind="chain_payout").cause_id == said.pk


def test_changes_nothing_in_a_dry_run(paid_vendor: Vendor) -> None:
    assert run(str(USD), "--dry-run")["dry_run"] is True

    assert not OperatorAction.objects.exists()
    assert earnings.in_tokens(paid_vendor)[0].paid_units == 0


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
    paid_vendor: Vendor, units: str, given: dict[str, str], message: str, dry: list[str]
) -> None:
    if "already" in message:
        run("7", **given)
    before = OperatorAction.objects.count()

    with pytest.raises(CommandError, match=message):
        run(units, *dry, **given)

    assert OperatorAction.objects.count() == before


def test_the_table_books_a_word_once(paid_vendor: Vendor) -> None:
    run("7")
    word = OperatorAction.objects.get()

    with pytest.raises(IntegrityError, match="charged_once"), transaction.atomic():
        ledger.token_paid(vendor_id=paid_vendor.pk, asset="USDT", units=1, word_id=word.pk, now=NOW)


def test_two_vendors_can_be_paid_by_one_transaction(paid_vendor: Vendor) -> None:
    run("7")
    other = make_vendor(paid_vendor.client, slug="other")

    # Nothing is owed to him: that, not the transaction, is why it is refused.
    with pytest.raises(Exception, match="from 1 to the 0 that are owed"):
        token_payouts.check(other, asset="USDT", units=7, txid=TXID)
