"""What the commands have in common by which an operator does something by hand."""

import getpass
import os
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError

from billing import operators
from billing.operators import Word
from core.errors import DomainError, Invalid
from core.models import User


def add_word(parser: ArgumentParser, *, reason: str = "") -> None:
    """Declare who does something, and why; without a reason of its own a command asks for one."""
    parser.add_argument("--reason", required=not reason, default=reason, help="why, for the record")
    parser.add_argument("--operator", help="the user name of who does it; none: the user of this machine")


def add_trial(parser: ArgumentParser) -> None:
    """Declare how to try a command, and how to let a program read it."""
    parser.add_argument("--dry-run", action="store_true", help="check what is given, and change nothing")
    parser.add_argument("--json", action="store_true", help="write one JSON document")


def word_of(options: Mapping[str, Any]) -> Word:
    """Return the word of whoever runs a command, or of the operator that he names."""
    name = options["operator"]
    try:
        if not name:
            return operators.word(operator_id=None, name=f"shell:{_machine_user()}", reason=options["reason"])
        operator = user(name)
        if not operator.is_staff or not operator.is_active:
            raise CommandError(f"{operator} is no operator")
        return operators.word(operator_id=operator.pk, name=str(operator), reason=options["reason"])
    except Invalid as error:
        raise CommandError(f"--{error.field} {error}") from error


@contextmanager
def told() -> Iterator[None]:
    """Tell what is refused as a command does: one line, exit code 1."""
    try:
        yield
    except Invalid as error:
        raise CommandError(f"{error.field}: {error}") from error
    except DomainError as error:
        raise CommandError(str(error)) from error


def user(name: str) -> User:
    """Return the user of a name."""
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"there is no user {name}")
    return found


def _machine_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return str(os.getuid())
