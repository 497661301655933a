"""What an operator says of a transaction that nobody knew is booked as the wallet tells it."""

import pytest

from billing import engine, foreign, funding, ledger, payouts, refunds
from billing.ledger_rules import Account
from billing.models import ForeignSend, Refund
from billing.operator_models import OperatorAction
from billing.operators import Word
from billing.payout_models import Payout
from core.errors import Conflict
from core.models import User
from sessions_app.models import Vendor
from tests.factories import (
    ALICE,
    MALLORY,
    NOW,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_vendor,
    stream,
)
from zcash.addresses import Network, encode_sapling
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db

TXID = "ab" * 32
# What two outputs to others cost at least, and what one transparent one does.
FEE = 15_000
WORD = Word(None, "shell:otto", "paid it by hand")


@pytest.fixture
def vera() -> User:
    return make_client()


@pytest.fixture
def refund(vera: User) -> Refund:
    """Of 10 ZEC to ALICE, queued."""
    permission = make_active_permission(vera)
    paid_to = encode_sapling(b"paid here".ljust(43, b"\1"), network=Network.REGTEST)
    SpendingPermission.objects.filter(pk=permission.pk).update(payment_address=paid_to)
    funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=NOW, actor="tests")
    refunds.queue_due(now=NOW)
    return Refund.objects.get()


@pytest.fixture
def payout(vera: User, settings) -> Payout:
    """Of 1 ZEC to MALLORY, queued."""
    settings.PAYOUT_HOLD_HOURS = 0
    make_vendor(vera)
    Vendor.objects.update(payout_address=MALLORY)
    make_active_permission(vera, wallet="bob", rate=ZEC)
    SpendingPermission.objects.filter(wallet_address="bob").update(payment_address=ALICE)
    engine.end(stream(vera, wallet="bob"), client_id=vera.pk, now=after(hours=1))
    payouts.request("vendor123", client_id=vera.pk, now=after(hours=2))
    return Payout.objects.get()


def seen(*payments: tuple[str, int]) -> None:
    """Let the wallet tell of a transaction that nobody knows."""
    told = [{"address": address, "amount_zat": zat, "memo": None} for address, zat in payments]
    ForeignSend.objects.create(txid=TXID, payments=told, seen_height=9, first_seen_at=NOW)


def explain(*settles: Refund | Payout) -> None:
    ids = [each.public_id for each in settles]
    now = after(hours=3)
    assert foreign.explain(TXID, settles=ids, word=WORD, tip_height=9, now=now)
    for each in settles:
        each.refresh_from_db()


def taken_out() -> int:
    """Return what the books say that the operator took out."""
    return -ledger.balance(Account.OWNER)


def test_what_nobody_asked_for_was_taken_out_with_its_fee() -> None:
    seen((ALICE, ZEC), (MALLORY, 2 * ZEC))

    explain()

    assert taken_out() == 3 * ZEC + 20_000
    said = OperatorAction.objects.get()
    assert (said.verb, said.operator, said.reason) == ("explain", None, "paid it by hand")
    assert said.details == {"txid": TXID, "settles": [], "withdrawn_zat": taken_out(), "by": "shell:otto"}


def test_a_refund_that_was_paid_in_full_is_paid(refund: Refund) -> None:
    seen((ALICE, refund.paid_zat))

    explain(refund)

    assert (refund.status, refund.amount_zat, taken_out()) == ("sent", 10 * ZEC, 0)
    assert ledger.balance(Account.WALLET) == 0


def test_what_a_refund_was_paid_too_much_was_taken_out(refund: Refund) -> None:
    seen((ALICE, refund.paid_zat + ZEC))

    explain(refund)

    assert (refund.status, refund.amount_zat, taken_out()) == ("sent", 10 * ZEC, ZEC)


def test_what_a_refund_was_paid_too_little_is_owed_as_before(refund: Refund) -> None:
    seen((ALICE, refund.paid_zat - ZEC))

    explain(refund)

    permission = SpendingPermission.objects.get()
    assert (refund.status, refund.amount_zat, taken_out()) == ("sent", 9 * ZEC, 0)
    assert (permission.remaining_zat, permission.refunded_zat, permission.refund_due) == (ZEC, 9 * ZEC, True)
    assert ledger.balance(Account.PERMISSION, of=permission.pk) == ZEC == -ledger.balance(Account.WALLET)


def test_what_a_payout_was_paid_too_little_is_the_vendors_as_before(payout: Payout) -> None:
    seen((MALLORY, payout.paid_zat - ZEC // 4))

    explain(payout)

    assert (payout.status, payout.amount_zat) == ("sent", 3 * ZEC // 4)
    assert ledger.balance(Account.VENDOR, of=payout.vendor_id) == ZEC // 4


def test_one_transaction_settles_what_it_has_paid_and_the_rest_was_taken_out(
    refund: Refund, payout: Payout
) -> None:
    seen((MALLORY, 7), (ALICE, refund.paid_zat), (MALLORY, payout.paid_zat))

    explain(refund, payout)

    assert (refund.status, payout.status, taken_out()) == ("sent", "sent", 7)
    assert (refund.amount_zat, payout.amount_zat) == (10 * ZEC, ZEC)


@pytest.mark.parametrize("paid", [[], [(MALLORY, 10 * ZEC)]], ids=["nothing known", "somebody else"])
def test_settles_nothing_that_the_wallet_does_not_say(refund: Refund, paid: list[tuple[str, int]]) -> None:
    seen(*paid)

    with pytest.raises(Conflict, match="the wallet says nothing of a payment to"):
        explain(refund)

    refund.refresh_from_db()
    assert (refund.status, foreign.unexplained()[0].txid) == ("queued", TXID)


def test_one_output_settles_one_refund(vera: User, refund: Refund) -> None:
    other = make_active_permission(vera, wallet=ALICE)
    paid_to = encode_sapling(b"paid there".ljust(43, b"\1"), network=Network.REGTEST)
    SpendingPermission.objects.filter(pk=other.pk).update(payment_address=paid_to)
    SpendingPermission.objects.update(refund_address=ALICE)
    funding.revoke(client_id=vera.pk, public_id=other.public_id, now=NOW, actor="tests")
    refunds.queue_due(now=NOW)
    second = Refund.objects.exclude(pk=refund.pk).get()
    seen((ALICE, refund.paid_zat))

    with pytest.raises(Conflict):
        explain(refund, second)

    assert set(Refund.objects.values_list("status", flat=True)) == {"queued"}
