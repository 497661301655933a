"""The partitions of the audit log: rows find theirs, they are there in time, old ones leave."""

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

import pytest
from django.db import DatabaseError, connection, transaction
from structlog.testing import capture_logs

from core import db
from tests.factories import NOW, make_active_permission, make_client
from tests.integration.audit_world import MARCH, bare_tree, names_of, note, place
from zcash.history import leaves, seals
from zcash.history.leaves import ARCHIVE, OTHER, SETTLED
from zcash.models import AuditSeal, PermissionAudit, SpendingPermission

# Rows are written by hand, of any time and in any order.
pytestmark = [pytest.mark.django_db, pytest.mark.unbalanced]

YEAR = timedelta(days=400)


@pytest.fixture(autouse=True)
def _bare(request: pytest.FixtureRequest, _books_balance: None) -> Iterator[None]:
    with bare_tree():
        yield


@pytest.fixture
def permission() -> SpendingPermission:
    return make_active_permission(make_client())


def touched(query: str, parameters: dict[str, object]) -> list[str]:
    """Return the tables that the plan of a query opens."""
    (text,) = db.row(f"EXPLAIN (FORMAT JSON, COSTS OFF) {query}", parameters)
    plan = text if isinstance(text, list) else json.loads(text)
    return list(_relations(plan[0]["Plan"]))


def _relations(node: dict[str, object]) -> Iterator[str]:
    if "Relation Name" in node:
        yield str(node["Relation Name"])
    for child in node.get("Plans", []):  # type: ignore[attr-defined]
        yield from _relations(child)


class TestRouting:
    @pytest.fixture(autouse=True)
    def _leaves(self, permission: SpendingPermission) -> None:
        leaves.create_ahead(now=MARCH)

    @pytest.mark.parametrize(
        ("action", "at", "leaf"),
        [
            ("settled", MARCH, "settled_20310315"),
            ("settled", MARCH.replace(hour=0), "settled_20310315"),
            ("settled", MARCH.replace(hour=0) - timedelta(milliseconds=1), "settled_default"),
            ("settled", MARCH.replace(day=16, hour=0), "settled_20310316"),
            ("settled", MARCH.replace(day=22, hour=23), "settled_20310322"),
            ("settled", MARCH.replace(day=23, hour=0), "settled_default"),
            ("credited", MARCH.replace(day=1, hour=0), "other_203103"),
            ("exhausted", MARCH.replace(day=31, hour=23), "other_203103"),
            ("refund_queued", MARCH.replace(month=6, day=30), "other_203106"),
            ("revoked", MARCH.replace(month=7, day=1), "other_default"),
            ("revoked", MARCH.replace(year=2009), "other_default"),
        ],
    )
    def test_goes_by_kind_and_time(
        self, permission: SpendingPermission, action: str, at: datetime, leaf: str
    ) -> None:
        row = note(permission, at, action=action)

        assert place(row) == f"zcash_permission_audit_{leaf}"

    def test_numbers_rise_over_all_partitions(self, permission: SpendingPermission) -> None:
        rows = [note(permission, MARCH), note(permission, MARCH, action="credited"), note(permission, NOW)]

        assert [row.pk for row in rows] == sorted(row.pk for row in rows)

    def test_the_trail_besides_settlements_opens_no_settlement(self, permission: SpendingPermission) -> None:
        trail = "SELECT * FROM zcash_permission_audit WHERE permission_id = %(id)s AND action <> 'settled'"

        opened = touched(f"{trail} ORDER BY id", {"id": permission.pk})

        assert opened
        assert [name for name in opened if "settled" in name] == []

    def test_the_list_of_the_back_office_opens_no_settlement(self, permission: SpendingPermission) -> None:
        query, parameters = (
            PermissionAudit.objects.exclude(action="settled").order_by("-id").query.sql_with_params()
        )
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (COSTS OFF) {query} LIMIT 50", parameters)
            plan = "\n".join(line for (line,) in cursor.fetchall())

        assert "other_203103" in plan
        assert "settled_" not in plan

    def test_a_day_of_settlements_opens_that_day_alone(self, permission: SpendingPermission) -> None:
        day = {"since": MARCH.replace(hour=0), "until": MARCH.replace(day=16, hour=0)}

        opened = touched(
            "SELECT * FROM zcash_permission_audit WHERE action = 'settled'"
            " AND created_at >= %(since)s AND created_at < %(until)s",
            day,
        )

        assert opened == ["zcash_permission_audit_settled_20310315"]

    def test_a_settlement_has_no_index_but_the_one_by_block_ranges(self) -> None:
        kinds = db.rows(
            "SELECT DISTINCT am.amname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_am am ON am.oid = c.relam JOIN pg_class t ON t.oid = i.indrelid"
            " WHERE t.relname LIKE 'zcash_permission_audit_settled%%' AND t.relkind = 'r'",
            {},
        )

        assert kinds == [("brin",)]


