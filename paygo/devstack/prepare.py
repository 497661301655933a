"""Run once at each start of a stack: migrations, then the demo client, its key and vendor, and an admin.

`python -m paygo.devstack.prepare FILE` writes what it made as JSON. PAYGO_API_KEY is the key of an
earlier run, PAYGO_ADMIN_PASSWORD the password for an admin that does not exist yet.
"""

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import django
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from paygo.devstack import ADMIN, CLIENT, VENDOR


def main() -> None:
    """Bring the database up to date and write down what was made."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paygo.settings")
    try:
        django.setup()
        call_command("migrate", interactive=False, verbosity=1, stdout=sys.stderr)
        made = ensure() if os.environ.get("ZCASH_NETWORK") != "main" else {}
        _settle()
    except (DatabaseError, CommandError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    output = Path(sys.argv[1])
    output.touch(mode=0o600)
    output.write_text(json.dumps(made), encoding="utf-8")


def ensure() -> dict[str, Any]:
    """Make the demo client, key, vendor and admin that are missing; what exists stays as it is."""
    from core import clock
    from paygo.api import keys

    key = os.environ.get("PAYGO_API_KEY", "")
    found = keys.find(key, now=clock.now()) if key else None
    if found is None:
        written = io.StringIO()
        call_command("createapikey", CLIENT, scope=list(keys.SCOPES), stdout=written)
        key = written.getvalue().strip()
        client = CLIENT
    else:
        client = found.client.username
    call_command("createvendor", client, VENDOR, stdout=sys.stderr)
    return {"api_key": key, "client": client, "new_admin": _ensure_admin(os.environ["PAYGO_ADMIN_PASSWORD"])}


def _settle() -> None:
    """Catch up on the time that the stack was down, so that it does not start as late."""
    from billing import rounds

    rounds.interval_round()


def _ensure_admin(password: str) -> bool:
    from core.models import User

    if User.objects.filter(is_superuser=True).exists():
        return False
    User.objects.create_superuser(username=ADMIN, password=password)
    return True


if __name__ == "__main__":
    main()
