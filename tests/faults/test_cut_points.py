"""The connection to the database or the node is cut at every message of credit, refund and reversal."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from django.db import connection
from pytest_django.fixtures import Settings

from billing import funding, outgoing, refunds, reversals, rounds, sends
from billing.matching import asked
from billing.models import Refund
from billing.rules import RefundStatus, SendStatus
from core import clock, db
from core.models import Event, User
from tests import books
from tests.factories import (
    ALICE,
    MALLORY,
    ZEC,
    after,
    make_active_permission,
    make_client,
    make_permission,
    make_vendor,
    see_deposit,
    stream,
)
from tests.faults.cut_worlds import CutDatabase, CutNode, Rows, cut_database
from tests.faults.cutting import Window
from zcash import deposits, permissions
from zcash.models import Deposit, PermissionAudit, SpendingPermission
from zcash.node import IndexUnusable, connect, disconnect
from zcash.node.port import PrivacyPolicy

# Room for a busy machine: a hundred short lives each.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

log = structlog.get_logger(__name__)

Call = Callable[[], object]

# Deep enough for every question: to spend, to be final, to be expired.
MANY_BLOCKS = 51
MORE_THAN_A_RETRY_MS = 11 * 60 * 1000


@pytest.fixture
def vera(transactional_db: None) -> Iterator[User]:
    client = make_client()
    make_vendor(client)
    yield client
    # With what it keeps.
    connection.close()


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
    refund = Refund.objects.get()
    with db.operation():
        send = sends.journal(
            [asked(refund)], policy=PrivacyPolicy.RECIPIENTS, tip_height=100, now=after(hours=4)
        )
        sends.carry(refund, to=RefundStatus.SENDING, now=after(hours=4), send=send)
    sends.move(send, to=SendStatus.FAILED, now=after(hours=4), reason="refused")
    return lambda: refunds.requeue_failed(now=after(hours=5))


OPERATIONS = {
    each.__name__: each
    for each in (
        first_credit,
        top_up_while_streaming,
        reversal_of_what_was_streamed,
        credit_of_what_was_reversed,
        queued_refund,
        requeued_refund,
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


@dataclass(frozen=True)
class Round:
    """A round to be cut: what the world is like before it, and which round it is.

    `lead_in` comes last and is done anew for a node that was put back: wallets forget their operations.
    """

    begin: Callable[["World"], None]
    call: Call
    lead_in: Callable[["World"], None] = lambda _: None


class World:
    """Alice's permission on a simulated chain, and a wallet that has money besides."""

    def __init__(self, vera: User, *, node: CutNode, settings: Settings) -> None:
        settings.ZCASH_MIN_CONFIRMATIONS, settings.REFUND_CONFIRMATIONS = 3, 10
        settings.PAYGO_SANDBOX = True
        self.vera, self.node, self._rows = vera, node, Rows()
        settings.ZCASH_SERVICE_WALLET = _own_address()
        node.do("sim_pay", settings.ZCASH_SERVICE_WALLET, 50)
        node.do("generate", 10)
        request = permissions.Request(ALICE, 10 * ZEC, 1 * ZEC, 30)
        self.permission = permissions.create(request, client_id=vera.pk, wallet=connect(), now=clock.now())
        self._length = -1

    def paid(self) -> None:
        self.txid = self.node.do("sim_pay", self.permission.payment_address, 10)
        self.node.do("generate", 3)

    def credited(self) -> None:
        self.paid()
        rounds.deposit_round()

    def reorganised(self) -> None:
        self.credited()
        self.node.do("sim_reorg", 5, [self.txid])

    def revoked(self) -> None:
        self.credited()
        self.node.do("generate", 10)
        rounds.deposit_round()
        funding.revoke(
            client_id=self.vera.pk, public_id=self.permission.public_id, now=clock.now(), actor="tests"
        )

    def handed_in(self) -> None:
        rounds.refund_round()

    def refused(self) -> None:
        self.node.do("sim_operations", {"fail": {"code": -6, "message": "Insufficient funds"}})
        rounds.refund_round()

    def failed(self) -> None:
        self.revoked()
        self.refused()
        rounds.refund_round()
        self.node.do("sim_operations", {"fail": None})
        clock.advance(MORE_THAN_A_RETRY_MS)

    def unanswered(self) -> None:
        self.revoked()
        self.node.do("sim_fault", {"kind": "reset_after", "method": "z_sendmany", "times": 1})
        rounds.refund_round()

    def mined(self) -> None:
        self.revoked()
        rounds.refund_round()
        self.node.do("generate", 10)
        rounds.refund_round()

    def begin(self, this: Round) -> None:
        """Bring the world to where a round begins; what can be put back is kept."""
        this.begin(self)
        self._rows.keep("begun")
        self.node.keep()

    def start(self, this: Round) -> None:
        """Put everything back to where the round begins."""
        if self.has_moved():
            self.node.put_back()
            self._rows.put_back("begun")
            this.lead_in(self)
            self._rows.keep("start")
            self._length = self.node.length()
        self._rows.put_back("start")
        clock.now()
        # A driver that is opened anew asks all its questions again: each has its cut.
        disconnect()

    def has_moved(self) -> bool:
        """Whether anything has happened to the chain since the start."""
        return self.node.length() != self._length

    def state(self) -> tuple[object, ...]:
        """Return what all that follows depends on."""
        return self.has_moved(), self._rows.state(timeless=True)

    def live_on(self) -> dict[str, object]:
        """Let time and blocks go by until nothing happens any more; return what has become of the money."""
        self.node.do("sim_operations", {"fail": None})
        for more_blocks in (0, 0, *[MANY_BLOCKS] * 8):
            self.node.do("generate", more_blocks)
            clock.advance(MORE_THAN_A_RETRY_MS)
            rounds.deposit_round()
            rounds.refund_round()
            if more_blocks and not Refund.objects.exclude(status="confirmed").exists():
                break
        assert books.violations() == []
        return self._outcome()

    def _outcome(self) -> dict[str, object]:
        kinds = Event.objects.order_by("kind").values_list("kind", flat=True)
        # On the way a refund may have been unknown, or failed and tried again.
        finals = [kind for kind in kinds if not kind.startswith("refund.") or kind == "refund.confirmed"]
        return {
            "permission": SpendingPermission.objects.values_list(
                "status", "credited_zat", "reversed_zat", "refunded_zat", "remaining_zat", "shortfall_zat"
            ).get(),
            "deposits": list(Deposit.objects.values_list("status", "amount_zat")),
            "refunds": list(Refund.objects.values_list("status", "amount_zat", "fee_zat")),
            "audit": list(PermissionAudit.objects.order_by("id").values_list("action", flat=True)),
            "events": finals,
            "halted": outgoing.halted(),
            "paid_zat": connect().transparent_balance(ALICE),
        }


