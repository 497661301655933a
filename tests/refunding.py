"""Permissions that end with money left, on the simulated node over HTTP in either dialect.

`World` pays, mines and runs the rounds of upkeep as a deployment does. What it knows of the truth it reads
from the simulated chain itself, never from the database.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from pytest_django.fixtures import Settings

from billing import funding, refund_view, refunds, rounds
from billing.models import Refund, WalletSend
from billing.payout_models import Payout
from billing.refund_view import RefundView
from billing.rules import RefundStatus
from core import clock
from core.models import User
from tests.factories import make_client
from zcash import permissions
from zcash.addresses import (
    ORCHARD,
    SAPLING,
    Network,
    Receiver,
    encode_p2pkh,
    encode_sapling,
    encode_tex,
    encode_unified,
    parse,
)
from zcash.models import SpendingPermission
from zcash.node import connect, disconnect
from zcash.node.port import IndexUnusable, WalletPort
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode

ZEC = 100_000_000
DIALECTS = ("zcashd", "zallet")
CONFIRMATIONS, REFUND_CONFIRMATIONS = 3, 10
# After so many blocks behind the intent nothing that was built for it can be mined, with a margin (ZIP-203).
EXPIRY_BLOCKS, MARGIN_BLOCKS = 40, 10
SHIELDED_FEE, TRANSPARENT_FEE, TEX_FEE = 10_000, 15_000, 25_000

REGTEST = Network.REGTEST
_SAPLING_DATA = b"alice".ljust(43, b"\1")
ALICE = encode_sapling(_SAPLING_DATA, network=REGTEST)
ALICE_T = encode_p2pkh(b"alice".ljust(20, b"\1"), network=REGTEST)
ALICE_TEX = encode_tex(b"alice-tex".ljust(20, b"\1"), network=REGTEST)
ALICE_U = encode_unified([Receiver(SAPLING, b"alice-u".ljust(43, b"\1"))], network=REGTEST)
ALICE_O = encode_unified([Receiver(ORCHARD, b"alice-o".ljust(43, b"\1"))], network=REGTEST)
MALLORY = encode_sapling(b"mallory".ljust(43, b"\7"), network=REGTEST)

Payments = Counter[tuple[frozenset[Receiver], int]]


class World:
    """A simulated node, the configured driver on it, Vera's client, and everybody else."""

    def __init__(self, simnode: SimNode, *, dialect: str, settings: Settings) -> None:
        self.simnode = simnode
        self.dialect = dialect
        self.settings = settings
        self.by_hand: Payments = Counter()
        self.vera: User

    @property
    def wallet(self) -> WalletPort:
        return connect()

    def do(self, method: str, *params: object) -> Any:
        """Call the simulated node as the operator or the rest of the world does."""
        with closing(RpcClient(self.simnode.url, cookie_file=str(self.simnode.cookie_file))) as client:
            return client.call(method, *params)

    def mine(self, blocks: int = 1) -> None:
        """Mine, and let the watcher look."""
        self.do("generate", blocks)
        rounds.deposit_round()

    def address(self, start: int = 2**61) -> str:
        """Return an address of the wallet's own account."""
        for index in range(start, start + 64):
            try:
                return self.wallet.new_address(index).address
            except IndexUnusable:
                continue
        raise AssertionError("64 indices in a row without an address")

    def fault(self, kind: str, method: str = "z_sendmany", **more: object) -> None:
        """Let one call of a method go wrong."""
        self.do("sim_fault", {"kind": kind, "method": method, "times": 1, **more})

    def create(
        self, wallet: str = ALICE, *, zec: str = "1", refund_to: str | None = None
    ) -> SpendingPermission:
        """Create a permission as the API does; it is unpaid."""
        request = permissions.Request(wallet, int(Decimal(zec) * ZEC), ZEC, 30, refund_to)
        return permissions.create(request, client_id=self.vera.pk, wallet=self.wallet, now=clock.now())

    def pay(self, permission: SpendingPermission, zec: str, *, blocks: int = REFUND_CONFIRMATIONS) -> str:
        """Pay a permission and mine, by default as deep as its refund needs."""
        txid = str(self.do("sim_pay", permission.payment_address, zec))
        self.mine(blocks)
        permission.refresh_from_db()
        return txid

    def paid(
        self, wallet: str = ALICE, *, zec: str = "1", refund_to: str | None = None
    ) -> SpendingPermission:
        """Return a permission that is paid, its money deep enough to be refunded."""
        permission = self.create(wallet, zec=zec, refund_to=refund_to)
        self.pay(permission, zec)
        assert permission.status in ("active", "queued")
        return permission

    def revoke(self, permission: SpendingPermission) -> SpendingPermission:
        """Revoke a permission as its client does."""
        return funding.revoke(
            client_id=self.vera.pk, public_id=permission.public_id, now=clock.now(), actor="tests"
        )

    def revoked(
        self, wallet: str = ALICE, *, zec: str = "1", refund_to: str | None = None
    ) -> SpendingPermission:
        """Return a permission that was paid and revoked; nothing is refunded yet."""
        return self.revoke(self.paid(wallet, zec=zec, refund_to=refund_to))

    def round(self, times: int = 1) -> int | None:
        """Run the round of refunds."""
        found = None
        for _ in range(times):
            found = rounds.refund_round()
        return found

    def confirm(self) -> None:
        """Let what was sent become final."""
        self.mine(REFUND_CONFIRMATIONS)
        self.round()

    def float_money(self) -> None:
        """Let the account have money of the operator's own, so that refunds give change."""
        self.do("sim_pay", self.settings.ZCASH_SERVICE_WALLET, "5")
        self.mine(REFUND_CONFIRMATIONS)

    def hours_pass(self, hours: float) -> None:
        """Move the sandbox's clock."""
        clock.advance(round(hours * 3_600_000))

    def pay_by_hand(self, address: str, zec: str, *, policy: str = "AllowRevealedRecipients") -> str:
        """Let the operator send from the service's account, past PayGo; return the txid."""
        row = [{"address": address, "amount": zec}]
        minconf = 3 if self.dialect == "zcashd" else None
        service = self.settings.ZCASH_SERVICE_WALLET
        operation = self.do("z_sendmany", service, row, minconf, None, policy)
        (done,) = self.do("z_getoperationresult", [operation])
        assert done["status"] == "success", done
        self.by_hand[_receivers(address), int(Decimal(zec) * ZEC)] += 1
        return str(done["result"]["txid"])

    def arrived_zat(self, address: str) -> int:
        """Return what the best chain, mempool included, has paid to an address."""
        wanted = _receivers(address)
        return sum(zat * count for (paid, zat), count in self.sent().items() if paid <= wanted)

    def memos(self, address: str) -> list[bytes]:
        """Return the memos that arrived at an address."""
        wanted = _receivers(address)
        return [output.memo for output in self._outputs() if output.receiver in wanted]

    def sent(self) -> Payments:
        """Return what the wallet's account has paid to others, mined or in the mempool."""
        return Counter((frozenset([each.receiver]), each.amount_zat) for each in self._outputs())

    def transactions(self) -> int:
        """Return how many transactions of the wallet pay somebody else, dead ones included."""
        node = self.simnode._node
        with node.lock:
            made = [each for each in node.chain.transactions.values() if each.account is not None]
            return sum(any(self._is_foreign(each) for each in one.outputs) for one in made)

    def waiting(self) -> list[str]:
        """Return the wallet's own transactions that wait to be mined."""
        return waiting_of_wallet(self.simnode)

    def held_back_zat(self) -> int:
        """Return what the wallet's account holds, unconfirmed change included."""
        account: Any = 0
        pools = self.do("z_getbalanceforaccount", account, 1)["pools"]
        return sum(pool["valueZat"] for pool in pools.values())

    def _outputs(self) -> list[Any]:
        node = self.simnode._node
        with node.lock:
            alive = [
                transaction
                for txid, transaction in node.chain.transactions.items()
                if transaction.account is not None and node.chain.is_alive(txid)
            ]
            return [output for each in alive for output in each.outputs if self._is_foreign(output)]

    def _is_foreign(self, output: Any) -> bool:
        wallet = self.simnode._node.wallet
        return wallet.account_of(output.receiver) is None and not wallet.is_internal(output.receiver)

    def check_payments(self) -> None:
        """Check that what left the account is what refunds say, each once, and what was paid by hand."""
        certain = _of_refunds(RefundStatus.SENT, RefundStatus.CONFIRMED)
        possible = _of_refunds(RefundStatus.SENDING, RefundStatus.UNKNOWN)
        left = Counter(self.sent())
        for expected in (certain, self.by_hand):
            for (receivers, zat), count in expected.items():
                for _ in range(count):
                    assert _take(left, receivers, zat), f"{zat} zat were not paid to {receivers}"
        for (receivers, zat), count in possible.items():
            for _ in range(count):
                _take(left, receivers, zat)
        assert not +left, f"paid and not accounted for: {+left}"


