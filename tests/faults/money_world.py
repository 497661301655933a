"""A permission, vendors and a wallet on a simulated node: what the rounds of upkeep do with their money."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pytest_django.fixtures import Settings

from billing import earnings, engine, funding, outgoing, rounds
from billing.models import Refund
from billing.payout_models import Payout
from core import clock
from core.models import Event, User
from sessions_app.models import Vendor
from tests import books
from tests.factories import ALICE, ZEC, make_vendor, stream
from tests.faults.cut_worlds import CutNode, Rows
from zcash import permissions
from zcash.addresses import Network, encode_p2pkh
from zcash.models import Deposit, PermissionAudit, SpendingPermission
from zcash.node import IndexUnusable, connect, disconnect

Call = Callable[[], object]

# Deep enough for every question: to spend, to be final, to be expired.
MANY_BLOCKS = 51
MORE_THAN_A_RETRY_MS = 11 * 60 * 1000
HOUR_MS = 60 * 60 * 1000

# Two vendors, whom one transaction pays.
VENDORS = {
    slug: encode_p2pkh(slug.encode().ljust(20, b"\1"), network=Network.REGTEST)
    for slug in ("label", "studio")
}


@dataclass(frozen=True)
class Round:
    """A round to be cut: what the world is like before it, and which round it is.

    `lead_in` comes last and is done anew for a node that was put back: wallets forget their operations.
    """

    begin: tuple["Step", ...]
    call: Call
    lead_in: "Step" = lambda _: None


class World:
    """Alice's permission on a simulated chain, vendors, and a wallet that has money besides."""

    def __init__(self, vera: User, *, node: CutNode, settings: Settings) -> None:
        settings.ZCASH_MIN_CONFIRMATIONS, settings.REFUND_CONFIRMATIONS = 3, 10
        settings.PAYGO_SANDBOX = True
        self.vera, self.node, self._settings, self._rows = vera, node, settings, Rows()
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

    def earned(self) -> None:
        self.credited()
        self.node.do("generate", 10)
        for slug, address in VENDORS.items():
            vendor = make_vendor(self.vera, slug=slug)
            terms = {"payout_address": address, "payout_schedule": "daily", "fee_bps": 1_000}
            Vendor.objects.filter(pk=vendor.pk).update(**terms)
            code = stream(self.vera, vendor=slug, now=clock.now())
            clock.advance(HOUR_MS)
            engine.end(code, client_id=self.vera.pk, now=clock.now())
        clock.advance(25 * HOUR_MS)
        assert rounds.payout_sweep() == len(VENDORS)

    def handed_in(self) -> None:
        rounds.refund_round()
        # All of it, at once.
        assert {each.status for each in payments()} == {"sending"}

    def refused(self) -> None:
        self.node.do("sim_operations", {"fail": {"code": -6, "message": "Insufficient funds"}})
        self.handed_in()

    def failed(self) -> None:
        self.refused()
        rounds.refund_round()
        self.node.do("sim_operations", {"fail": None})
        clock.advance(MORE_THAN_A_RETRY_MS)

    def unanswered(self) -> None:
        self._lost("reset_after")

    def silent(self) -> None:
        # Long enough for all that is answered.
        self._settings.ZCASH_RPC_TIMEOUT_SECONDS = 5
        self._lost("hang")
        self._settings.ZCASH_RPC_TIMEOUT_SECONDS = 30

    def _lost(self, kind: str) -> None:
        self.node.do("sim_fault", {"kind": kind, "method": "z_sendmany", "times": 1})
        rounds.refund_round()
        assert {each.status for each in payments()} == {"unknown"}

    def mined(self) -> None:
        rounds.refund_round()
        self.node.do("generate", 10)
        rounds.refund_round()

    def begin(self, this: Round) -> None:
        """Bring the world to where a round begins; what can be put back is kept."""
        for step in this.begin:
            step(self)
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
            if more_blocks and all(each.status == "confirmed" for each in payments()):
                break
        assert books.violations() == []
        assert arrived() == booked()
        return self._outcome()

    def _outcome(self) -> dict[str, object]:
        kinds = Event.objects.order_by("kind").values_list("kind", flat=True)
        # On the way a refund or payout may have been unknown, or failed and tried again.
        finals = [
            kind
            for kind in kinds
            if not kind.startswith(("refund.", "payout.")) or kind.endswith(".confirmed")
        ]
        return {
            "permission": SpendingPermission.objects.values_list(
                "status", "credited_zat", "reversed_zat", "refunded_zat", "remaining_zat", "shortfall_zat"
            ).get(),
            "deposits": list(Deposit.objects.values_list("status", "amount_zat")),
            "payments": [(each.status, each.amount_zat, each.fee_zat) for each in payments()],
            "earnings": [
                earnings.of_vendor(each, now=clock.now()) for each in Vendor.objects.order_by("slug")
            ],
            "audit": list(PermissionAudit.objects.order_by("id").values_list("action", flat=True)),
            "events": finals,
            "halted": outgoing.halted(),
            "paid_zat": arrived(),
        }


Step = Callable[[World], None]


def payments() -> list[Refund | Payout]:
    """Return what leaves the wallet."""
    return [*Refund.objects.order_by("id"), *Payout.objects.order_by("id")]


def booked() -> dict[str, int]:
    """Return what everybody is paid, as the database has it."""
    paid = Counter(dict.fromkeys((ALICE, *VENDORS.values()), 0))
    for each in payments():
        paid[each.address] += each.paid_zat
    return dict(paid)


def arrived() -> dict[str, int | None]:
    """Return what everybody was paid, as the chain has it."""
    return {address: connect().transparent_balance(address) for address in (ALICE, *VENDORS.values())}


def _own_address() -> str:
    for index in range(64):
        try:
            return connect().new_address(2**61 + index).address
        except IndexUnusable:
            continue
    raise AssertionError("64 indices in a row without an address")
