"""The world around PayGo for the stateful test: the simulated chain, a clock, viewers, and what goes wrong.

PayGo talks to the simulated node over HTTP; what happens to the chain is done to it directly.
"""

import random
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from django.db import connection, transaction
from django.test import override_settings

from billing import engine, funding, refunds, rounds
from billing.engine import StartRequest
from core import clock, db
from core.amounts import zec_text
from core.errors import DomainError
from tests.factories import ALICE, NOW, make_client, make_vendor
from tests.refunding import waiting_of_wallet
from zcash import permissions
from zcash.addresses import (
    ORCHARD,
    P2PKH,
    SAPLING,
    Network,
    Receiver,
    encode_p2pkh,
    encode_p2sh,
    encode_sapling,
    encode_tex,
    encode_unified,
)
from zcash.models import SpendingPermission
from zcash.node import connect, disconnect
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode

T = TypeVar("T")

# Below these blocks nothing is ever reorganised: the service's own money lies there.
FUNDING_NOTES = 6
FUNDING_ZEC = "500"
# As deep as zallet wants others' money before it spends it.
SPENDABLE_DEPTH = 10
HISTORY_BLOCKS = 115
BASE_CONFIRMATIONS = 2
TIERS_ZAT = {100_000_000: 4, 300_000_000: 7}
REFUND_CONFIRMATIONS = 5
# Which calls of the node a fault can meet.
FAULTY_METHODS = {
    "zcashd": (
        "getblockchaininfo",
        "getblockhash",
        "getbestblockhash",
        "z_listreceivedbyaddress",
        "gettransaction",
        "z_sendmany",
        "z_getoperationstatus",
        "z_listoperationids",
        "z_listunspent",
        "z_viewtransaction",
        "z_getaddressforaccount",
        None,
    ),
    "zallet": (
        "getwalletstatus",
        "getblockchaininfo",
        "getblockhash",
        "z_listtransactions",
        "z_viewtransaction",
        "getrawtransaction",
        "z_sendmany",
        "z_getoperationstatus",
        "z_listoperationids",
        "z_getaddressforaccount",
        None,
    ),
}
_HANG_SECONDS, _PATIENCE_SECONDS = 0.25, 30.0
# The account of every new wallet; PayGo's own receivers, by dialect.
_SERVICE_INDEX = 2**60
_POOL = {"zcashd": SAPLING, "zallet": ORCHARD}


def _unified(letter: bytes, *typecodes: int) -> str:
    sizes = {P2PKH: 20, SAPLING: 43, ORCHARD: 43}
    receivers = tuple(Receiver(code, letter * sizes[code]) for code in sorted(typecodes))
    return encode_unified(receivers, network=Network.REGTEST)


BOB = _unified(b"b", SAPLING, ORCHARD)
WALLETS = (ALICE, BOB)
REFUND_ADDRESSES = (
    encode_p2pkh(b"1" * 20, network=Network.REGTEST),
    encode_p2sh(b"2" * 20, network=Network.REGTEST),
    encode_sapling(b"3" * 43, network=Network.REGTEST),
    _unified(b"4", SAPLING, ORCHARD),
    _unified(b"5", P2PKH, SAPLING),
    encode_tex(b"6" * 20, network=Network.REGTEST),
    _unified(b"7", ORCHARD),
    _unified(b"8", P2PKH, ORCHARD),
)
# A zcashd sidecar knows no TEX addresses and pays no Orchard receivers.
NOT_PAYABLE = {"zcashd": set(REFUND_ADDRESSES[5:]), "zallet": set[str]()}


class Crashed(BaseException):
    """The process died: no handler of the code under test may see it as a failure that it can handle."""


class Crash:
    """The end of a process before or after its n-th call of the node, or statement; then it does nothing."""

    def __init__(self, *, at: str, after: bool, number: int) -> None:
        self._at, self._after, self._left = at, after, number
        self.dead = False

    def statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Let one statement through, or die; a dead process's transactions are rolled back by the server."""
        if sql.startswith(("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO")):
            return execute(sql, params, many, context)
        return self.through("statement", lambda: execute(sql, params, many, context))

    def through(self, what: str, act: Callable[[], T]) -> T:
        """Let one act happen, or die before or after it."""
        if self.dead:
            raise Crashed
        if what != self._at:
            return act()
        self._left -= 1
        if self._left == 0 and not self._after:
            self._die()
        result = act()
        if self._left == 0:
            self._die()
        return result

    def _die(self) -> None:
        self.dead = True
        raise Crashed


@contextmanager
def crashing(crash: Crash) -> Iterator[None]:
    """Let what happens inside die where the crash says."""
    call = RpcClient.call

    def watched(self: RpcClient, method: str, *params: object) -> object:
        return crash.through("call", lambda: call(self, method, *params))

    try:
        with mock.patch.object(RpcClient, "call", watched), connection.execute_wrapper(crash.statement):
            yield
    except Crashed:
        pass
    # What the end of a process releases by itself.
    db.execute("SELECT pg_advisory_unlock_all()")
    disconnect()