def waiting_of_wallet(simnode: SimNode) -> list[str]:
    """Return the transactions of a node's own wallet that wait to be mined."""
    node = simnode._node
    with node.lock:
        return [txid for txid, each in node.chain.mempool.items() if each.account is not None]


@contextmanager
def running(datadir: Path, *, dialect: str, settings: Settings) -> Iterator[World]:
    """Start a node in a dialect, configure PayGo for it, and stop it at the end."""
    simnode = SimNode(datadir=datadir, dialect=dialect, node_port=0 if dialect == "zallet" else None)
    _configure(settings)
    with ExitStack() as cleanup:
        cleanup.enter_context(simnode)
        cleanup.callback(disconnect)
        settings.ZCASH_RPC_URL = simnode.url
        settings.ZCASH_RPC_COOKIE_FILE = str(simnode.cookie_file)
        settings.ZCASH_NODE_URL = simnode.node_url or ""
        settings.ZCASH_NODE_COOKIE_FILE = str(simnode.node_cookie_file or "")
        world = World(simnode, dialect=dialect, settings=settings)
        settings.ZCASH_SERVICE_WALLET = world.address()
        world.do("generate", 1)
        yield world


def _configure(settings: Settings) -> None:
    settings.PAYGO_SANDBOX = True
    settings.ZCASH_NETWORK, settings.ZCASH_ACCOUNT = "regtest", "0"
    settings.ZCASH_WALLET_DIALECT, settings.ZCASH_RPC_TIMEOUT_SECONDS = "auto", 30.0
    settings.ZCASH_RPC_USER = settings.ZCASH_RPC_PASSWORD = ""
    settings.ZCASH_MIN_CONFIRMATIONS, settings.ZCASH_CONFIRMATION_TIERS = CONFIRMATIONS, ""
    settings.REFUND_CONFIRMATIONS, settings.REFUND_MINIMUM = REFUND_CONFIRMATIONS, "0.001"
    settings.REFUND_ADDRESS_DELAY_HOURS = 24


