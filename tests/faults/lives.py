"""What the forked processes do: engines, web servers, payers, and the questions asked afterwards."""

import ctypes
import random
import secrets
import signal
import socket
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.util import setup_testing_defaults

from django.core.management import call_command
from django.db import Error as AnyDatabaseError
from django.db import connection

from billing import audit, expiry, funding, interval, rounds
from billing.models import Transaction
from core import clock, db
from core.errors import DomainError
from core.models import User
from paygo.api import keys
from paygo.wsgi import application
from sessions_app.models import StreamingSession
from tests import factories
from zcash.addresses import Network, encode_p2pkh
from zcash.models import Deposit, SpendingPermission

_PR_SET_PDEATHSIG = 1
# A thousand zatoshis a millisecond.
RATE = 3_600_000_000
LONG_ZAT = 10**13


def die_with_parent() -> None:
    """Be killed when the process that forked this one dies."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def warm() -> None:
    """Import what the first request would import."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"HTTP_HOST": "localhost", "PATH_INFO": "/nothing"}
    application(environ, lambda *_: lambda _: None)
    connection.close()


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def web(listener: socket.socket) -> None:
    """Answer requests on the shared socket, one at a time."""
    server = WSGIServer(listener.getsockname(), _Handler, bind_and_activate=False)
    server.socket = listener
    server.server_name, server.server_port = "localhost", listener.getsockname()[1]
    server.setup_environ()
    server.set_app(application)
    server.serve_forever()


def engine(_: socket.socket) -> None:
    """Settle, let events happen and end what is over, round after round, as `bill --loop` does."""

    def one_round() -> None:
        now = clock.now()
        interval.run_interval(now=now, engine=rounds.engine_name(), chunk_size=4)
        expiry.run(now=now)

    _for_ever(one_round, pause_s=0.02)


def payer(_: socket.socket) -> None:
    """See a payment to some permission and credit it."""

    def one_round() -> None:
        open_ones = SpendingPermission.objects.filter(status__in=["active", "queued", "exhausted"])
        ids = list(open_ones.exclude(requested_zat=LONG_ZAT).values_list("pk", flat=True))
        if ids:
            permission = SpendingPermission.objects.get(pk=random.choice(ids))
            _see(permission, random.randint(1, 900_000))
        funding.credit_confirmed(now=clock.now())

    _for_ever(one_round, pause_s=0.1)


def refund_round(_: socket.socket) -> None:
    """Make one round of refunds and payouts, as the worker does."""
    rounds.refund_round()


def prepare(_: socket.socket, *, viewers: int, chain: int) -> dict[str, Any]:
    """Migrate, and make Vera's client, her key, and two wallets for each viewer: a chain and a rich one."""
    call_command("migrate", verbosity=0)
    vera = factories.make_client(f"vera-{secrets.token_hex(4)}")
    factories.make_vendor(vera)
    factories.make_vendor(vera, slug="cheap", price=RATE // 3)
    now = clock.now()
    wallets = []
    for number in range(viewers):
        short, long = _wallet(f"s{vera.pk}-{number}"), _wallet(f"l{vera.pk}-{number}")
        _permission(vera, long, zat=LONG_ZAT, now=now)
        for place in range(chain):
            ends = now + timedelta(seconds=5 + place) if place % 3 == 2 else None
            _permission(vera, short, zat=random.randint(300_000, 2_000_000), now=now, expires_at=ends)
        wallets.append([short, long])
    return {"key": keys.create(vera, name="soak", now=now), "wallets": wallets}


def check(_: socket.socket, *, started: list[str], ended: dict[str, int]) -> dict[str, Any]:
    """Settle once more and return what is wrong: with the books, or with what was acknowledged."""
    deadline = time.monotonic() + 30
    while _others() and time.monotonic() < deadline:
        time.sleep(0.1)
    since = clock.now()
    run = interval.run_interval(now=since, engine="last", chunk_size=1000)
    expiry.run(now=since)
    wrong = [f"put aside: {run.put_aside}"] if run.put_aside else []
    findings = list(audit.run(late=since, timeout_s=300))
    wrong += [f"{each.name}: {each.violations[:3]}" for each in findings if each.violations]
    wrong += [f"an acknowledged start is gone: {code}" for code in _missing(started)]
    wrong += _misremembered(ended)
    (deadlocks,) = db.row("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return {
        "wrong": wrong,
        "invariants": len(findings),
        "deadlocks": deadlocks,
        "sessions": StreamingSession.objects.count(),
        "transactions": Transaction.objects.count(),
        "roll_overs": Transaction.objects.count() - StreamingSession.objects.count(),
        "exhausted": SpendingPermission.objects.filter(status="exhausted").count(),
        "deposits": Deposit.objects.filter(status="confirmed").count(),
    }


def _for_ever(one_round: Any, *, pause_s: float) -> None:
    while True:
        try:
            one_round()
        except (AnyDatabaseError, DomainError):
            connection.close()
            clock.forget()
            time.sleep(0.05)
        time.sleep(random.uniform(0, 2 * pause_s))


def _missing(codes: list[str]) -> list[str]:
    there = set(StreamingSession.objects.filter(code__in=codes).values_list("code", flat=True))
    return [code for code in codes if code not in there]


def _misremembered(ended: dict[str, int]) -> list[str]:
    found: dict[str, list[Any]] = {}
    rows = Transaction.objects.filter(session__code__in=list(ended))
    for code, status, zat in rows.values_list("session__code", "session__status", "amount_zat"):
        found.setdefault(code, []).append((status, zat))
    return [
        f"an acknowledged end is not so: {code} was {zat} zat, the database says {found.get(code)}"
        for code, zat in ended.items()
        if any(status != "ended" or part is None for status, part in found.get(code, []))
        or sum(part or 0 for _, part in found.get(code, [])) != zat
        or code not in found
    ]


def _others() -> int:
    (count,) = db.row(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    return int(count)


def _permission(
    vera: User, wallet: str, *, zat: int, now: datetime, expires_at: datetime | None = None
) -> SpendingPermission:
    permission = factories.make_permission(
        vera, wallet=wallet, requested=zat, rate=RATE, now=now, expires_at=expires_at
    )
    # The counter of the factories starts anew in each fork.
    number = secrets.randbits(62)
    SpendingPermission.objects.filter(pk=permission.pk).update(
        payment_address=encode_p2pkh(secrets.token_bytes(20), network=Network.REGTEST),
        diversifier_index=number,
    )
    _see(permission, zat)
    funding.credit(permission.pk, now=now)
    return permission


def _see(permission: SpendingPermission, zat: int) -> None:
    Deposit.objects.create(
        permission=permission,
        txid=secrets.token_hex(32),
        pool="sapling",
        output_index=0,
        amount_zat=zat,
        height=100,
        block_hash="b" * 64,
        confirmations=1000,
        first_seen_at=clock.now(),
    )


def _wallet(name: str) -> str:
    return encode_p2pkh(name.encode().ljust(20, b"\1")[:20], network=Network.REGTEST)
