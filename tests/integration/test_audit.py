"""The audit log: complete, append-only, readable under the seed's name."""

from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from billing import engine, funding, interval
from core import db
from core.models import User
from tests.factories import NOW, ZEC, after, make_active_permission, make_client, make_vendor, pay, stream
from zcash.models import PermissionAudit, SpendingPermission

pytestmark = pytest.mark.django_db

SEEDS_COLUMNS = {
    "permission_id",
    "action",
    "amount_before",
    "amount_after",
    "amount_before_zat",
    "amount_after_zat",
    "actor",
    "details",
    "created_at",
    "effective_at",
}
TABLES = ["zcash_permission_audit", "zcash_permission_audit_other"]


@pytest.fixture
def permission() -> SpendingPermission:
    vera = make_client()
    make_vendor(vera)
    return make_active_permission(vera)


def trail(public_id: UUID) -> list[tuple[object, ...]]:
    return db.rows(
        "SELECT action, amount_before_zat, amount_after_zat FROM permission_audit_log"
        " WHERE permission_id = %(id)s ORDER BY id",
        {"id": public_id},
    )


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET actor = 'mallory'",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "UPDATE {} SET amount_after_zat = 0",
    ],
)
def test_refuses_every_change(permission: SpendingPermission, table: str, statement: str) -> None:
    rows = PermissionAudit.objects.count()

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        db.execute(statement.format(table))

    assert PermissionAudit.objects.count() == rows > 0


def test_refuses_changes_by_the_orm_too(permission: SpendingPermission) -> None:
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        PermissionAudit.objects.update(actor="mallory")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        PermissionAudit.objects.all()._raw_delete("default")


def test_refuses_negative_amounts(permission: SpendingPermission) -> None:
    with pytest.raises(IntegrityError, match="amounts_not_negative"), transaction.atomic():
        PermissionAudit.objects.create(
            permission=permission,
            created_at=NOW,
            effective_at=NOW,
            amount_before_zat=0,
            amount_after_zat=-1,
            action="settled",
            actor="tests",
        )


def test_the_view_has_the_seeds_columns() -> None:
    columns = db.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'permission_audit_log'"
    )

    assert {name for (name,) in columns} >= SEEDS_COLUMNS


def test_the_view_tells_a_permissions_whole_life_by_its_public_id(permission: SpendingPermission) -> None:
    vera = User.objects.get(pk=permission.client_id)
    code = stream(vera)
    interval.run_interval(now=after(hours=1), engine="test", chunk_size=1)
    engine.end(code, client_id=vera.pk, now=after(hours=2))
    pay(permission, 1 * ZEC, now=after(hours=3))
    funding.revoke(client_id=vera.pk, public_id=permission.public_id, now=after(hours=4), actor="client:1")
    make_active_permission(vera)

    assert trail(permission.public_id) == [
        ("created", 0, 0),
        ("credited", 0, 10 * ZEC),
        ("activated", 10 * ZEC, 10 * ZEC),
        ("settled", 10 * ZEC, 75 * ZEC // 10),
        ("settled", 75 * ZEC // 10, 5 * ZEC),
        ("credited", 5 * ZEC, 6 * ZEC),
        ("revoked", 6 * ZEC, 6 * ZEC),
    ]


def test_the_view_speaks_zec_exactly(permission: SpendingPermission) -> None:
    pay(permission, 1)

    (amount,) = db.row(
        "SELECT amount_after FROM permission_audit_log WHERE permission_id = %(id)s AND action = 'credited'"
        " ORDER BY id DESC LIMIT 1",
        {"id": permission.public_id},
    )
    assert str(amount).rstrip("0") == "10.00000001"


def test_says_when_it_happened_and_when_it_was_booked(permission: SpendingPermission) -> None:
    SpendingPermission.objects.update(expires_at=after(hours=1))
    stream(User.objects.get(pk=permission.client_id))

    interval.run_interval(now=after(hours=9), engine="test", chunk_size=1)

    rows = PermissionAudit.objects.filter(action__in=["settled", "expired"])
    assert set(rows.values_list("effective_at", "created_at")) == {(after(hours=1), after(hours=9))}


@pytest.mark.unbalanced
def test_takes_rows_of_any_time(permission: SpendingPermission) -> None:
    for moment in (NOW.replace(year=2009), NOW.replace(year=2400)):
        PermissionAudit.objects.create(
            permission=permission,
            created_at=moment,
            effective_at=moment,
            amount_before_zat=10 * ZEC,
            amount_after_zat=10 * ZEC,
            action="settled",
            actor="tests",
        )

    assert PermissionAudit.objects.filter(created_at__year=2400).count() == 1