ROUNDS = {
    "the payment is recorded and credited": Round(World.paid, rounds.deposit_round),
    "the lost payment is noticed and reversed": Round(World.reorganised, rounds.deposit_round),
    "the refund is queued, journaled and handed in": Round(World.revoked, rounds.refund_round),
    "the refund is followed until it is sent": Round(World.revoked, rounds.refund_round, World.handed_in),
    "the refund is followed until it is confirmed": Round(World.mined, rounds.refund_round),
    "the refund that failed is noticed": Round(World.revoked, rounds.refund_round, World.refused),
    "the refund without an answer is found": Round(World.unanswered, rounds.refund_round),
}
# For the database this is one operation more, and then the same as for the first time.
AGAIN = {"the refund that failed is queued and handed in again": Round(World.failed, rounds.refund_round)}


def _own_address() -> str:
    for index in range(64):
        try:
            return connect().new_address(2**61 + index).address
        except IndexUnusable:
            continue
    raise AssertionError("64 indices in a row without an address")


@pytest.fixture
def world(request: pytest.FixtureRequest, vera: User, tmp_path: Path, settings: Settings) -> Iterator[World]:
    node = CutNode(tmp_path / "node", dialect=request.param, settings=settings)
    with node.running():
        yield World(vera, node=node, settings=settings)


def cut_everywhere(world: World, this: Round, *, attempt: Callable[..., Window]) -> int:
    """Cut a round at each message, each time from the same start; return at how many.

    Whatever state a cut leaves, the rounds after it lead to the same end as without a cut. A state that was
    met before is not lived through again: nothing else decides what follows.
    """
    world.begin(this)
    world.start(this)
    undisturbed = attempt(this.call)
    expected = world.live_on()
    proven: set[tuple[object, ...]] = set()
    for number in range(1, len(undisturbed.messages) + 1):
        world.start(this)
        assert attempt(this.call, at=number).has_cut, number
        if (state := world.state()) not in proven:
            assert books.violations() == [], number
            assert world.live_on() == expected, (number, undisturbed.messages[number - 1])
            proven.add(state)
    log.info("cuts", cuts=len(undisturbed.messages), states=len(proven), end=expected)
    return len(undisturbed.messages)


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
@pytest.mark.parametrize("name", ROUNDS | AGAIN)
def test_a_round_cut_off_from_the_node_is_finished_by_the_next(world: World, name: str) -> None:
    this = (ROUNDS | AGAIN)[name]

    assert cut_everywhere(world, this, attempt=world.node.attempt) >= 3
