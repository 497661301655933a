"""Seals of the audit log: one chain, every alteration found, gaps named, by the command too."""

import hashlib
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings
from structlog.testing import capture_logs

from billing import rounds
from core import clock, db
from tests.factories import NOW, make_active_permission, make_client
from tests.integration.audit_world import MARCH, bare_tree, names_of, note
from zcash.history import leaves, seals
from zcash.history.leaves import ARCHIVE, OTHER, SETTLED
from zcash.history.seals import Finding, State
from zcash.models import AuditSeal, PermissionAudit, SpendingPermission

# Rows are written by hand, of any time and in any order.
pytestmark = [pytest.mark.django_db, pytest.mark.unbalanced]

YEAR = timedelta(days=400)
DAY = "zcash_permission_audit_settled_20310315"
MONTH = "zcash_permission_audit_other_203103"
LATER = MARCH.replace(month=4, day=2)

# Each changes one field of one row, and nothing else.
EDITS = {
    "id": "id = id + 1000000",
    "permission_id": "permission_id = permission_id + 1",
    "created_at": "created_at = created_at + interval '1 microsecond'",
    "effective_at": "effective_at = effective_at - interval '1 microsecond'",
    "amount_before_zat": "amount_before_zat = amount_before_zat + 1",
    "amount_after_zat": "amount_after_zat = amount_after_zat - 1",
    "action": "action = CASE action WHEN 'settled' THEN 'credited' ELSE 'settled' END",
    "actor": "actor = actor || ' '",
    "details": "details = CASE WHEN details IS NULL THEN 'null' ELSE NULL END::jsonb",
    "details to another value": "details = '{\"a\": 2}'",
}


@pytest.fixture(autouse=True)
def _bare(_books_balance: None) -> Iterator[None]:
    with bare_tree():
        yield


@pytest.fixture
def permission() -> SpendingPermission:
    return make_active_permission(make_client())


@pytest.fixture
def sealed(permission: SpendingPermission) -> SpendingPermission:
    """Thirty settlements of one day and ten other rows of its month, with texts that need care, sealed."""
    leaves.create_ahead(now=MARCH)
    for number in range(30):
        note(permission, MARCH + timedelta(minutes=20 * number))
    for number in range(10):
        row = note(permission, MARCH + timedelta(days=number), action="credited")
        alter(
            f"UPDATE zcash_permission_audit SET actor = E'a\\tb\\\\n{number}\\n', details = '{{\"a\": 1}}'"
            f" WHERE id = {row.pk}"
        )
    seals.seal_closed(now=LATER)
    return permission


def alter(statement: str) -> None:
    """What somebody with all rights over the database can do."""
    db.execute(f"SET session_replication_role = replica; {statement}; SET session_replication_role = origin")


def findings(*, since: datetime | None = None, now: datetime = LATER) -> list[Finding]:
    return list(seals.verify(now=now, since=since, retention=YEAR))


def failing(*, now: datetime = LATER) -> dict[str, State]:
    return {each.partition: each.state for each in findings(now=now) if each.state in seals.FAILURES}


class TestSealing:
    def test_waits_until_nobody_can_write_there_any_more(self) -> None:
        leaves.create_ahead(now=MARCH)
        end = MARCH.replace(day=16, hour=0)

        early = seals.seal_closed(now=end + seals.GRACE - timedelta(milliseconds=1))
        in_time = seals.seal_closed(now=end + seals.GRACE)

        assert early == []
        assert [seal.partition for seal in in_time] == [DAY]

    def test_seals_once_in_order_each_following_the_one_before(self, sealed: SpendingPermission) -> None:
        chain = list(AuditSeal.objects.order_by("id"))

        assert seals.seal_closed(now=LATER) == []
        assert [seal.covers_to for seal in chain] == sorted(seal.covers_to for seal in chain)
        assert [seal.partition for seal in chain] == [*names_of(SETTLED), MONTH]
        assert [seal.previous_digest for seal in chain] == [
            seals.GENESIS,
            *(seal.digest for seal in chain[:-1]),
        ]

    def test_says_the_digest_outside(self) -> None:
        leaves.create_ahead(now=MARCH)

        with capture_logs() as logs:
            (seal,) = seals.seal_closed(now=MARCH.replace(day=16, hour=1))

        assert logs == [
            {
                "event": "audit_sealed",
                "log_level": "info",
                "partition": DAY,
                "rows": 0,
                "digest": seal.digest,
                "previous_digest": seals.GENESIS,
            }
        ]

    def test_the_digest_is_what_the_manual_says(self, permission: SpendingPermission) -> None:
        leaves.create_ahead(now=MARCH)
        row = note(permission, MARCH)
        (seal,) = seals.seal_closed(now=MARCH.replace(day=16, hour=1))

        heading = (
            f"{'0' * 64}\t{DAY}\t2031-03-15T00:00:00.000000+00:00\t2031-03-16T00:00:00.000000+00:00\t"
            f"2031-03-16T01:00:00.000000+00:00\t{row.pk}\n"
        )
        line = (
            f"{row.pk}\t{permission.pk}\t2031-03-15 12:00:00+00\t2031-03-15 12:00:00+00"
            "\t1000000000\t1000000000\tsettled\ttests\t\\N\n"
        )
        assert (seal.rows, seal.digest) == (1, hashlib.sha256((heading + line).encode()).hexdigest())

    def test_does_not_depend_on_the_order_of_the_rows_on_disk_nor_on_the_sessions_settings(
        self, sealed: SpendingPermission
    ) -> None:
        alter(
            f"CREATE TEMPORARY TABLE kept AS SELECT * FROM {DAY} ORDER BY id DESC; DELETE FROM {DAY};"
            f" INSERT INTO {DAY} SELECT * FROM kept"
        )
        db.execute("SET LOCAL datestyle = 'ISO, DMY'")

        assert failing() == {}


