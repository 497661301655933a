"""What must hold in the stateful test's world, by the chain's own account and by sums of its own."""

from collections import Counter
from typing import NamedTuple

from django.conf import settings
from django.db.models import QuerySet

from billing import outgoing
from billing.models import Refund, Transaction, WalletSend
from billing.reversals import is_too_much
from billing.rules import RefundStatus, SendStatus, TransactionStatus
from core import db
from core.amounts import parse_zec
from tests import books
from tests.scenarios.zcash_world import (
    BASE_CONFIRMATIONS,
    NOT_PAYABLE,
    TIERS_ZAT,
    World,
)
from zcash.models import Deposit, SpendingPermission, WatchedChain
from zcash.rules import CLOSED, DepositStatus
from zcash.simnode.pools import pool_name

Output = tuple[str, str, int]

_ON_ITS_WAY = (RefundStatus.SENDING, RefundStatus.UNKNOWN, RefundStatus.SENT, RefundStatus.CONFIRMED)
_YOUNG_BLOCKS = 100

# The net number of credits of each output, from the audit log, against what its row says.
_CREDITED_ONCE = """
    SELECT d.id, d.status, a.credits FROM zcash_deposit d CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE action = 'credited') - count(*) FILTER (WHERE action = 'reversed')
               AS credits
        FROM zcash_permission_audit WHERE permission_id = d.permission_id
            AND action IN ('credited', 'reversed') AND details->>'txid' = d.txid
            AND details->>'pool' = d.pool AND (details->>'output_index')::int = d.output_index) a
    WHERE a.credits <> (d.status = 'confirmed')::int
"""
_RUNS_ON_WHAT_IS_NOT_ACTIVE = """
    SELECT x.id, p.status FROM billing_transaction x JOIN zcash_permission p ON p.id = x.permission_id
    WHERE x.status = 'open' AND (p.status <> 'active' OR p.remaining_zat <= 0)
"""
_NEGATIVE = """
    SELECT id FROM zcash_permission
    WHERE least(remaining_zat, credited_zat, reversed_zat, refunded_zat, shortfall_zat,
                credited_zat - reversed_zat) < 0
"""


class Received(NamedTuple):
    """An output to one of the wallet's addresses; `height` is None while no block of the chain has it."""

    address: str
    amount_zat: int
    height: int | None


class Truth:
    """What the chain holds, from the simulated node's own state."""

    def __init__(self, world: World) -> None:
        node = world.simnode._node
        with node.lock:
            chain, wallet = node.chain, node.wallet
            self.tip_height, self.tip_hash = chain.tip.height, chain.tip.hash
            self.received: dict[Output, Received] = {}
            self.paid: Counter[tuple[str, int]] = Counter()
            for txid, transaction in chain.transactions.items():
                place = chain.place(txid)
                for index, output in enumerate(transaction.outputs):
                    owner = wallet.owner(output.receiver)
                    if owner:
                        height = place.block.height if place else None
                        pool = pool_name(output.pool) if world.dialect == "zallet" else output.pool
                        key = (txid, pool, transaction.pool_index(index))
                        self.received[key] = Received(owner.text, output.amount_zat, height)
                    elif transaction.account is not None and wallet.account_of(output.receiver) is None:
                        self.paid[(output.address, output.amount_zat)] += chain.is_alive(txid)

    def of(self, address: str) -> dict[Output, Received]:
        """Return what one address received."""
        return {output: each for output, each in self.received.items() if each.address == address}

    def required_confirmations(self, found: dict[Output, Received]) -> int:
        """Return the depth that one permission's outputs need, by all that is young among them."""
        young = [
            each for each in found.values() if each.height and each.height > self.tip_height - _YOUNG_BLOCKS
        ]
        young_zat = sum(each.amount_zat for each in young)
        return max([BASE_CONFIRMATIONS, *(depth for zat, depth in TIERS_ZAT.items() if young_zat >= zat)])


