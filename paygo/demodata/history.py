"""Lives what was planned: each step by the operation that serves it in production, at its moment of the past.

Whoever runs beside it (a worker, a watcher) does no harm: one life is lived in a few milliseconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
from django.conf import settings

from billing import engine, expiry, funding, holds, interval, operators, refunds, rounds, statistics
from billing.engine import StartRequest
from billing.models import Refund
from billing.rules import RefundStatus
from billing.sends import EXPIRY_BLOCKS, MARGIN_BLOCKS
from core import clock, db
from core.accounts import client_named
from core.errors import DomainError
from core.models import User
from paygo.demodata.plan import CHANNELS, CLIENTS, ZEC, Life, Stream
from sessions_app import vendors
from sessions_app.errors import VendorExists
from zcash import permissions, watch
from zcash.errors import PermissionGone, WrongPermissionState
from zcash.history import leaves, seals
from zcash.models import AuditSeal, SpendingPermission
from zcash.node import connect
from zcash.rules import CLOSED, PermissionStatus

_TIMEOUT_SECONDS = 30


class NotSimulated(Exception):
    """The node is a real one, or cannot be reached."""


class PastIsSealed(Exception):
    """The audit log of those days has been sealed: whatever came now would count as added afterwards."""


class SimulatedChain:
    """The simulated node, as the rest of the world uses it."""

    def __init__(self) -> None:
        self._session = requests.Session()

    def pay(self, address: str, amount_zat: int) -> str:
        """Pay an address from outside; return the txid."""
        return str(self._call("sim_pay", address, str(Decimal(amount_zat) / ZEC)))

    def mine(self, blocks: int) -> None:
        """Mine blocks now."""
        self._call("generate", blocks)

    def fail_next(self, method: str) -> None:
        """Let the next call of a method meet a closed connection."""
        self._call("sim_fault", {"kind": "reset_before", "method": method, "times": 1})

    def _call(self, method: str, *params: Any) -> Any:
        """Call the node.

        Raises:
            NotSimulated: it is none that simulates, or is away.
        """
        body = {"jsonrpc": "1.0", "id": "demo", "method": method, "params": list(params)}
        try:
            answer = self._session.post(
                settings.ZCASH_RPC_URL, json=body, auth=_credentials(), timeout=_TIMEOUT_SECONDS
            )
            found = answer.json()
        except (requests.RequestException, OSError) as error:
            raise NotSimulated(f"the node at ZCASH_RPC_URL cannot be asked: {error}") from error
        if found.get("error"):
            raise NotSimulated(f"the node refuses {method}: {found['error'].get('message')}")
        return found["result"]


@contextmanager
def sealed_at_last(*, days: int, now: datetime) -> Iterator[None]:
    """Keep workers from sealing the past while it is made, and seal it when it is complete.

    Raises:
        PastIsSealed: there is a seal of it already, or a worker is about to make one.
    """
    first_day = (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    with db.alone(seals.LOCK) as held:
        if not held:
            raise PastIsSealed("a worker is sealing the audit log: try again in a minute")
        latest = AuditSeal.objects.filter(covers_to__gt=first_day).order_by("covers_to").last()
        if latest is not None:
            raise PastIsSealed(
                f"the audit log is sealed up to {latest.covers_to:%Y-%m-%d %H:%M}: a past is made up once, "
                "in a database that has none; take an empty one"
            )
        yield
        seals.seal_closed(now=clock.now())


def prepare(*, days: int, now: datetime) -> None:
    """Make the clients, their vendors, and the audit log's partitions of the past."""
    for back in range(days + 1, -1, -1):
        leaves.create_ahead(now=now - timedelta(days=back))
    opened_at = now - timedelta(days=days)
    for channel in CHANNELS:
        client = client_named(channel.client)
        with suppress(VendorExists):
            vendors.create(
                channel.slug,
                client_id=client.pk,
                name=channel.name,
                price_zat_per_hour=channel.price_zat,
                actor="seeddemo",
                now=opened_at,
            )


def clients() -> dict[str, int]:
    """Return the clients' primary keys by their names."""
    found = User.objects.filter(username__in=CLIENTS).values_list("username", "pk")
    return dict(found)


def live(life: Life, *, client_id: int, chain: SimulatedChain, now: datetime) -> SpendingPermission:
    """Live one permission up to now; return it as it is then."""
    request = permissions.Request(life.wallet_address, life.amount_zat, life.rate_zat, life.days)
    permission = permissions.create(request, client_id=client_id, wallet=connect(), now=life.asked_at)
    if life.paid_zat:
        _pay(permission, life, chain=chain)
    for stream in life.streams:
        _watch(stream, life, client_id=client_id)
    if life.revoked_at is not None:
        with suppress(DomainError):
            funding.revoke(
                client_id=client_id,
                public_id=permission.public_id,
                now=life.revoked_at,
                actor=f"client:{client_id}",
            )
    return _grow_old(permission, life, now=now)