class TestVerifying:
    def test_finds_an_untouched_log_intact(self, sealed: SpendingPermission) -> None:
        found = findings()

        assert {each.state for each in found if each.partition in (DAY, MONTH)} == {State.INTACT}
        assert failing() == {}

    @pytest.mark.parametrize("field", EDITS)
    def test_finds_any_altered_field_of_any_row(self, sealed: SpendingPermission, field: str) -> None:
        ids = list(
            PermissionAudit.objects.filter(actor__regex="^(tests$|a\t)", created_at__year=2031).values_list(
                "id", flat=True
            )
        )
        for row_id in random.Random(field).sample(ids, 10):
            savepoint = f"before_{row_id}"
            db.execute(f"SAVEPOINT {savepoint}")
            alter(f"UPDATE zcash_permission_audit SET {EDITS[field]} WHERE id = {row_id}")

            assert State.BROKEN in failing().values(), (field, row_id)
            db.execute(f"ROLLBACK TO SAVEPOINT {savepoint}")
        assert failing() == {}

    def test_finds_a_row_that_was_taken_out(self, sealed: SpendingPermission) -> None:
        alter(f"DELETE FROM {DAY} WHERE id = (SELECT max(id) FROM {DAY})")

        assert failing() == {DAY: State.BROKEN}

    def test_tells_rows_that_came_later_from_altered_ones(self, sealed: SpendingPermission) -> None:
        note(sealed, MARCH)

        assert failing() == {DAY: State.LATE_ROWS}

    def test_finds_a_seal_that_was_made_anew_for_altered_rows(self, sealed: SpendingPermission) -> None:
        alter(f"UPDATE {DAY} SET actor = 'x'")
        seal = AuditSeal.objects.get(partition=DAY)
        _, seal.digest = seals._digest(seal, DAY, SETTLED)
        alter(f"UPDATE zcash_audit_seal SET digest = '{seal.digest}' WHERE id = {seal.pk}")

        assert list(failing().values()) == [State.BROKEN]

    @pytest.mark.parametrize(
        "edit",
        [
            "rows = rows + 1",
            "last_id = last_id + 1",
            "sealed_at = sealed_at + interval '1 second'",
            "covers_to = covers_to + interval '1 second'",
            "partition = 'zcash_permission_audit_settled_20310401'",
        ],
    )
    def test_finds_an_altered_seal(self, sealed: SpendingPermission, edit: str) -> None:
        alter(f"UPDATE zcash_audit_seal SET {edit} WHERE partition = '{DAY}'")

        assert failing() != {}

    def test_finds_a_seal_that_was_taken_out(self, sealed: SpendingPermission) -> None:
        alter(f"DELETE FROM zcash_audit_seal WHERE partition = '{DAY}'")

        assert failing(now=LATER + timedelta(days=2))[DAY] == State.UNSEALED
        assert State.BROKEN in failing().values()

    def test_names_a_closed_partition_without_a_seal_after_a_day(self) -> None:
        leaves.create_ahead(now=MARCH)
        closed_at = MARCH.replace(day=16, hour=1)

        early = [each for each in findings(now=closed_at) if each.partition == DAY]

        assert [each.state for each in early] == [State.WAITING]
        assert failing(now=closed_at + seals.SEALED_WITHIN)[DAY] == State.UNSEALED

    def test_mentions_rows_that_no_seal_will_cover(self, permission: SpendingPermission) -> None:
        assert ("zcash_permission_audit_other_default", State.NOTED) in [
            (each.partition, each.state) for each in findings(now=NOW)
        ]

    def test_looks_at_what_is_archived_and_believes_the_chain_of_what_is_gone(
        self, sealed: SpendingPermission
    ) -> None:
        much_later = LATER + YEAR
        leaves.archive(now=much_later, retention=YEAR)
        assert (DAY, State.INTACT) in [(each.partition, each.state) for each in findings(now=much_later)]

        alter(f"UPDATE {ARCHIVE}.{DAY} SET actor = 'x'")
        assert failing(now=much_later)[DAY] == State.BROKEN

        db.execute(f"DROP TABLE {ARCHIVE}.{DAY}")
        assert (DAY, State.AWAY) in [(each.partition, each.state) for each in findings(now=much_later)]

    def test_finds_a_partition_that_is_gone_too_early_or_should_never_be(
        self, sealed: SpendingPermission
    ) -> None:
        db.execute(f"DROP TABLE {DAY}; DROP TABLE {MONTH}")

        assert failing() == {DAY: State.MISSING, MONTH: State.MISSING}
        assert failing(now=LATER + YEAR)[MONTH] == State.MISSING

    def test_since_reads_what_reaches_beyond_alone_and_follows_the_whole_chain(
        self, sealed: SpendingPermission
    ) -> None:
        since = MARCH.replace(day=20, hour=0)

        looked_at = [each.partition for each in findings(since=since) if each.state == State.INTACT]

        assert DAY not in looked_at
        assert looked_at[0].endswith("20310320")


