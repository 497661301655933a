"""Sweeps: one thing done to many rows, each in its own operation: none keeps the others waiting."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog
from django.db import DatabaseError, OperationalError

from core.errors import Busy, DomainError

T = TypeVar("T")
log = structlog.get_logger(__name__)


def each(
    rows: Iterable[T], do: Callable[[T], bool], *, what: str, waits: tuple[type[DomainError], ...] = ()
) -> int:
    """Do something to rows; return to how many. What is busy, or has to wait, is left to the next sweep.

    Raises:
        OperationalError: the database is away.
    """
    later: tuple[type[DomainError], ...] = (Busy, *waits)
    done = 0
    for row in rows:
        try:
            done += do(row)
        except later as error:
            log.info("sweep_left_one", what=what, row=str(row), reason=str(error))
        except OperationalError:
            raise
        except (DomainError, DatabaseError, ValueError, AssertionError) as error:
            # One address that was taken in by older rules must not keep everybody else's money.
            log.exception("sweep_failed_at_one", what=what, row=str(row), error=str(error))
    return done
