"""What the windows have in common: rows that machines write are looked at, never edited."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from core.amounts import zec_text


class ReadOnlyAdmin(ModelAdmin):
    """A window without add, change and delete."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def address_column(field: str, description: str) -> Any:
    """Return a list column that shows an address by its first 20 characters, enough to tell it (ZIP-316)."""

    @admin.display(description=description, ordering=field)
    def column(_: ModelAdmin, row: Any) -> str:
        address = getattr(row, field)
        return address if len(address) <= 36 else f"{address[:20]}…"

    return column


def zec_column(field: str, description: str) -> Any:
    """Return a list column that shows a zatoshi field in ZEC."""

    @admin.display(description=description, ordering=field)
    def column(_: ModelAdmin, row: Any) -> str:
        amount_zat = getattr(row, field)
        return "" if amount_zat is None else zec_text(amount_zat)

    return column
