"""Users and groups, and the kernel's machine-written rows."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from core.models import ReceiptRow, User
from paygo.backoffice.base import ReadOnlyAdmin

# Beat's schedule is the settings'; a task deleted by hand would not come back before beat starts again.
for model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(model)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


@admin.register(ReceiptRow)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "client", "endpoint", "key")
    list_select_related = ("client",)
    search_fields = ("=key",)
    ordering = ("-id",)
