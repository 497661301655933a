"""Changes of operators' accounts, written down for all who may look after accounts to see."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db.models import QuerySet

from billing import operators
from billing.operator_models import OperatorAction
from billing.operator_rules import LONGEST_REASON, Verb
from billing.operators import Word
from core.models import User

log = structlog.get_logger(__name__)

# For so long they are shown.
SHOWN_FOR = timedelta(days=7)


def note(accounts: Iterable[User], *, by: Any, what: str, now: datetime) -> None:
    """Write down that an operator has made, or changed, accounts; a step of the change."""
    changed = [each for each in accounts if each.pk != by.pk]
    if not changed:
        return
    names = [str(each) for each in changed]
    details = {"accounts": [each.pk for each in changed], "names": names}
    word = Word(by.pk, str(by), what[:LONGEST_REASON])
    operators.note(word, Verb.CHANGE_ACCOUNT, now=now, details=details)
    log.warning("operator_account_changed", accounts=names, by=str(by), what=what)


def recent(*, now: datetime) -> QuerySet[OperatorAction]:
    """Return the changes that are shown, latest first."""
    changes = OperatorAction.objects.filter(verb=Verb.CHANGE_ACCOUNT, created_at__gt=now - SHOWN_FOR)
    return changes.select_related("operator").order_by("-id")
