"""What a payout is made of adds up to its amount, whatever was paid before it."""

import pytest

from billing import engine, payouts, sends, statements
from billing.matching import asked
from billing.payout_models import Payout
from billing.rules import RefundStatus, SendStatus
from billing.statements import Asked, Statement
from core import db
from core.errors import Invalid
from core.models import User
from sessions_app.models import Vendor
from tests.factories import (
    ALICE,
    MALLORY,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_vendor,
    stream,
)
from zcash.models import SpendingPermission
from zcash.node.port import PrivacyPolicy

pytestmark = pytest.mark.django_db

HOLD_HOURS = 2


@pytest.fixture
def vera(settings) -> User:
    """A client whose vendor gives a fortieth to the platform, and whose viewer has paid 10 ZEC."""
    settings.PAYOUT_HOLD_HOURS = HOLD_HOURS
    client = make_client()
    make_vendor(client)
    Vendor.objects.update(payout_address=MALLORY, fee_bps=250)
    make_active_permission(client, rate=ZEC)
    SpendingPermission.objects.update(payment_address=ALICE)
    return client


def streamed(vera: User, *, at: float, seconds: int) -> None:
    """Let a viewer stream, so many hours after the start."""
    engine.end(stream(vera, now=after(hours=at)), client_id=vera.pk, now=after(hours=at, seconds=seconds))


def paid_out(vera: User, *, at: float) -> Payout:
    """Pay the vendor what is available, so many hours after the start."""
    payouts.request("vendor123", client_id=vera.pk, now=after(hours=at))
    payout = Payout.objects.latest("number")
    with db.operation():
        policy = PrivacyPolicy.RECIPIENTS
        send = sends.journal([asked(payout)], policy=policy, tip_height=9, now=after(hours=at))
        sends.carry(payout, to=RefundStatus.SENDING, now=after(hours=at), send=send)
    sends.move(send, to=SendStatus.SENT, now=after(hours=at), txids=[f"{payout.number:064x}"])
    sends.move(send, to=SendStatus.CONFIRMED, now=after(hours=at))
    return payout


def statement(payout: Payout, *, after: int = 0, limit: int = 1000) -> Statement:
    vendor = payout.vendor
    part = Asked(after=after, limit=limit)
    return statements.of_payout(payout.public_id, client_id=vendor.client_id, slug=vendor.slug, asked=part)


def test_each_is_made_of_what_was_earned_since_the_one_before(vera: User) -> None:
    streamed(vera, at=0, seconds=1)
    streamed(vera, at=1, seconds=777)
    first = paid_out(vera, at=4)
    # Booked before the next payout is asked for, and pending still: the one after has it.
    streamed(vera, at=4, seconds=333)
    streamed(vera, at=8, seconds=10)
    second = paid_out(vera, at=9)
    third = paid_out(vera, at=20)

    told = [statement(each) for each in (first, second, third)]

    assert [[line.kind for line in each.lines] for each in told] == [
        ["stream", "fee"] * 2,
        ["stream", "fee"],
        ["stream", "fee"],
    ]
    assert [each.closing_zat for each in told] == [first.amount_zat, second.amount_zat, third.amount_zat]
    assert [each.opening_zat for each in told] == [0, 0, 0]
    assert told[0].name == "vendor123-payout-1"
    # A second costs 27,777 zatoshis, of which 694 are the platform's.
    assert [line.amount_zat for line in told[0].lines][:2] == [27_777, -694]
    for each in told:
        assert each.opening_zat + sum(line.amount_zat for line in each.lines) == each.closing_zat


def test_what_went_back_is_in_the_next_one(vera: User) -> None:
    streamed(vera, at=0, seconds=100)
    payouts.request("vendor123", client_id=vera.pk, now=after(hours=3))
    cancelled = Payout.objects.get()
    with db.operation():
        sends.carry(cancelled, to=RefundStatus.CANCELLED, now=after(hours=3))
    streamed(vera, at=3, seconds=100)
    kept = paid_out(vera, at=6)

    assert statement(kept).closing_zat == kept.amount_zat == 2 * cancelled.amount_zat
    assert len(statement(kept).lines) == 4
    assert statement(cancelled).closing_zat == cancelled.amount_zat


def test_pages_go_on_where_the_last_one_ended(vera: User) -> None:
    streamed(vera, at=0, seconds=1)
    paid_out(vera, at=3)
    for hours in (3, 3.5, 4):
        streamed(vera, at=hours, seconds=100)
    payout = paid_out(vera, at=7)
    whole = statement(payout)

    pages = [statement(payout, limit=4)]
    assert pages[0].next_after
    pages.append(statement(payout, after=pages[0].next_after, limit=4))

    assert [line for page in pages for line in page.lines] == list(whole.lines)
    assert (pages[0].closing_zat, pages[1].next_after) == (pages[1].opening_zat, None)
    assert pages[1].closing_zat == payout.amount_zat


def test_is_none_of_another_vendor(vera: User) -> None:
    streamed(vera, at=0, seconds=1)
    payout = paid_out(vera, at=3)
    make_vendor(vera, slug="other")

    with pytest.raises(Invalid, match="no payout of this vendor"):
        statements.of_payout(payout.public_id, client_id=vera.pk, slug="other", asked=Asked())
