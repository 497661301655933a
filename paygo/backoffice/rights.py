"""Who may give whom which rights: nobody more than he has, and nobody himself anything.

Whoever may change an account could otherwise become everything that the account, or a role, can be.
"""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

from core.models import User


def grantable(actor: Any) -> QuerySet[Permission]:
    """Return the permissions that somebody may give: those that he has."""
    return Permission.objects.all() if _has_all(actor) else _rights_of(actor)


def grantable_groups(actor: Any) -> QuerySet[Group]:
    """Return the groups that somebody may put others into: those that can do nothing that he cannot."""
    if _has_all(actor):
        return Group.objects.all()
    more = Permission.objects.exclude(pk__in=_rights_of(actor))
    return Group.objects.exclude(permissions__in=more)


def may_change_user(actor: Any, target: User) -> bool:
    """Whether somebody may change an account: it has no right that he lacks, switched on or off.

    Whoever sets an account's password can be that account.
    """
    if _has_all(actor) or actor.pk == target.pk:
        return True
    return not target.is_superuser and _is_within(_rights_of(target), actor)


def may_change_group(actor: Any, group: Group) -> bool:
    """Whether somebody may change a group: he is not in it, and it can do nothing that he cannot."""
    if group.user_set.filter(pk=actor.pk).exists():
        return False
    return _has_all(actor) or _is_within(Permission.objects.filter(group=group), actor)


def _has_all(actor: Any) -> bool:
    return bool(actor.is_active and actor.is_superuser)


def _is_within(rights: QuerySet[Permission], actor: Any) -> bool:
    return not rights.exclude(pk__in=_rights_of(actor)).exists()


def _rights_of(user: Any) -> QuerySet[Permission]:
    """Return the permissions of an account, even of one that is switched off."""
    return Permission.objects.filter(Q(group__user=user.pk) | Q(user=user.pk)).distinct()
