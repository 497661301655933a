"""Windows on what django-axes keeps of logins."""

from axes.models import AccessAttempt, AccessLog
from django.contrib import admin

from paygo.backoffice.base import ReadOnlyAdmin


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin):
    list_display = ("attempt_time", "username", "ip_address", "failures_since_start", "user_agent")
    search_fields = ("=username", "=ip_address")
    ordering = ("-id",)


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin):
    list_display = ("attempt_time", "username", "ip_address", "logout_time", "user_agent")
    search_fields = ("=username", "=ip_address")
    ordering = ("-id",)
