"""The migration that partitions the audit log by kind takes an existing log along, there and back."""

import pytest

from billing import interval, views_sql
from core import db
from tests.factories import after, make_active_permission, make_client, make_vendor, stream
from tests.migrating import migrate
from zcash.history import leaves
from zcash.models import PermissionAudit, SpendingPermission

pytestmark = pytest.mark.django_db


def rows() -> list[tuple[object, ...]]:
    return list(PermissionAudit.objects.order_by("id").values_list())


@pytest.fixture
def permission() -> SpendingPermission:
    vera = make_client()
    make_vendor(vera)
    permission = make_active_permission(vera)
    stream(vera)
    for hours in (1, 2, 30):
        interval.run_interval(now=after(hours=hours), engine="test", chunk_size=10)
    db.execute("SET CONSTRAINTS ALL IMMEDIATE")
    views_sql._drop(using="default")
    return permission


def test_every_row_stays_the_same_and_finds_its_leaf(permission: SpendingPermission) -> None:
    before = rows()

    migrate(("zcash", "0003_meter"))
    assert rows() == before
    assert db.row("SELECT count(*) FROM zcash_permission_audit_default") == (len(before),)
    migrate()

    assert rows() == before
    places = db.rows("SELECT DISTINCT tableoid::regclass::text FROM zcash_permission_audit ORDER BY 1")
    assert [name for (name,) in places] == [
        "zcash_permission_audit_other_202601",
        "zcash_permission_audit_settled_20260101",
        "zcash_permission_audit_settled_20260102",
    ]


@pytest.mark.unbalanced
def test_numbers_go_on_and_nothing_can_be_changed(permission: SpendingPermission) -> None:
    (last,) = db.row("SELECT max(id) FROM zcash_permission_audit")

    for targets in ([("zcash", "0003_meter")], []):
        migrate(*targets)
        row = PermissionAudit.objects.create(
            permission=permission,
            created_at=after(hours=31),
            effective_at=after(hours=31),
            amount_before_zat=0,
            amount_after_zat=0,
            action="settled",
            actor="tests",
        )
        assert row.pk > last
        last = row.pk
        triggers = db.rows("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE '%no_truncate'")
        tables = db.rows("SELECT relid::text FROM pg_partition_tree('zcash_permission_audit')")
        assert {name for (name,) in triggers} >= {name for (name,) in tables}


def test_the_leaves_of_an_older_log_are_known(permission: SpendingPermission) -> None:
    migrate(("zcash", "0003_meter"))
    migrate()

    assert [leaf.name for leaf in leaves.existing(leaves.SETTLED)] == [
        "zcash_permission_audit_settled_20260101",
        "zcash_permission_audit_settled_20260102",
    ]