class TestCreatingAhead:
    def test_makes_eight_days_and_four_months(self) -> None:
        made = leaves.create_ahead(now=MARCH)

        assert len(made) == 8 + 4
        assert names_of(SETTLED)[:2] == [
            "zcash_permission_audit_settled_20310315",
            "zcash_permission_audit_settled_20310316",
        ]
        assert names_of(OTHER)[-1] == "zcash_permission_audit_other_203106"

    def test_makes_nothing_twice(self) -> None:
        leaves.create_ahead(now=MARCH)

        assert leaves.create_ahead(now=MARCH + timedelta(hours=11)) == []
        assert len(leaves.create_ahead(now=MARCH + timedelta(hours=12))) == 1

    def test_knows_the_ends_of_months_and_years(self) -> None:
        made = leaves.create_ahead(now=NOW.replace(year=2031, month=12, day=31, hour=23))

        assert "zcash_permission_audit_settled_20320101" in made
        assert "zcash_permission_audit_other_203203" in made
        feb = OTHER.leaf_at(NOW.replace(year=2032, month=2, day=29))
        assert (feb.covers_from.day, feb.covers_to.month, feb.covers_to.day) == (1, 3, 1)

    def test_a_moved_clock_gets_leaves_of_its_own_time(self, permission: SpendingPermission) -> None:
        leaves.create_ahead(now=MARCH)
        leaves.create_ahead(now=MARCH.replace(year=2040))
        leaves.create_ahead(now=MARCH - timedelta(days=1))

        assert place(note(permission, MARCH.replace(year=2040))).endswith("settled_20400315")
        assert place(note(permission, MARCH - timedelta(days=1))).endswith("settled_20310314")

    def test_leaves_a_day_to_the_default_where_rows_of_it_are_already(
        self, permission: SpendingPermission
    ) -> None:
        row = note(permission, MARCH + timedelta(days=2))

        with capture_logs() as logs:
            made = leaves.create_ahead(now=MARCH)

        assert len(made) == 7 + 4
        assert [each["partition"] for each in logs] == ["zcash_permission_audit_settled_20310317"]
        assert place(row) == place(note(permission, MARCH + timedelta(days=2, hours=1)))
        assert place(note(permission, MARCH + timedelta(days=3))).endswith("20310318")


class TestAppendOnly:
    @pytest.mark.parametrize("branch", ["settled", "other"])
    @pytest.mark.parametrize("of_leaf", ["", "_default", "_2031"])
    @pytest.mark.parametrize(
        "statement", ["UPDATE {} SET actor = 'mallory'", "DELETE FROM {}", "TRUNCATE {}", "TRUNCATE ONLY {}"]
    )
    def test_refuses_a_change_of_every_table_of_the_tree(
        self, permission: SpendingPermission, branch: str, of_leaf: str, statement: str
    ) -> None:
        leaves.create_ahead(now=MARCH)
        action = "settled" if branch == "settled" else "credited"
        note(permission, MARCH, action=action)
        note(permission, MARCH.replace(year=2009), action=action)
        table = f"zcash_permission_audit_{branch}{of_leaf}"
        if of_leaf == "_2031":
            table += "0315" if branch == "settled" else "03"
        if statement.startswith("TRUNCATE ONLY") and not of_leaf:
            statement = "TRUNCATE zcash_permission_audit_settled, {}"

        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            db.execute(statement.format(table))

        assert PermissionAudit.objects.filter(actor="tests", action=action).count() >= 2

    def test_refuses_a_change_of_what_is_archived(self, permission: SpendingPermission) -> None:
        leaves.create_ahead(now=MARCH)
        note(permission, MARCH)
        seals.seal_closed(now=MARCH + timedelta(days=1))
        (name,) = leaves.archive(now=MARCH + timedelta(days=401), retention=YEAR)

        for statement in ("UPDATE {} SET actor = 'x'", "DELETE FROM {}", "TRUNCATE {}"):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                db.execute(statement.format(f"{ARCHIVE}.{name}"))

    def test_refuses_a_change_of_a_seal(self) -> None:
        leaves.create_ahead(now=MARCH)
        seals.seal_closed(now=MARCH + timedelta(days=2))

        for statement in ("UPDATE {} SET rows = 0", "DELETE FROM {}", "TRUNCATE {}"):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                db.execute(statement.format("zcash_audit_seal"))


