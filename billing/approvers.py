"""Who may vouch for large sums: two accounts that are two people, as far as the database can tell.

Whoever may make accounts, set passwords or give roles could agree twice. So a change of an account costs it
its voice for a while, in which the others see it (`account_changes`), and for longer it counts as one with
whoever has changed it. An approval counts while its account is active and has the right to give one.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet

from billing.operator_models import OperatorAction
from billing.operator_rules import Verb
from core.errors import Conflict
from core.models import User


def entitled() -> QuerySet[User]:
    """Return the operators who may approve now."""
    right = Permission.objects.filter(content_type__app_label="billing", codename="approve_refund")
    may = Q(is_superuser=True) | Q(groups__permissions__in=right) | Q(user_permissions__in=right)
    return User.objects.filter(pk__in=User.objects.filter(may).values("pk"), is_active=True, is_staff=True)


def require_settled(operator_id: int | None, *, now: datetime) -> User:
    """Return an operator who may agree to something; a step of the approval.

    Raises:
        Conflict: the account may not approve, or it, its password or its roles changed within
            `APPROVAL_ACCOUNT_AGE_HOURS`.
    """
    operator = entitled().filter(pk=operator_id or 0).first()
    if operator is None:
        raise Conflict("your account may not approve anything")
    hours = settings.APPROVAL_ACCOUNT_AGE_HOURS
    changed_at = operator.rights_changed_at
    may_from = changed_at + timedelta(hours=hours)
    if hours and now < may_from:
        raise Conflict(
            f"your account, its password or its roles changed at {changed_at:%Y-%m-%d %H:%M} UTC: "
            f"you can approve from {may_from:%Y-%m-%d %H:%M} UTC on"
        )
    return operator


def require_other_person(operator: User, agreed: Iterable[int], *, now: datetime) -> None:
    """Refuse an operator who may be one of those that have agreed already; a step of the approval.

    Raises:
        Conflict: one person has, within `APPROVAL_INDEPENDENT_DAYS`, made or changed both accounts, or one
            from the other.
    """
    own = _hands(operator.pk, now=now)
    for other in agreed:
        if own & _hands(other, now=now):
            raise Conflict(
                "one person has made or changed your account and one that has approved already within the "
                f"last {settings.APPROVAL_INDEPENDENT_DAYS} days: they count as one operator"
            )


def _hands(account_id: int, *, now: datetime) -> set[int]:
    """Return an account and whose hands it has been in lately, at however many removes."""
    since = now - timedelta(days=settings.APPROVAL_INDEPENDENT_DAYS)
    changes = OperatorAction.objects.filter(verb=Verb.CHANGE_ACCOUNT, created_at__gt=since)
    found, looked_at = {account_id}, set[int]()
    while more := found - looked_at:
        looked_at |= more
        for each in more:
            of_account = changes.filter(details__accounts__contains=[each])
            found.update(of_account.values_list("operator_id", flat=True))
    return found
