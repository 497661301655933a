"""API keys: looked at and revoked here; made by `manage.py createapikey`, which shows the key once."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core import clock
from paygo.api import keys
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
    actions = ("revoke",)

    @admin.action(description="Revoke the selected keys at once", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        count = keys.revoke(list(queryset.values_list("pk", flat=True)), now=clock.now())
        self.message_user(request, f"{count} keys revoked; calls with them answer 401 from now on.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("api.change_apikey")
