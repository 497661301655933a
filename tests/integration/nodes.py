"""A simulated node and its wallet as these tests move them, and PayGo's passes over them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from billing import funding
from core.amounts import zec_text
from core.models import Event, User
from tests.factories import NOW, ZEC
from zcash import permissions
from zcash.models import Deposit, PermissionAudit, SpendingPermission
from zcash.node import connect, disconnect
from zcash.node.port import WalletPort
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode

# One is asked address by address, the other lists everything.
DIALECTS = ("zcashd", "zallet")
# For what only zallet tells: that it repairs its own view.
on_zallet = pytest.mark.parametrize("node", ["zallet"], indirect=True)
# What a credit needs here.
DEPTH = 3
SCAN_EVERY = timedelta(seconds=15)


class World:
    """A node with some blocks, everybody else who pays through it, and a clock that each pass moves on."""

    def __init__(self, *, dialect: str, control: RpcClient) -> None:
        self.dialect = dialect
        self.now = NOW
        self._control = control

    @property
    def wallet(self) -> WalletPort:
        return connect()

    def do(self, method: str, *params: object) -> Any:
        return self._control.call(method, *params)

    def mine(self, blocks: int = 1) -> list[str]:
        hashes: list[str] = self.do("generate", blocks)
        return hashes

    def create(
        self,
        client: User,
        *,
        wallet: str = "tmAlice",
        requested: int = 10 * ZEC,
        rate: int = 1 * ZEC,
        days: int = 30,
    ) -> SpendingPermission:
        """Return an unpaid permission at an address of this wallet's."""
        request = permissions.Request(wallet, requested, rate, days)
        return permissions.create(request, client_id=client.pk, wallet=self.wallet, now=self.now)

    def create_paid(self, client: User, amount: int | None = None, **arguments: Any) -> SpendingPermission:
        """Return a permission whose payment (what it asks for, unless told) has just been credited."""
        permission = self.create(client, **arguments)
        self.pay(permission, permission.requested_zat if amount is None else amount)
        self.mine(DEPTH)
        self.scan()
        permission.refresh_from_db()
        return permission

    def pay(self, permission: SpendingPermission, amount: int) -> str:
        """Put a payment of so many zatoshis into the mempool and return its txid."""
        return str(self.do("sim_pay", permission.payment_address, zec_text(amount)))

    def pay_together(self, *outputs: tuple[SpendingPermission, int]) -> str:
        """Put one transaction with all these outputs into the mempool and return its txid."""
        rows = [{"address": to.payment_address, "amount": zec_text(amount)} for to, amount in outputs]
        return str(self.do("sim_pay_many", rows))

    def scan(self, *, at: datetime | None = None) -> int:
        """Let one pass happen, at an instant or a little after the last; return how many it credited."""
        self.now = at or self.now + SCAN_EVERY
        return funding.scan_and_credit(wallet=self.wallet, read_clock=lambda: self.now)

    def scans(self, times: int = 3) -> None:
        """Let passes happen without a new block and with one: none of them may change anything."""
        for _ in range(times):
            self.scan()
            self.mine()
            self.scan()

    def verify(self, permission: SpendingPermission) -> SpendingPermission:
        """Let the permission's owner ask how far its payment is."""
        return funding.verify(
            client_id=permission.client_id,
            public_id=permission.public_id,
            wallet=self.wallet,
            read_clock=lambda: self.now,
        )


@contextmanager
def running_world(dialect: str, *, datadir: Path, settings: Settings) -> Iterator[World]:
    """Start a node, point the settings at it, and stop it again."""
    node_port = 0 if dialect == "zallet" else None
    settings.ZCASH_NETWORK, settings.ZCASH_ACCOUNT = "regtest", "0"
    settings.ZCASH_WALLET_DIALECT, settings.ZCASH_MIN_CONFIRMATIONS = "auto", DEPTH
    settings.ZCASH_RPC_USER = settings.ZCASH_RPC_PASSWORD = ""
    with ExitStack() as cleanup:
        node = cleanup.enter_context(SimNode(datadir=datadir, dialect=dialect, node_port=node_port))
        settings.ZCASH_RPC_URL, settings.ZCASH_RPC_COOKIE_FILE = node.url, str(node.cookie_file)
        settings.ZCASH_NODE_URL = node.node_url or ""
        settings.ZCASH_NODE_COOKIE_FILE = str(node.node_cookie_file or "")
        control = RpcClient(node.url, cookie_file=str(node.cookie_file))
        cleanup.enter_context(closing(control))
        cleanup.callback(disconnect)
        world = World(dialect=dialect, control=control)
        world.mine()
        yield world


def money(permission: SpendingPermission) -> tuple[str, int, int]:
    """Return (state, zatoshis left, zatoshis of shortfall)."""
    permission.refresh_from_db()
    return permission.status, permission.remaining_zat, permission.shortfall_zat


def state(permission: SpendingPermission) -> tuple[str, int]:
    """Return (state, zatoshis credited and not reversed)."""
    permission.refresh_from_db()
    return permission.status, permission.credited_zat - permission.reversed_zat


def deposits(permission: SpendingPermission) -> list[tuple[str, int]]:
    """Return (state, confirmations) of each deposit, the first one first."""
    found = Deposit.objects.filter(permission=permission).order_by("id")
    return list(found.values_list("status", "confirmations"))


def actions(permission: SpendingPermission, *, of: Sequence[str]) -> list[str]:
    """Return the audit log's actions, of some kinds, in order."""
    rows = PermissionAudit.objects.filter(permission_id=permission.pk, action__in=of).order_by("id")
    return list(rows.values_list("action", flat=True))


def kinds(*, of: Sequence[str]) -> list[str]:
    """Return the events, of some kinds, in order."""
    return list(Event.objects.filter(kind__in=of).order_by("id").values_list("kind", flat=True))
