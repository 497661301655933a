"""Rows as JSON: several tables read, or written, by one statement of a call."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model

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


def instance(model: type[M], row: Mapping[str, Any]) -> M:
    """Return an instance of a whole row of a model's table, by column."""
    fields = model._meta.concrete_fields
    names = [field.attname for field in fields]
    return model.from_db("default", names, [row[str(field.column)] for field in fields])


def load(model: type[M], rows: str | None) -> list[M]:
    """Return instances of rows of a model's table from what `jsonb_agg` says of them: null of none."""
    fields = model._meta.concrete_fields
    names = [field.attname for field in fields]
    return [
        model.from_db("default", names, [field.to_python(row[str(field.column)]) for field in fields])
        for row in json.loads(rows or "[]")
    ]


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a row")