def _pay(permission: SpendingPermission, life: Life, *, chain: SimulatedChain) -> None:
    chain.pay(permission.payment_address, life.paid_zat)
    chain.mine(settings.ZCASH_MIN_CONFIRMATIONS)
    paid_at = life.asked_at + timedelta(minutes=5)
    # A worker beside this may have looked before the payment, and found a window that is over without one:
    # then it was paid too late, and its money goes back.
    with suppress(PermissionGone):
        funding.verify(
            client_id=permission.client_id,
            public_id=permission.public_id,
            wallet=connect(),
            read_clock=lambda: paid_at,
        )


def _watch(stream: Stream, life: Life, *, client_id: int) -> None:
    request = StartRequest(life.wallet_address, stream.channel.slug)
    # What is used up, or has expired, starts nothing.
    with suppress(DomainError):
        started = engine.start(request, client_id=client_id, now=stream.starts_at)
        if not stream.is_open:
            engine.end(started.session_code, client_id=client_id, now=stream.starts_at + stream.lasts)


def _grow_old(permission: SpendingPermission, life: Life, *, now: datetime) -> SpendingPermission:
    """Let happen what time alone brings, soon after its moment, and queue what is to be refunded."""
    if life.paid_zat < life.amount_zat and permission.pay_before < now:
        # The watcher looks once more after the window's end: only then it has lapsed.
        after_window = permission.pay_before + timedelta(minutes=1)
        watch.look(permission, wallet=connect(), now=after_window)
        expiry.bring_current(permission.pk, now=after_window)
    found = expiry.bring_current(permission.pk, now=min(now, permission.expires_at + timedelta(minutes=1)))
    if found.status in CLOSED and found.refund_due and found.closed_at:
        refunds.queue_due(now=found.closed_at + timedelta(minutes=1))
    return found


def send_refunds(*, chain: SimulatedChain) -> Iterator[int]:
    """Send the refunds that are queued, batch by batch; yield how many are left."""
    # As deep as a refund asks of the payments behind it.
    chain.mine(settings.REFUND_CONFIRMATIONS + 2)
    rounds.deposit_round(insist=True)
    left = _queued()
    while left:
        rounds.refund_round()
        chain.mine(settings.REFUND_CONFIRMATIONS)
        rounds.refund_round()
        before, left = left, _queued()
        yield left
        if left >= before:
            # A worker beside this sends them, or one has failed: it is tried again by itself.
            return


def leave_cases(lived: list[SpendingPermission], *, chain: SimulatedChain, now: datetime) -> None:
    """Leave something to do for operators: a refund that failed, a hold, a late payment."""
    operator = client_named("demo-support")
    word = operators.word(
        operator_id=operator.pk, name=operator.username, reason="the viewer disputes a session"
    )
    active = [each for each in lived if each.status == PermissionStatus.ACTIVE]
    idle = [each for each in active if each.open_transactions == 0]
    for permission in idle[:2]:
        # What a worker has ended meanwhile is left alone.
        with suppress(WrongPermissionState):
            holds.hold(permission.pk, word=word, now=now)
    for permission in idle[2:4]:
        with suppress(PermissionGone):
            _fail_a_refund(permission, chain=chain, now=now)
    closed = [each for each in lived if each.status in CLOSED]
    for permission in closed[-2:]:
        chain.pay(permission.payment_address, ZEC // 10)
        watch.look(permission, wallet=connect(), now=now)


def _fail_a_refund(permission: SpendingPermission, *, chain: SimulatedChain, now: datetime) -> None:
    """Revoke a permission, let the wallet's answer be lost, and wait until nothing can be mined any more."""
    funding.revoke(
        client_id=permission.client_id,
        public_id=permission.public_id,
        now=now,
        actor=f"client:{permission.client_id}",
    )
    refunds.queue_due(now=now)
    chain.fail_next("z_sendmany")
    rounds.refund_round()
    chain.mine(EXPIRY_BLOCKS + MARGIN_BLOCKS + 1)
    rounds.refund_round()


def bill(*, now: datetime) -> None:
    """Settle what still runs."""
    interval.run_interval(now=now, engine="seeddemo", chunk_size=settings.BILLING_CHUNK_SIZE)


def count(*, now: datetime) -> None:
    """Compare the books with the wallet, and count the statistics anew: a past has been made."""
    rounds.reconcile_round()
    statistics.start_over()
    statistics.bring_up_to_date(now=now, vendors=True)


def _queued() -> int:
    return Refund.objects.filter(status=RefundStatus.QUEUED, not_before__lte=clock.now()).count()


def _credentials() -> tuple[str, str]:
    if settings.ZCASH_RPC_COOKIE_FILE:
        name, _, password = Path(settings.ZCASH_RPC_COOKIE_FILE).read_text().strip().partition(":")
        return name, password
    return settings.ZCASH_RPC_USER, settings.ZCASH_RPC_PASSWORD