@contextmanager
def in_world(datadir: Path, *, dialect: str, settings: Settings) -> Iterator[World]:
    """Run a test in a world with a client; at its end what left the account is what refunds say."""
    with running(datadir, dialect=dialect, settings=settings) as world:
        world.vera = make_client()
        yield world
        world.check_payments()


def refund_of(permission: SpendingPermission) -> Refund:
    """Return the refund of a permission that was queued last."""
    found = Refund.objects.filter(permission=permission).order_by("-id").first()
    assert found is not None
    return found


def view_of(permission: SpendingPermission) -> RefundView:
    """Return what the viewer is told."""
    permission.refresh_from_db()
    view = refund_view.of_permission(permission)
    assert view is not None
    return view


def fee_to(address: str, *, world: World) -> int:
    """Return the conventional fee of one payment; zallet's Orchard money crosses the pool to Sapling."""
    if address == ALICE_T:
        return TRANSPARENT_FEE
    if address == ALICE_TEX:
        return TEX_FEE
    return SHIELDED_FEE if world.dialect == "zcashd" else 2 * SHIELDED_FEE


def set_address(world: World, permission: SpendingPermission, address: str) -> SpendingPermission:
    return refunds.set_address(
        client_id=world.vera.pk,
        public_id=permission.public_id,
        address=address,
        now=clock.now(),
        actor="tests",
    )


def statuses() -> list[str]:
    """Return the states of all refunds, in order of queuing."""
    return list(Refund.objects.order_by("id").values_list("status", flat=True))


def send_statuses() -> list[str]:
    """Return the states of the journal's rows, in order."""
    return list(WalletSend.objects.order_by("id").values_list("status", flat=True))


def _receivers(address: str) -> frozenset[Receiver]:
    return frozenset(parse(address, network=REGTEST).receivers)


def _of_refunds(*states: RefundStatus) -> Payments:
    found = [*Refund.objects.filter(status__in=states), *Payout.objects.filter(status__in=states)]
    return Counter((_receivers(each.address), each.paid_zat) for each in found)


def _take(left: Payments, receivers: frozenset[Receiver], zat: int) -> bool:
    """Take one payment to any of these receivers off what is left."""
    for paid, amount in left:
        if paid <= receivers and amount == zat and left[paid, amount]:
            left[paid, amount] -= 1
            return True
    return False
