"""API keys: looked at and revoked here; made by `manage.py createapikey`, which shows the key once."""

from django.contrib import admin

from paygo.api.models import ApiKey
from paygo.backoffice.base import ReadOnlyAdmin


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = (
        "prefix",
        "name",
        "client",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_select_related = ("client",)
    search_fields = ("prefix", "name")
