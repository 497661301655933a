#!/usr/bin/env python3
"""Django's command line; runs itself in `.venv` where `make install` has made one."""

import importlib.util
import os
import sys
from pathlib import Path

VENV = Path(__file__).resolve().parent / ".venv"


def enter_virtual_environment() -> None:
    """Replace this process by the same command in `.venv`, when Django is missing here."""
    if importlib.util.find_spec("django") is not None:
        return
    python = VENV / "bin" / "python"
    if Path(sys.prefix) == VENV or not python.exists():
        sys.exit("Django is not installed: run `make install` first.")
    os.execv(python, [str(python), *sys.argv])  # noqa: S606


def main() -> None:
    """Run the management command named in the arguments."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paygo.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    enter_virtual_environment()
    main()
