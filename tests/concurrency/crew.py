"""A crew of threads, each with a connection that it keeps, and a small world for it to race in."""

import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

from django.db import connection, connections

from core import db
from core.models import User
from sessions_app.models import Vendor
from tests.concurrency.threads import TIMEOUT_SECONDS

_LOCKS = re.compile(r"FOR (NO KEY )?UPDATE( OF \"?\w+\"?)?( NOWAIT| SKIP LOCKED)?")

# A wallet with an active permission of one ZEC that one session uses at one ZEC an hour, a queued one of two,
# and one ZEC for the first on the chain, not credited yet. Every third active one has a last day.
_WORLD = """
WITH wallet AS (
    SELECT n, 'wallet-' || n AS name, %(now)s::timestamptz AS at FROM (VALUES (%(number)s)) w (n)
), permission AS (
    INSERT INTO zcash_permission (public_id, client_id, wallet_address, status, requested_zat,
        rate_zat_per_hour, duration_days, credited_zat, reversed_zat, remaining_zat, settled_at,
        open_transactions, meter_rate_zat_per_hour, meter_started_at, next_event_at, payment_address,
        diversifier_index, created_at, expires_at, pay_before, queued_at, activated_at)
    SELECT gen_random_uuid(), %(client)s, name, status, zat, 100000000, 30, zat, 0, zat,
           CASE status WHEN 'active' THEN at END, opened, CASE opened WHEN 1 THEN 100000000 END,
           CASE opened WHEN 1 THEN at END, CASE opened WHEN 1 THEN least(at + interval '1 hour', ends) END,
           status || '-' || n, 2 * n + opened, at, ends, at + interval '1 hour',
           CASE status WHEN 'queued' THEN at END, CASE status WHEN 'active' THEN at END
    FROM wallet, LATERAL (
        VALUES ('active', 100000000, 1,
                at + CASE n %% 3 WHEN 0 THEN interval '50 minutes' ELSE interval '30 days' END),
               ('queued', 200000000, 0, at + interval '30 days')
    ) p (status, zat, opened, ends)
    RETURNING id, wallet_address, status, remaining_zat, created_at
), paid AS (
    INSERT INTO zcash_deposit (permission_id, txid, pool, output_index, amount_zat, status, height,
                               block_hash, confirmations, first_seen_at, credited_at)
    SELECT id, 'paid-' || id, 'sapling', 0, remaining_zat, 'confirmed', 1, 'block', 10, created_at, created_at
    FROM permission
    UNION ALL
    SELECT id, 'seen-' || id, 'sapling', 0, 100000000, 'seen', 1, 'block', 10, created_at, NULL
    FROM permission WHERE status = 'active'
    RETURNING id, permission_id, amount_zat, credited_at
), posted AS (
    INSERT INTO billing_transfer (kind, debit, debit_of, credit, credit_of, asset, amount_units, cause_id, at,
                                  booked_at)
    SELECT 'deposit', 'wallet', 0, 'permission', permission_id, 'ZEC', amount_zat, id, credited_at,
           credited_at
    FROM paid WHERE credited_at IS NOT NULL
), logged AS (
    INSERT INTO zcash_permission_audit (permission_id, created_at, effective_at, amount_before_zat,
                                        amount_after_zat, action, actor, details)
    SELECT id, created_at, created_at, 0, remaining_zat, 'credited', 'tests',
           jsonb_build_object('txid', 'paid-' || id, 'pool', 'sapling', 'output_index', 0)
    FROM permission
), session AS (
    INSERT INTO sessions_session (public_id, code, client_id, wallet_address, vendor_id, client_ref,
                                  rate_zat_per_hour, status, started_at, capped_at)
    SELECT gen_random_uuid(), name, %(client)s, name, %(vendor)s, '', 100000000, 'active', at,
           at + interval '12 hours'
    FROM wallet
    RETURNING id, wallet_address, started_at, capped_at
)
INSERT INTO billing_transaction (public_id, session_id, permission_id, rate_zat_per_hour, started_at,
                                 billable_until, status)
SELECT gen_random_uuid(), s.id, p.id, 100000000, s.started_at, s.capped_at, 'open'
FROM session s JOIN permission p USING (wallet_address) WHERE p.status = 'active'
"""


def make_world(client: User, *, vendor: Vendor, number: int, now: datetime) -> None:
    """Make the wallet `wallet-<number>`; that is the code of its session too."""
    db.execute(_WORLD, {"client": client.pk, "vendor": vendor.pk, "number": number, "now": now})


class Crew:
    """So many threads; each call of a round is made by one of them, all at once."""

    def __init__(self, size: int, *, guarded: bool = True) -> None:
        self._barrier = threading.Barrier(size)
        self._guarded = guarded
        self._work: list[queue.Queue[Callable[[], Any] | None]] = [queue.Queue() for _ in range(size)]
        self._done: queue.Queue[tuple[int, Any]] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._serve, args=(number,), daemon=True) for number in range(size)
        ]

    def together(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """Make the calls of a round at once; return what each returned or raised."""
        assert len(calls) == len(self._threads)
        for work, call in zip(self._work, calls, strict=True):
            work.put(call)
        outcomes = dict(self._done.get(timeout=2 * TIMEOUT_SECONDS) for _ in calls)
        return [outcomes[number] for number in range(len(calls))]

    def start(self) -> None:
        """Let the threads wait for work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads; their connections are closed."""
        for work in self._work:
            work.put(None)
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS)

    def _serve(self, number: int) -> None:
        with ExitStack() as stack:
            stack.callback(connections.close_all)
            connection.ensure_connection()
            if not self._guarded:
                stack.enter_context(connection.execute_wrapper(_without_locks))
            while (call := self._work[number].get()) is not None:
                self._barrier.wait(TIMEOUT_SECONDS)
                try:
                    outcome = call()
                except Exception as error:  # noqa: BLE001 - The test looks at it.
                    outcome = error
                self._done.put((number, outcome))


@contextmanager
def crew(size: int, *, guarded: bool = True) -> Iterator[Crew]:
    """Run a crew during the block; one that is not `guarded` takes no row locks when it reads."""
    found = Crew(size, guarded=guarded)
    found.start()
    try:
        yield found
    finally:
        found.stop()


def _without_locks(execute: Any, statement: str, parameters: Any, many: Any, context: Any) -> Any:
    return execute(_LOCKS.sub("", statement), parameters, many, context)
