"""Windows on events, webhook endpoints and what is delivered to them, warnings and mails."""

from django.contrib import admin
from unfold.contrib.filters.admin import RangeDateTimeFilter

from billing.notice_models import Mail, Notice
from core.models import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from paygo.backoffice.base import ReadOnlyAdmin


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("id", "position", "sequence", "created_at", "kind", "client", "subject")
    list_filter = (("created_at", RangeDateTimeFilter),)
    list_select_related = ("client",)
    search_fields = ("=subject", "=uid")
    ordering = ("-id",)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
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
    exclude = ("secret", "previous_secrets")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
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
    search_fields = ("=permission__public_id",)
    ordering = ("-id",)
