"""How fast the dashboard opens beside ten million audit rows.

    .venv/bin/python -m bench.dashboard [--audit-rows 10000000] [--transactions 500000]

A year of hours, vendors and final transactions, a hundred thousand running sessions; the last line is JSON.
"""

import argparse
import json
import statistics as numbers
import time

from bench.database import bench_database

_VENDORS, _RUNNING, _DAYS, _TIMES = 200, 100_000, 365, 20

_PAST = """
INSERT INTO sessions_vendor (id, client_id, slug, name, is_active, created_at)
SELECT 1 + n, 1, 'vendor-' || n, 'Vendor ' || n, true, now() FROM generate_series(1, %(vendors)s) n;
INSERT INTO sessions_session (public_id, code, client_id, wallet_address, vendor_id, client_ref,
                              rate_zat_per_hour, status, started_at, capped_at, ended_at, end_reason)
SELECT gen_random_uuid(), 'past-' || n, 1, 'wallet-' || 1 + n %% %(running)s, 1 + n %% %(vendors)s, '',
       100000000, 'ended', at, at + interval '1 hour', at + interval '30 minutes', 'ended_by_client'
FROM generate_series(1, %(transactions)s) n, LATERAL (
    SELECT date_trunc('second', now()) - %(days)s * interval '1 day' * (n::float8 / %(transactions)s) AS at
) t;
INSERT INTO billing_transaction (public_id, session_id, permission_id, rate_zat_per_hour, started_at,
                                 billable_until, status, ended_at, amount_zat)
SELECT gen_random_uuid(), id, 1 + id %% %(running)s, 100000000, started_at, capped_at, 'confirmed', ended_at,
       50000000
FROM sessions_session WHERE status = 'ended';
INSERT INTO billing_intervalrun (started_at, finished_at, engine, permissions, events, put_aside)
SELECT now() - n * interval '1 minute', now() - n * interval '1 minute' + interval '3 seconds', 'bench',
       %(running)s, 10, '[]'
FROM generate_series(1, 100000) n
"""
_AUDIT = """
INSERT INTO zcash_permission_audit (permission_id, created_at, effective_at, amount_before_zat,
                                    amount_after_zat, action, actor)
SELECT 1 + n %% %(running)s, at, at, 1000, 999,
       CASE WHEN n %% 10 = 0 THEN (ARRAY['created', 'activated', 'exhausted', 'expired'])[1 + n / 10 %% 4]
            ELSE 'settled' END, 'bench'
FROM generate_series(1, %(rows)s) n,
     LATERAL (SELECT now() - %(days)s * interval '1 day' * ((%(rows)s - n)::float8 / %(rows)s) AS at) t
"""


def main() -> None:
    """Make the past, roll it up, and open the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--audit-rows", type=int, default=10_000_000)
    parser.add_argument("--transactions", type=int, default=500_000)
    asked = parser.parse_args()
    with bench_database():
        print(json.dumps(_measure(audit_rows=asked.audit_rows, transactions=asked.transactions)))


def _measure(*, audit_rows: int, transactions: int) -> dict[str, float]:
    from bench import world
    from billing import statistics
    from core import clock, db

    world.build(_RUNNING, start=clock.now())
    db.execute("SET statement_timeout = 0")
    # The world has numbered its client by hand.
    db.execute("SELECT setval(pg_get_serial_sequence('core_user', 'id'), 100)")
    sizes = {"vendors": _VENDORS, "running": _RUNNING, "days": _DAYS, "transactions": transactions}
    db.execute(_PAST, sizes)
    db.execute("UPDATE zcash_permission SET settled_at = now() WHERE open_transactions > 0")
    db.execute(_AUDIT, {"rows": audit_rows, "running": _RUNNING, "days": _DAYS})
    db.execute("ANALYZE")
    first_s = _seconds(lambda: statistics.bring_up_to_date(now=clock.now(), vendors=True))
    again_s = _seconds(lambda: statistics.bring_up_to_date(now=clock.now(), vendors=False))
    return {
        "audit_rows": audit_rows,
        "roll_up_of_everything_s": round(first_s, 2),
        "roll_up_of_a_minute_s": round(again_s, 2),
        **_pages(),
    }


def _pages() -> dict[str, float]:
    from django.test import Client
    from django.urls import reverse

    from core.models import User

    browser = Client(headers={"host": "localhost"})
    browser.force_login(User.objects.create_superuser("bench-operator"))
    found = {}
    paths = {name: reverse("admin:index") + f"?range={name}" for name in ("24h", "30d", "1y")}
    paths["queues"] = reverse("admin:queues")
    for model in ("zcash_spendingpermission", "zcash_permissionaudit", "billing_transaction"):
        paths[model] = reverse(f"admin:{model}_changelist")
    for name, path in paths.items():
        times = [_seconds(lambda path=path: browser.get(path)) for _ in range(_TIMES)]  # type: ignore[misc]
        found[f"{name}_median_ms"] = round(1000 * numbers.median(times), 1)
        found[f"{name}_max_ms"] = round(1000 * max(times[1:]), 1)
    return found


def _seconds(call) -> float:  # type: ignore[no-untyped-def]
    since = time.perf_counter()
    call()
    return time.perf_counter() - since


if __name__ == "__main__":
    main()
