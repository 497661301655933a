"""Windows on events, webhook endpoints and what is delivered to them, warnings and mails."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateTimeFilter

from billing.notice_models import Mail, Notice
from core import clock
from core.errors import DomainError
from core.models import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from core.webhooks import endpoints
from paygo.backoffice.base import ReadOnlyAdmin


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("id", "position", "sequence", "created_at", "kind", "client", "subject")
    list_filter = (("created_at", RangeDateTimeFilter),)
    list_select_related = ("client",)
    search_fields = ("=subject", "=uid")
    ordering = ("-id",)


class _DeliveringAdmin(ReadOnlyAdmin):
    """A window whose actions send something: for who may change endpoints."""

    def has_deliver_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("core.change_webhookendpoint")


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(_DeliveringAdmin):
    list_display = (
        "public_id",
        "client",
        "url",
        "disabled_reason",
        "disabled_at",
        "failing_since",
        "failures",
        "resume_at",
        "deleted_at",
    )
    list_filter = ("disabled_reason",)
    list_select_related = ("client",)
    search_fields = ("=public_id", "=url", "=client__username")
    ordering = ("-id",)
    # What it signs with is the client's.
    exclude = ("secret", "previous_secret")
    actions = ("enable",)

    @admin.action(description="Enable the chosen endpoints again", permissions=["deliver"])
    def enable(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        for each in queryset.filter(deleted_at=None):
            endpoints.enable(each.public_id)
            self.log_change(request, each, "enabled")
        self.message_user(
            request, "They get events from now on; manage.py replay_webhooks for what they missed."
        )


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(_DeliveringAdmin):
    list_display = (
        "public_id",
        "created_at",
        "endpoint",
        "event",
        "status",
        "attempts",
        "next_attempt_at",
        "finished_at",
        "is_redelivery",
    )
    list_filter = ("status", "is_redelivery")
    list_select_related = ("endpoint", "event")
    search_fields = ("=public_id", "=event__uid", "=endpoint__public_id")
    ordering = ("-id",)
    actions = ("redeliver",)

    @admin.action(description="Deliver the chosen events again", permissions=["deliver"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        for each in queryset:
            try:
                endpoints.redeliver(each.public_id, now=clock.now())
            except DomainError as error:
                self.message_user(request, f"{each.public_id}: {error.detail}", messages.ERROR)
            else:
                self.log_change(request, each, "redelivered")


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(ReadOnlyAdmin):
    list_display = ("id", "started_at", "delivery", "number", "response_status", "error", "duration_ms")
    list_select_related = ("delivery",)
    search_fields = ("=delivery__public_id",)
    ordering = ("-id",)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "permission", "rule", "period", "told")
    list_select_related = ("permission",)
    search_fields = ("=permission__public_id",)
    ordering = ("-id",)


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "event", "permission", "status", "attempts", "finished_at", "error")
    list_filter = ("status",)
    list_select_related = ("event", "permission")
    search_fields = ("=permission__public_id", "=recipient")
    ordering = ("-id",)