@contextmanager
def rolled_back() -> Iterator[None]:
    """One example leaves nothing behind; the operations inside still believe that theirs is the outermost."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)


class World:
    """A fresh chain, a fresh database, one client, two wallets of viewers."""

    def __init__(self, *, dialect: str, datadir: Path) -> None:
        self.dialect = dialect
        self.now: datetime = NOW
        self.permissions: list[int] = []
        self.payments: list[str] = []
        self.sessions: list[str] = []
        self.is_disturbed = False
        # A refund that was final can have lost its block by that.
        self.was_reorganised_deeply = False
        self.condition: Mapping[str, object] = {}
        self._cleanup = ExitStack()
        with ExitStack() as cleanup:
            cleanup.enter_context(_determined())
            self.simnode = SimNode(
                datadir=datadir, dialect=dialect, node_port=0 if dialect == "zallet" else None
            )
            cleanup.enter_context(self.simnode)
            cleanup.callback(disconnect)
            cleanup.enter_context(override_settings(**self._settings()))
            self._control = RpcClient(self.simnode.url, cookie_file=str(self.simnode.cookie_file))
            cleanup.enter_context(closing(self._control))
            cleanup.enter_context(mock.patch.object(clock, "now", self.read_clock))
            cleanup.enter_context(mock.patch.object(clock, "require_no_skew", return_value=None))
            cleanup.enter_context(rolled_back())
            self._found()
            self._cleanup = cleanup.pop_all()

    def close(self) -> None:
        """Leave nothing behind."""
        self._cleanup.close()

    def read_clock(self) -> datetime:
        """Return this world's time."""
        return self.now

    def _settings(self) -> dict[str, object]:
        return {
            "ZCASH_NETWORK": "regtest",
            "ZCASH_ACCOUNT": "0",
            "ZCASH_WALLET_DIALECT": self.dialect,
            "ZCASH_RPC_TIMEOUT_SECONDS": _PATIENCE_SECONDS,
            "ZCASH_RPC_USER": "",
            "ZCASH_RPC_PASSWORD": "",
            "ZCASH_RPC_URL": self.simnode.url,
            "ZCASH_RPC_COOKIE_FILE": str(self.simnode.cookie_file),
            "ZCASH_NODE_URL": self.simnode.node_url or "",
            "ZCASH_NODE_COOKIE_FILE": str(self.simnode.node_cookie_file or ""),
            "ZCASH_MIN_CONFIRMATIONS": BASE_CONFIRMATIONS,
            "ZCASH_CONFIRMATION_TIERS": ",".join(f"{zec_text(zat)}:{n}" for zat, n in TIERS_ZAT.items()),
            "REFUND_CONFIRMATIONS": REFUND_CONFIRMATIONS,
            "MAX_REVERSALS_PER_PASS": 3,
        }

    def _found(self) -> None:
        self.client = make_client()
        for slug, price, heartbeat in (("cheap", 10**7, None), ("dear", None, 60)):
            make_vendor(self.client, slug=slug, price=price, heartbeat=heartbeat)
        node = self.simnode._node
        with node.lock:
            own = node.new_address(0, _SERVICE_INDEX + self._first_valid(), typecodes=[_POOL[self.dialect]])
        for _ in range(FUNDING_NOTES):
            self.do("sim_pay", own.text, FUNDING_ZEC)
        self.mine(SPENDABLE_DEPTH)
        self.base_height = self.simnode.height
        self.mine(HISTORY_BLOCKS)
        self._cleanup.enter_context(override_settings(ZCASH_SERVICE_WALLET=own.text))
        self.scan()

    def _first_valid(self) -> int:
        wallet, pool = self.simnode._node.wallet, [_POOL[self.dialect]]
        return next(n for n in range(64) if wallet.has_index(0, _SERVICE_INDEX + n, typecodes=pool))

    # The chain and its people.

    def do(self, method: str, *params: object) -> Any:
        """Call one of the node's control methods."""
        return self._control.call(method, *params)

    def mine(self, blocks: int) -> None:
        """Mine blocks; the first takes what waits."""
        node = self.simnode._node
        with node.lock:
            node.mine(blocks)

    def pay(self, *payments: tuple[SpendingPermission, int]) -> None:
        """Pay permissions out of one transaction, in zatoshis."""
        outputs = [{"address": each.payment_address, "amount": zec_text(zat)} for each, zat in payments]
        self.payments.append(self.do("sim_pay_many", outputs))

    def is_unmined(self, txid: str) -> bool:
        """Whether a transaction is in no block of the best chain."""
        node = self.simnode._node
        with node.lock:
            return node.chain.place(txid) is None

    def reorg(self, depth: int, *, drop: list[str]) -> None:
        """Replace blocks down to those of the service's own money; drop what the reorg may drop.

        The new blocks are empty: what was in the old ones waits, or has expired.
        """
        depth = self._allowed(depth)
        chain = self.simnode._node.chain
        lowest = self.simnode.height - depth
        may_go = [txid for txid in drop if not (at := chain.place(txid)) or at.block.height > lowest]
        self.do("sim_reorg", depth, may_go)

    def fork(self, depth: int) -> None:
        """Replace blocks by a longer branch that has their transactions in other places."""
        depth = self._allowed(depth)
        node = self.simnode._node
        with node.lock:
            node.invalidate(node.chain.blocks[-depth])
            node.mine(depth + 1)

    def _allowed(self, depth: int) -> int:
        self.was_reorganised_deeply |= depth >= REFUND_CONFIRMATIONS
        return min(depth, self.simnode.height - self.base_height)

    def own_waiting(self) -> list[str]:
        """Return the transactions of the service's wallet that wait to be mined."""
        return waiting_of_wallet(self.simnode)

    def set_condition(self, condition: Mapping[str, object]) -> None:
        """Let the wallet be locked, behind, recovering or blank."""
        self.condition = condition
        self.do("sim_wallet", dict(condition))

    def disturb(self, *, kind: str, method: str | None, after: int) -> None:
        """Let a fault meet the next round's call of a method."""
        patience = _HANG_SECONDS if kind == "hang" else _PATIENCE_SECONDS
        fault = {"kind": kind, "method": method, "times": 1, "after": after, "seconds": 0}
        self.do("sim_fault", fault)
        self.is_disturbed = True
        self._patience = patience

    _patience = _PATIENCE_SECONDS

    @property
    def is_calm(self) -> bool:
        """Whether node and wallet work as they should."""
        return not self.is_disturbed and not self.condition

    @contextmanager
    def weather(self) -> Iterator[None]:
        """Whatever fault is switched on meets what happens inside, and is over then."""
        with override_settings(ZCASH_RPC_TIMEOUT_SECONDS=self._patience):
            yield
        if self.is_disturbed:
            self.do("sim_fault", None)
            self.is_disturbed, self._patience = False, _PATIENCE_SECONDS

    # PayGo.

    def permission(self, number: int) -> SpendingPermission | None:
        """Return one of the permissions."""
        if not self.permissions:
            return None
        return SpendingPermission.objects.get(pk=self.permissions[number % len(self.permissions)])

    def create(self, request: permissions.Request) -> None:
        """Create a permission, if the wallet answers."""
        with self.weather(), suppress(DomainError):
            made = permissions.create(request, client_id=self.client.pk, wallet=connect(), now=self.now)
            self.permissions.append(made.pk)

    def scan(self) -> int | None:
        """Look for payments and credit them, as the worker does."""
        with self.weather():
            return rounds.deposit_round()

    def refund(self) -> int | None:
        """Queue, follow and send refunds, as the worker does."""
        with self.weather():
            return rounds.refund_round()

    def verify(self, permission: SpendingPermission) -> None:
        """Look at one permission now."""
        with self.weather(), suppress(DomainError):
            funding.verify(
                client_id=self.client.pk,
                public_id=permission.public_id,
                wallet=connect(),
                read_clock=self.read_clock,
            )

    def start(self, wallet: str, *, vendor: str) -> None:
        """Start a session, if somebody pays for it."""
        request = StartRequest(wallet, vendor, f"s{len(self.sessions)}")
        with suppress(DomainError):
            self.sessions.append(engine.start(request, client_id=self.client.pk, now=self.now).session_code)

    def end(self, code: str) -> None:
        """End a session."""
        engine.end(code, client_id=self.client.pk, now=self.now)

    def heartbeat(self, code: str) -> None:
        """Renew a session's lease, if it runs."""
        with suppress(DomainError):
            engine.heartbeat(code, client_id=self.client.pk, now=self.now)

    def revoke(self, permission: SpendingPermission) -> None:
        """Withdraw a permission, if it has not ended."""
        with suppress(DomainError):
            funding.revoke(
                client_id=self.client.pk, public_id=permission.public_id, now=self.now, actor="viewer"
            )

    def redirect(self, permission: SpendingPermission, address: str) -> None:
        """Let refunds go elsewhere, if none is under way."""
        with suppress(DomainError):
            refunds.set_address(
                client_id=self.client.pk,
                public_id=permission.public_id,
                address=address,
                now=self.now,
                actor="viewer",
            )

    def later(self, seconds: int) -> None:
        """Move the clock."""
        self.now += timedelta(seconds=seconds)

    def calm_down(self) -> None:
        """Let everything work again: node, wallet, operations, miners."""
        self.do("sim_fault", None)
        self.is_disturbed, self._patience = False, _PATIENCE_SECONDS
        self.set_condition({})
        self.do("sim_operations", {"hold": False, "fail": None, "broadcast": True})
        for txid in sorted(self.simnode._node.chain.held):
            self.do("sim_release", txid)


@contextmanager
def _determined() -> Iterator[None]:
    """Let a second run of the same steps draw the same addresses and build the same transactions."""
    source = random.Random(1)
    with (
        mock.patch.object(secrets, "token_bytes", lambda size=32: source.randbytes(size)),
        mock.patch.object(secrets, "token_hex", lambda size=32: source.randbytes(size).hex()),
    ):
        yield
