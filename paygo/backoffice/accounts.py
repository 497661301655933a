"""Users and groups, and the kernel's machine-written rows."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from billing import account_changes
from core import accounts, clock
from core.models import ReceiptRow, User
from paygo.backoffice import rights, roles
from paygo.backoffice.base import ReadOnlyAdmin
from paygo.backoffice.filters import OfferedFilters

# Beat's schedule is the settings'; a task deleted by hand would not come back before beat starts again.
for model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(model)
admin.site.unregister(Group)


# What an account can do; nobody changes that of his own.
_RIGHTS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(OfferedFilters, DjangoUserAdmin, ModelAdmin):
    """Accounts are never deleted, for rows name them: they are switched off by `is_active`."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    readonly_fields = ("last_login", "date_joined", "rights_changed_at")
    fieldsets = (
        *(DjangoUserAdmin.fieldsets or ())[:-1],
        ("Important dates", {"fields": ("last_login", "date_joined", "rights_changed_at")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Whoever lacks one of an account's rights changes neither it nor its password."""
        if not super().has_change_permission(request, obj):
            return False
        return obj is None or rights.may_change_user(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Nobody changes what he himself can do, and only who can do everything makes others such.

        An account keeps its name: the audit log names by it who did something.
        """
        fixed = (*super().get_readonly_fields(request, obj), *(("username",) if obj else ()))
        if obj is not None and obj.pk == request.user.pk:
            return (*fixed, *_RIGHTS)
        return fixed if request.user.is_superuser else (*fixed, "is_superuser")

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002  # Django's name
        """Change a password and write that down in one transaction."""
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def log_addition(self, request: HttpRequest, obj: User, message: Any) -> Any:
        """Tell all who look after accounts of a new one, too."""
        entry = super().log_addition(request, obj, message)
        account_changes.note([obj], by=request.user, what="made the account", now=clock.now())
        return entry

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        """Tell all who look after accounts of a change, too."""
        entry = super().log_change(request, obj, message)
        what = entry.get_change_message() or "looked at the account and saved it"
        account_changes.note([obj], by=request.user, what=what, now=clock.now())
        return entry

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer, and take, what the operator has himself."""
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        return _narrowed(field, db_field.name, request)


@admin.register(Group)
class GroupAdmin(OfferedFilters, DjangoGroupAdmin, ModelAdmin):
    """Groups of the operator's own; what the four roles may do is said by `paygo.backoffice.roles`."""

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return obj is not None and super().has_delete_permission(request, obj) and self._may(request, obj)

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any
    ) -> Any:
        """Offer, and take, what the operator has himself."""
        assert request is not None, "Django's forms of an admin are made for a request"
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        return _narrowed(field, db_field.name, request)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Its members can do something else from now on."""
        super().save_related(request, form, formsets, change)
        members = list(form.instance.user_set.all())
        accounts.note_rights_changed([each.pk for each in members], now=clock.now())
        what = f"changed their group {form.instance}"
        account_changes.note(members, by=request.user, what=what, now=clock.now())

    def _may(self, request: HttpRequest, group: Group | None) -> bool:
        if group is None:
            return True
        return group.name not in roles.NAMES and rights.may_change_group(request.user, group)


def _narrowed(field: Any, name: str, request: HttpRequest) -> Any:
    """Let a field of groups or permissions take nothing that its operator does not have."""
    if field is not None:
        given = rights.grantable_groups if name == "groups" else rights.grantable
        field.queryset = given(request.user)
        if name != "groups":
            # Each is called by its content type.
            field.queryset = field.queryset.select_related("content_type")
    return field


@admin.register(ReceiptRow)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "client", "endpoint", "key")
    list_select_related = ("client",)
    search_fields = ("=key",)
    ordering = ("-id",)