class TestCommands:
    @pytest.fixture(autouse=True)
    def _sandbox(self, settings: Settings) -> None:
        settings.PAYGO_SANDBOX = True
        ahead = (LATER - clock.now()) / timedelta(milliseconds=1)
        clock.advance(int(ahead))

    def test_verify_prints_a_line_for_each_partition(self, sealed: SpendingPermission) -> None:
        out = StringIO()

        call_command("verify_audit_log", stdout=out)

        assert f"{DAY}: intact: 30 rows" in out.getvalue()
        assert "is as it was sealed" in out.getvalue()

    def test_verify_fails_naming_the_partition(self, sealed: SpendingPermission) -> None:
        alter(f"UPDATE {DAY} SET actor = 'x' WHERE id = (SELECT min(id) FROM {DAY})")

        with pytest.raises(CommandError, match=f"fails: {DAY}$"):
            call_command("verify_audit_log", stdout=StringIO())

    def test_verify_lets_late_rows_pass_where_told(self, sealed: SpendingPermission) -> None:
        note(sealed, MARCH)

        with pytest.raises(CommandError, match=DAY):
            call_command("verify_audit_log", stdout=StringIO())
        call_command("verify_audit_log", "--allow-late", stdout=StringIO())

    def test_verify_takes_a_day(self, sealed: SpendingPermission) -> None:
        out = StringIO()

        call_command("verify_audit_log", "--since", "2031-03-20", stdout=out)

        assert DAY not in out.getvalue()
        with pytest.raises(CommandError, match="since"):
            call_command("verify_audit_log", "--since", "soon", stdout=out)

    def test_archive_does_all_the_upkeep(self, permission: SpendingPermission, settings: Settings) -> None:
        leaves.create_ahead(now=MARCH)
        note(permission, MARCH)
        settings.AUDIT_SETTLEMENT_RETENTION_DAYS = 14
        out = StringIO()

        call_command("archive_audit_log", stdout=out)

        assert "made zcash_permission_audit_settled_20310402" in out.getvalue()
        assert f"sealed {DAY}: 1 rows" in out.getvalue()
        assert f"archived {DAY} to paygo_archive" in out.getvalue()

    def test_the_round_of_upkeep_does_the_same(
        self, permission: SpendingPermission, settings: Settings
    ) -> None:
        leaves.create_ahead(now=MARCH)
        settings.AUDIT_SETTLEMENT_RETENTION_DAYS = 14

        rounds.history_round()

        assert names_of(OTHER)[-1] == "zcash_permission_audit_other_203107"
        assert AuditSeal.objects.filter(partition=DAY).exists()
        assert DAY not in names_of(SETTLED)
