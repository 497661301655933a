"""Rows as JSON: several tables read, or written, by one statement of a call."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import DateTimeField, Model, UUIDField
from django.db.models.base import ModelState

M = TypeVar("M", bound=Model)


@cache
def insert_columns(model: type[Model]) -> str:
    """Return the columns of a model's table but the key that the database gives, for an INSERT."""
    return ", ".join(str(field.column) for field in model._meta.concrete_fields if not field.primary_key)


@cache
def columns(model: type[Model], table: str) -> str:
    """Return all columns of a model's table: a `*` in a prepared statement fails once a column is added."""
    return ", ".join(f"{table}.{field.column}" for field in model._meta.concrete_fields)


def dump(instance: Model) -> str:
    """Return an instance as the JSON object of its columns, for `jsonb_populate_record`."""
    values = {field.column: field.value_from_object(instance) for field in instance._meta.concrete_fields}
    return json.dumps(values, default=_text)


def kept(instance: Model, *, without: Sequence[str] = ()) -> dict[str, Any]:
    """Return the columns of a row as it is now, for a receipt that answers it again when it has changed."""
    values: dict[str, Any] = json.loads(dump(instance))
    return {column: value for column, value in values.items() if column not in without}


def as_kept(model: type[M], values: Mapping[str, Any]) -> M:
    """Return what `kept` was told, not to be saved; columns that were left out or added since are as new."""
    known = {field.attname: field for field in model._meta.concrete_fields if field.column in values}
    return model(**{name: field.to_python(values[str(field.column)]) for name, field in known.items()})


def instance(model: type[M], row: Sequence[Any]) -> M:
    """Return an instance of what a statement says of `columns`."""
    return _made(model, row)


def load(model: type[M], rows: str | None) -> list[M]:
    """Return instances of rows of a model's table from what `jsonb_agg` says of them: null of none."""
    if rows is None:
        return []
    readers = _readers(model)
    return [
        _made(model, [read(row[column]) if read else row[column] for column, read in readers])
        for row in json.loads(rows)
    ]


def join(row: Model, name: str, parent: Model | None) -> None:
    """Note on an instance what its foreign key points to, which is known to be that."""
    row._meta.get_field(name).set_cached_value(row, parent)  # type: ignore[union-attr]


def _made(model: type[M], values: Iterable[Any]) -> M:
    """Return what `from_db` does of all columns, in a third of the time: a call makes six of them."""
    made = model.__new__(model)
    made._state = ModelState()
    made._state.adding, made._state.db = False, "default"
    made.__dict__.update(zip(_names(model), values, strict=True))
    return made


@cache
def _names(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


@cache
def _readers(model: type[Model]) -> list[tuple[str, Callable[[Any], Any] | None]]:
    """What makes a value of each column out of JSON, None where JSON has it as it is."""
    return [
        (str(field.column), field.to_python if isinstance(field, DateTimeField | UUIDField) else None)
        for field in model._meta.concrete_fields
    ]


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a row")
