"""The shape of the database: named constraints, linear migrations, one direction, one writer per table."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor

from billing import views_sql
from core import db
from tests.migrating import migrate

ROOT = Path(__file__).parents[2]
# From the ground up; equal numbers may not point at each other either. A page's link knows its API key.
LEVELS = {"core": 0, "zcash": 1, "sessions_app": 2, "billing": 3, "paygo": 4, "api": 4, "pages": 5}
FREE = ("core", "django.contrib.")
FOLDERS = {
    "core": "core",
    "zcash": "zcash",
    "sessions_app": "sessions_app",
    "billing": "billing",
    "api": "paygo/api",
    "pages": "paygo/pages",
    "paygo": "paygo",
}
WRITES = {
    "abulk_create",
    "acreate",
    "adelete",
    "asave",
    "aupdate",
    "bulk_create",
    "bulk_update",
    "create",
    "create_user",
    "delete",
    "get_or_create",
    "save",
    "update",
    "update_or_create",
}
_RAW_WRITE = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|MERGE\s+INTO|COPY)\s+(\w+)", re.IGNORECASE
)


def own_models() -> dict[str, type[models.Model]]:
    """Return the project's models by class name."""
    return {each.__name__: each for each in apps.get_models() if each._meta.app_label in LEVELS}


def owners() -> dict[str, str]:
    """Return which app owns each table."""
    return {each._meta.db_table: each._meta.app_label for each in own_models().values()}


def sources(label: str) -> Iterator[tuple[Path, str]]:
    """Yield the Python and SQL files of an app, without those of an app inside its folder."""
    inner = [ROOT / folder for other, folder in FOLDERS.items() if folder.startswith(FOLDERS[label] + "/")]
    for path in sorted((ROOT / FOLDERS[label]).rglob("*")):
        if path.suffix in (".py", ".sql") and not any(path.is_relative_to(each) for each in inner):
            yield path, path.read_text()


def raw_writes(text: str) -> Iterator[str]:
    """Yield the tables that the statements in a source write."""
    yield from (found.group(1) for found in _RAW_WRITE.finditer(text))


def orm_writes(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, model name) where a source makes, saves or deletes rows of a model."""
    tree = ast.parse(text)
    names = _imported_models(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in names:
                yield node.lineno, node.func.id
            elif isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                root = _root(node.func)
                if root in names:
                    yield node.lineno, root
        if isinstance(node, ast.FunctionDef):
            yield from _writes_of_arguments(node, names)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _imported_models(tree: ast.Module) -> set[str]:
    """Return the models that a source imports; a class of the same name may be something else."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    from_models = [node for node in imports if (node.module or "").endswith("models")]
    return {alias.name for node in from_models for alias in node.names} & set(own_models())


def _writes_of_arguments(function: ast.FunctionDef, names: set[str]) -> Iterator[tuple[int, str]]:
    arguments = [*function.args.args, *function.args.kwonlyargs]
    typed = {
        each.arg: each.annotation.id
        for each in arguments
        if isinstance(each.annotation, ast.Name) and each.annotation.id in names
    }
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("save", "delete")
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in typed
        ):
            yield node.lineno, typed[node.func.value.id]


def foreign_writes(label: str) -> list[str]:
    tables, kinds = owners(), own_models()
    found = []
    for path, text in sources(label):
        place = path.relative_to(ROOT)
        found += [f"{place}: {each}" for each in raw_writes(text) if tables.get(each, label) != label]
        if path.suffix == ".py" and "migrations" not in path.parts:
            found += [
                f"{place}:{line}: {name}"
                for line, name in orm_writes(text)
                if kinds[name]._meta.app_label != label
            ]
    return found


@pytest.mark.parametrize("label", FOLDERS)
def test_writes_no_table_of_another_app(label: str) -> None:
    assert foreign_writes(label) == []


def test_the_search_for_writers_finds_what_it_is_made_for() -> None:
    text = """
from billing.models import Transaction
from zcash.models import Deposit, SpendingPermission

def f(permission: SpendingPermission) -> None:
    permission.save()
    Deposit.objects.filter(pk=1).update(status="x")
    Transaction(session=None)
    permission.refresh_from_db()
    Vendor.objects.get(pk=1)
"""

    assert {name for _, name in orm_writes(text)} == {"SpendingPermission", "Deposit", "Transaction"}
    assert list(raw_writes("update zcash_permission SET a = 1; INSERT  INTO core_event")) == [
        "zcash_permission",
        "core_event",
    ]
    assert any("zcash_permission" in raw_writes(text) for _, text in sources("zcash"))


def test_foreign_keys_point_downwards() -> None:
    upwards = [
        f"{model.__name__}.{field.name}"
        for model in own_models().values()
        for field in [*model._meta.fields, *model._meta.many_to_many]
        if field.remote_field and not _allowed(model, field.remote_field.model)
    ]

    assert upwards == []


def _allowed(model: type[models.Model], target: type[models.Model]) -> bool:
    label, to = model._meta.app_label, target._meta.app_label
    if to == label or target.__module__.startswith(FREE):
        return True
    return to in LEVELS and LEVELS[to] < LEVELS[label]


def test_money_rows_are_never_deleted_in_cascade() -> None:
    rules = {
        f"{model.__name__}.{field.name}": field.remote_field.on_delete
        for model in own_models().values()
        for field in model._meta.fields
        if field.remote_field
    }

    assert {name for name, rule in rules.items() if rule is models.CASCADE} == set()


@pytest.mark.django_db
def test_every_rule_of_a_table_has_a_name_that_says_what_it_is() -> None:
    rules = db.rows(
        "SELECT conrelid::regclass::text, contype::text, conname FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'u', 'x') AND conparentid = 0"
    )

    mine = [rule for rule in rules if rule[0] in owners()]
    assert len(mine) > 30
    assert [row for row in mine if not row[2].startswith(row[0] + "_")] == []
    # PostgreSQL's own choice for a check that nobody named; Django's is a digest.
    assert [row for row in mine if re.search(r"_check\d*$|_[0-9a-f]{8}(_|$)", row[2])] == []


@pytest.mark.django_db
def test_the_models_say_what_the_migrations_make() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
@pytest.mark.parametrize("label", ["core", "zcash", "sessions_app", "billing", "api"])
def test_migrations_are_a_line(label: str) -> None:
    graph = MigrationExecutor(connection).loader.graph
    own = [key for key in graph.nodes if key[0] == label]

    assert len(graph.leaf_nodes(label)) == len(graph.root_nodes(label)) == 1
    for key in own:
        parents = [parent for parent in graph.node_map[key].parents if parent.key[0] == label]
        assert len(parents) <= 1, key


@pytest.mark.timeout(600)
@pytest.mark.django_db
def test_every_migration_can_be_taken_back_and_made_again() -> None:
    before = _shape()
    views_sql._drop(using="default")

    migrate(("core", None))
    assert [each for each in _shape() if each[0] in owners()] == []
    migrate()
    views_sql._create(using="default")

    assert _shape() == before


def _shape() -> list[tuple[str, ...]]:
    columns = db.rows(
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    rules = db.rows(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
    )
    indexes = db.rows("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2")
    triggers = db.rows(
        "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
    )
    # Which leaves the audit log has depends on the time.
    return [row for row in [*columns, *rules, *indexes, *triggers] if not re.search(r"_\d{6,8}$", row[0])]
