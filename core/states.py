"""State machines: a row moves where its machine allows, and only from the state in which it was seen."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TypeVar

from django.db.models import Model

from core.db import require_transaction
from core.errors import Conflict

State = TypeVar("State", bound=StrEnum)


def move(
    row: Model,
    *,
    to: State,
    machine: Mapping[State, Collection[State]],
    refusal: type[Conflict],
    changes: Mapping[str, object],
) -> None:
    """Move a row to another state, with what else changes on it by that; a step.

    Raises:
        Conflict, as `refusal` says: its machine has no such transition, or somebody was faster.
    """
    require_transaction()
    old = type(to)(row.status)  # type: ignore[attr-defined]
    if to not in machine[old]:
        raise refusal(f"what is {old} cannot become {to}")
    written = {"status": to, **changes}
    seen = type(row).objects.filter(pk=row.pk, status=old)  # type: ignore[attr-defined]
    if not seen.update(**written):
        raise refusal(f"it is no longer {old}")
    for field, value in written.items():
        setattr(row, field, value)
