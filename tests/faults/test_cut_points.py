"""The connection to database or node is cut at every message of credits, reversals, refunds and payouts."""

from collections.abc import Iterator

import pytest
import structlog

from billing import engine, funding, payouts, refunds, reversals, rounds, sends
from billing.matching import asked
from billing.models import Refund
from billing.payout_models import Payout
from billing.rules import RefundStatus, SendStatus
from core import db
from core.models import User
from sessions_app.models import Vendor
from tests import books
from tests.factories import (
    ALICE,
    MALLORY,
    ZEC,
    after,
    make_active_permission,
    make_permission,
    see_deposit,
    stream,
)
from tests.faults.cut_rounds import cut_everywhere, paying
from tests.faults.cut_worlds import CutDatabase, Rows, cut_database
from tests.faults.cutting import Window
from tests.faults.money_world import Call, Round, World
from zcash import deposits
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import PrivacyPolicy

# Room for a busy machine: a hundred short lives each.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

log = structlog.get_logger(__name__)


@pytest.fixture
def cut(vera: User) -> Iterator[CutDatabase]:
    with cut_database() as database:
        yield database


def first_credit(vera: User) -> Call:
    see_deposit(make_permission(vera), amount=10 * ZEC)
    return lambda: funding.credit_confirmed(now=after(hours=1))


def top_up_while_streaming(vera: User) -> Call:
    permission = make_active_permission(vera, rate=1 * ZEC)
    stream(vera)
    see_deposit(permission, amount=5 * ZEC)
    return lambda: funding.credit_confirmed(now=after(hours=1))


def reversal_of_what_was_streamed(vera: User) -> Call:
    permission = make_active_permission(vera, rate=1 * ZEC)
    make_active_permission(vera, rate=1 * ZEC)
    stream(vera)
    deposits.mark_lost(Deposit.objects.get(permission=permission), now=after(hours=1))
    return lambda: reversals.reverse_lost(now=after(hours=4))


def credit_of_what_was_reversed(vera: User) -> Call:
    reversal_of_what_was_streamed(vera)()
    reversed_before = Deposit.objects.filter(status="reversed")
    reversed_before.update(status="seen", height=101, block_hash="b" * 64, confirmations=10)
    return lambda: funding.credit_confirmed(now=after(hours=5))


def queued_refund(vera: User) -> Call:
    permission = make_active_permission(vera, rate=1 * ZEC)
    # The fee of a refund depends on what the payment address is.
    SpendingPermission.objects.filter(pk=permission.pk).update(payment_address=MALLORY)
    stream(vera)
    funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=after(hours=4), actor="tests")
    return lambda: refunds.queue_due(now=after(hours=4))


def requeued_refund(vera: User) -> Call:
    queued_refund(vera)()
    let_fail(Refund.objects.get())
    return lambda: refunds.requeue_failed(now=after(hours=41))


def queued_payout(vera: User) -> Call:
    permission = make_active_permission(vera, rate=1 * ZEC)
    SpendingPermission.objects.filter(pk=permission.pk).update(payment_address=MALLORY)
    engine.end(stream(vera), client_id=vera.pk, now=after(hours=4))
    Vendor.objects.update(payout_address=ALICE, payout_schedule="daily")
    return lambda: payouts.queue_due(now=after(hours=40))


def requeued_payout(vera: User) -> Call:
    queued_payout(vera)()
    let_fail(Payout.objects.get())
    return lambda: payouts.requeue_failed(now=after(hours=41))


def let_fail(payment: Refund | Payout) -> None:
    now = after(hours=40)
    with db.operation():
        send = sends.journal([asked(payment)], policy=PrivacyPolicy.RECIPIENTS, tip_height=100, now=now)
        sends.carry(payment, to=RefundStatus.SENDING, now=now, send=send)
    sends.move(send, to=SendStatus.FAILED, now=now, reason="refused")


OPERATIONS = {
    each.__name__: each
    for each in (
        first_credit,
        top_up_while_streaming,
        reversal_of_what_was_streamed,
        credit_of_what_was_reversed,
        queued_refund,
        requeued_refund,
        queued_payout,
        requeued_payout,
    )
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_cut_off_from_the_database_is_done_or_not_begun(
    vera: User, cut: CutDatabase, operation: str
) -> None:
    rows = Rows()
    call = OPERATIONS[operation](vera)
    rows.keep("start")
    before = rows.state(timeless=False)
    undisturbed, _ = cut.attempt(call)
    done = rows.state(timeless=False)
    committing = undisturbed.messages.index("> Q COMMIT") + 1
    count = len(undisturbed.messages)
    log.info("cuts", operation=operation, cuts=count)
    assert count >= 25
    assert done != before

    proven: set[tuple[str, ...]] = set()
    for number in range(1, count + 1):
        rows.put_back("start")

        window, failed = cut.attempt(call, at=number)

        # The last answers are those to COMMIT: it has happened, though the client cannot know.
        state = rows.state(timeless=False)
        assert (window.has_cut, failed) == (True, True), number
        assert state == (done if number > committing else before), number
        if state not in proven:
            assert books.violations() == [], number
            call()
            assert rows.state(timeless=False) == done, number
            proven.add(state)
    assert len(proven) == 2


ROUNDS = {
    "the payment is recorded and credited": Round((World.paid,), rounds.deposit_round),
    "the lost payment is noticed and reversed": Round((World.reorganised,), rounds.deposit_round),
    **paying("the refund is", World.revoked),
    **paying("the payouts are", World.earned),
}
# For the database these are operations and rounds that it has above.
OF_THE_NODE = {
    "the refund that failed is queued and handed in again": Round(
        (World.revoked, World.failed), rounds.refund_round
    ),
    "the payouts that failed are queued and handed in again": Round(
        (World.earned, World.failed), rounds.refund_round
    ),
    "the payouts that the node was silent about are waited for": Round(
        (World.earned, World.silent), rounds.refund_round
    ),
}


@pytest.mark.parametrize("world", ["zcashd"], indirect=True)
@pytest.mark.parametrize("name", ROUNDS)
def test_a_round_cut_off_from_the_database_is_finished_by_the_next(
    world: World, cut: CutDatabase, name: str
) -> None:
    def attempt(call: Call, *, at: int | None = None) -> Window:
        window, failed = cut.attempt(call, at=at)
        assert failed == (at is not None), at
        return window

    assert cut_everywhere(world, ROUNDS[name], attempt=attempt) > 40


@pytest.mark.parametrize("world", ["zcashd", "zallet"], indirect=True)
@pytest.mark.parametrize("name", ROUNDS | OF_THE_NODE)
def test_a_round_cut_off_from_the_node_is_finished_by_the_next(world: World, name: str) -> None:
    this = (ROUNDS | OF_THE_NODE)[name]

    assert cut_everywhere(world, this, attempt=world.node.attempt) >= 3