class Checks:
    """The invariants; `buried` are outputs too deep to be looked at again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buried: set[Output] = set()
        self._half_seen_tip = ""
        self._credited: set[Output] = set()

    def always(self) -> None:
        """Check what holds after every step, whatever has failed."""
        wrong = books.violations()
        assert not wrong, "\n".join(wrong)
        assert db.rows(_CREDITED_ONCE) == [], "an output is credited at most once, net"
        assert db.rows(_RUNS_ON_WHAT_IS_NOT_ACTIVE) == [], "meters run on active permissions alone"
        assert db.rows(_NEGATIVE) == [], "no money is negative"
        truth = Truth(self._world)
        self._check_deposits_are_outputs(truth)
        self._credited = set(map(_output, Deposit.objects.filter(status=DepositStatus.CONFIRMED)))
        surplus = truth.paid - _asked_for(_ON_ITS_WAY)
        assert not surplus, f"paid what no refund under way asks for, or twice: {surplus}"

    def _check_deposits_are_outputs(self, truth: Truth) -> None:
        for deposit in Deposit.objects.select_related("permission"):
            received = truth.received.get(_output(deposit))
            assert received is not None, f"nobody made {deposit}"
            assert (received.address, received.amount_zat) == (
                deposit.permission.payment_address,
                deposit.amount_zat,
            )

    def after_scan(self, *, whole: bool) -> None:
        """Check what holds after a look at the chain that nothing disturbed (`whole`)."""
        truth = Truth(self._world)
        deposits = Deposit.objects.filter(status=DepositStatus.CONFIRMED).select_related("permission")
        credited = {_output(each): each for each in deposits}
        # A tip that was looked at badly is not looked at again in full: what was missed waits for a block.
        is_first_look = self._half_seen_tip != truth.tip_hash
        if whole and is_first_look:
            self._check_held(truth, credited)
        if whole and (is_first_look or self._world.dialect == "zallet"):
            self._check_credited(truth, set(credited))
        if not whole:
            self._half_seen_tip = truth.tip_hash
        self._bury(credited)
        self._credited = set(credited)

    def _bury(self, credited: dict[Output, Deposit]) -> None:
        """Note what lies below the blocks that the next look goes through."""
        mark = WatchedChain.objects.get().tip_height or 0
        self._buried |= {key for key, each in credited.items() if (each.height or 0) <= mark - _YOUNG_BLOCKS}

    def _check_held(self, truth: Truth, credited: dict[Output, Deposit]) -> None:
        """Nothing is credited that the best chain does not hold, but what waits for an operator."""
        absent = [each for output, each in credited.items() if truth.received[output].height is None]
        absent = [each for each in absent if _output(each) not in self._buried]
        lost = [each for each in credited.values() if each.lost_at]
        assert set(absent) <= set(lost), f"credited and on no block: {absent}"
        assert not lost or is_too_much(lost), f"lost and not taken back: {lost}"

    def _check_credited(self, truth: Truth, credited: set[Output]) -> None:
        """All that lies deep enough is credited."""
        found = SpendingPermission.objects.all()
        if self._world.dialect == "zcashd":
            found = found.exclude(status__in=CLOSED)
        self._check_all_credited(truth, credited, list(found))

    def _check_all_credited(
        self, truth: Truth, credited: set[Output], permissions: list[SpendingPermission]
    ) -> None:
        for permission in permissions:
            received = truth.of(permission.payment_address)
            deep = truth.tip_height + 1 - truth.required_confirmations(received)
            due = {output for output, each in received.items() if each.height and each.height <= deep}
            assert due <= credited, f"{permission.status}, confirmed and not credited: {due - credited}"
            early = (received.keys() & credited) - due - self._credited - self._buried
            assert not early, f"credited before its depth: {early}"

    def after_interval(self) -> None:
        """No ghost: whoever still runs is paid for, now."""
        now = self._world.now
        running = Transaction.objects.filter(status=TransactionStatus.OPEN).select_related("permission")
        for each in running:
            assert each.billable_until > now, "a session outlived its bound"
            assert each.permission.expires_at > now, "a session outlived its permission"
            assert each.permission.remaining_zat > 0, "a session outlived the money"
            # What was settled a moment ago is left to the next interval.
            late_s = (now - each.permission.settled_at).total_seconds()
            assert late_s < settings.BILLING_INTERVAL_SECONDS, "the interval left a meter behind"

    def is_all_done(self) -> bool:
        """Whether no send is under way and no refund waits for one."""
        return not _unfinished_sends().exists() and not _open_refunds().exists()

    def at_the_end(self) -> None:
        """Progress (I10): with everything working again, all that is due has been done."""
        assert not outgoing.halted(), f"sending is halted: {outgoing.halted()}"
        sends = list(_unfinished_sends().values_list("status", "reason"))
        assert not sends, f"sends have not come to their end: {sends}"
        waiting = list(_open_refunds().values_list("status", "reason"))
        assert not waiting, f"refunds are not paid: {waiting}"
        truth = Truth(self._world)
        credited = set(map(_output, Deposit.objects.filter(status=DepositStatus.CONFIRMED)))
        self._check_all_credited(truth, credited, list(SpendingPermission.objects.all()))
        self._check_nothing_is_left()
        assert self._world.was_reorganised_deeply or +truth.paid == _asked_for([RefundStatus.CONFIRMED])

    def _check_nothing_is_left(self) -> None:
        least_zat = parse_zec(settings.REFUND_MINIMUM) + 25_000
        for permission in SpendingPermission.objects.all():
            assert permission.status in CLOSED, f"{permission.status} past its last day"
            assert permission.remaining_zat < least_zat, "money of an ended permission was not refunded"


def _output(deposit: Deposit) -> Output:
    return deposit.txid, deposit.pool, deposit.output_index


def _asked_for(states: list[RefundStatus] | tuple[RefundStatus, ...]) -> Counter[tuple[str, int]]:
    """Count what refunds in some states ask for: which address gets how much."""
    return Counter((each.address, each.paid_zat) for each in Refund.objects.filter(status__in=states))


def _unfinished_sends() -> QuerySet[WalletSend]:
    return WalletSend.objects.exclude(status__in=[SendStatus.CONFIRMED, SendStatus.FAILED])


def _open_refunds() -> QuerySet[Refund]:
    return Refund.objects.exclude(status__in=[RefundStatus.CONFIRMED, RefundStatus.CANCELLED])


def unpayable(world: World) -> list[SpendingPermission]:
    """Return permissions whose refunds this wallet cannot pay to the address they have."""
    return [
        each
        for each in SpendingPermission.objects.all()
        if (each.refund_address or each.wallet_address) in NOT_PAYABLE[world.dialect]
    ]
