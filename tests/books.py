"""The invariants of money after every test: the ones that `manage.py audit` checks in production."""

from django.db import transaction

from billing import audit
from core import db

_NOTHING = """
SELECT NOT EXISTS (SELECT FROM zcash_permission) AND NOT EXISTS (SELECT FROM zcash_permission_audit)
   AND NOT EXISTS (SELECT FROM billing_walletsend) AND NOT EXISTS (SELECT FROM billing_authorization)
"""


def violations() -> list[str]:
    """Return one line for each invariant that does not hold, with what violates it."""
    with transaction.atomic():
        db.execute(audit.PLANNED)
        (nothing,) = db.row(_NOTHING)
        found = {} if nothing else {each.name: audit.violations(each) for each in audit.invariants()}
        # What a test has set for its own statements counts again.
        transaction.set_rollback(True)
    return [f"{name}: {rows[:5]}" for name, rows in found.items() if rows]
