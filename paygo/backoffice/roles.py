"""The four roles of the back office: Django groups that every migrate brings up to date.

What a role may do is said here. Whoever needs other permissions makes a group of another name, which is left
alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db.models.signals import post_migrate

from core import db

VIEWER, SUPPORT, FINANCE, ADMIN = "viewer", "support", "finance", "admin"
NAMES = (VIEWER, SUPPORT, FINANCE, ADMIN)
_OURS = ("core", "zcash", "sessions_app", "billing", "api")
_PEOPLE = (*_OURS, "auth", "axes")
# Whose rows say more than a role needs: people, and the answers that idempotent calls got.
_PRIVATE = ("user", "receiptrow")
_CARE = ("verify_payment", "resolve_case", "hold_permission")
_MORE: Mapping[str, tuple[str, ...]] = {
    VIEWER: (),
    SUPPORT: (*_CARE, "extend_permission", "end_session", "mend_endpoint"),
    FINANCE: (*_CARE, "revoke_permission", "refund_permission", "approve_refund"),
}


def connect() -> None:
    """Arrange for the roles to be brought up to date after every migrate."""
    # Django tells only of apps that have models; groups are this one's.
    groups = apps.get_app_config("auth")
    post_migrate.connect(_bring_up_to_date, sender=groups, dispatch_uid="paygo.backoffice.roles")


def _bring_up_to_date(*, using: str, **_: Any) -> None:
    (there,) = db.row("SELECT to_regclass('auth_group') IS NOT NULL AND to_regclass('core_user') IS NOT NULL")
    if not there:
        return
    for label in _PEOPLE:
        # Django makes an app's permissions when it tells of that app, which may come later.
        create_permissions(apps.get_app_config(label), verbosity=0, using=using)
    seen = Permission.objects.filter(content_type__app_label__in=_OURS, codename__startswith="view_")
    for_all = seen.exclude(content_type__model__in=_PRIVATE)
    for name, more in _MORE.items():
        verbs = Permission.objects.filter(content_type__app_label="billing", codename__in=more)
        _set(name, [*for_all, *verbs])
    everything = Permission.objects.filter(content_type__app_label__in=_PEOPLE)
    _set(ADMIN, everything)


def _set(name: str, permissions: Iterable[Permission]) -> None:
    role, _ = Group.objects.get_or_create(name=name)
    role.permissions.set(permissions)