class TestArchive:
    def test_takes_sealed_settlements_older_than_the_retention_alone(
        self, permission: SpendingPermission
    ) -> None:
        leaves.create_ahead(now=MARCH)
        note(permission, MARCH)
        note(permission, MARCH, action="credited")
        seals.seal_closed(now=MARCH.replace(day=17))
        rows = PermissionAudit.objects.count()

        archived = leaves.archive(now=MARCH.replace(day=16, hour=0) + YEAR, retention=YEAR)

        assert archived == ["zcash_permission_audit_settled_20310315"]
        assert db.row(f"SELECT count(*) FROM {ARCHIVE}.{archived[0]}", {}) == (1,)
        assert PermissionAudit.objects.count() == rows - 1
        assert leaves.archive(now=MARCH.replace(day=16, hour=0) + YEAR, retention=YEAR) == []

    def test_leaves_what_has_no_seal(self) -> None:
        leaves.create_ahead(now=MARCH)

        assert leaves.archive(now=MARCH + 3 * YEAR, retention=YEAR) == []

    def test_keeps_credits_refunds_and_states_for_good(self) -> None:
        leaves.create_ahead(now=MARCH)
        seals.seal_closed(now=MARCH + 3 * YEAR)
        before = leaves.existing(OTHER)

        archived = leaves.archive(now=MARCH + 9 * YEAR, retention=YEAR)

        assert len(archived) == 8
        assert leaves.existing(OTHER) == before
        assert leaves.existing(SETTLED) == []


@pytest.mark.django_db(transaction=True)
class TestBesideWriters:
    """What another connection sees and holds."""

    def test_many_callers_make_each_leaf_once(self) -> None:
        made = self._run(lambda: leaves.create_ahead(now=MARCH), times=6)

        assert sorted(chain.from_iterable(made)) == sorted(names_of(SETTLED) + names_of(OTHER))
        assert len(list(chain.from_iterable(made))) == 12

    def test_many_callers_make_one_chain(self) -> None:
        leaves.create_ahead(now=MARCH)

        self._run(lambda: seals.seal_closed(now=MARCH + timedelta(days=9)), times=4)

        assert AuditSeal.objects.count() == 8
        assert AuditSeal.objects.values("previous_digest").distinct().count() == 8

    def test_a_row_that_is_being_written_stops_no_leaf_from_being_made(self) -> None:
        leaves.create_ahead(now=MARCH)
        permission = make_active_permission(make_client())

        with transaction.atomic():
            note(permission, MARCH)
            (made,) = self._run(lambda: leaves.create_ahead(now=MARCH + timedelta(days=1)), times=1)

        assert made == ["zcash_permission_audit_settled_20310323"]

    def test_a_leaf_that_is_being_read_stays_and_nobody_waits_long(self) -> None:
        leaves.create_ahead(now=MARCH)
        seals.seal_closed(now=MARCH + timedelta(days=2))

        with transaction.atomic():
            PermissionAudit.objects.filter(action="settled").count()
            (archived,) = self._run(lambda: leaves.archive(now=MARCH + 2 * YEAR, retention=YEAR), times=1)
        assert archived == []

        assert leaves.archive(now=MARCH + 2 * YEAR, retention=YEAR) != []

    @staticmethod
    def _run(call: object, *, times: int) -> list[list[object]]:
        barrier, results = threading.Barrier(times), []

        def run() -> None:
            barrier.wait(60)
            try:
                results.append(call())  # type: ignore[operator]
            finally:
                connection.close()

        threads = [threading.Thread(target=run) for _ in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(results) == times
        return results
