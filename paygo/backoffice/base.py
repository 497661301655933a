"""What the windows have in common: rows that machines write are looked at, never edited."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from core.amounts import zec_text
from core.errors import Busy
from core.models import User
from paygo.backoffice import csv_export
from paygo.backoffice.actions import buttons, page_of
from paygo.backoffice.filters import OfferedFilters

_TONES = {
    "active": "success",
    "confirmed": "success",
    "sent": "success",
    "open": "info",
    "queued": "info",
    "sending": "info",
    "submitted": "info",
    "seen": "info",
    "pending": "warning",
    "paused": "warning",
    "exhausted": "warning",
    "suspended": "danger",
    "unknown": "danger",
    "failed": "danger",
    "lost": "danger",
    "reversed": "danger",
}
_FORMAT = "format"
# So many rows are found by one name.
_FOUND = 1_000


class Window(OfferedFilters, ModelAdmin):
    """A list that can be taken along as CSV, and a page that offers what can be done to its row."""

    show_full_result_count = False
    # Nobody counts millions of rows to show fifty.
    paginator = InfinitePaginator
    list_per_page = 50
    list_fullwidth = True
    list_filter_sheet = True
    list_before_template = "backoffice/list_before.html"
    change_form_outer_before_template: str | None = "backoffice/record_before.html"
    # Beside the list's columns, in the CSV alone.
    csv_also: Sequence[str] = ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list, or send it as CSV where `?format=csv` asks for that."""
        if csv_export.is_asked(request):
            return self._as_csv(request)
        asked = request.GET.copy()
        asked.pop("p", None)
        asked[_FORMAT] = "csv"
        return super().changelist_view(request, {**(extra_context or {}), "csv_query": asked.urlencode()})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show a row with what can be done to it."""
        more = dict(extra_context or {})
        # A form that is sent is read under its row's lock, in the transaction that Django begins for it.
        row = self.get_object(request, object_id) if object_id and request.method == "GET" else None
        if row is not None and self.has_view_permission(request, row):
            more.update(self.page_extra(request, row))
        return super().changeform_view(request, object_id, form_url, more)

    def page_extra(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the page of a row shows besides its fields."""
        return {"office_buttons": buttons(row, request)}

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Find rows by what they, or the rows they point at, are called: each name by its own index."""
        names = [str(each) for each in self.search_fields]
        if not search_term.strip() or not all(each.startswith("=") for each in names):
            return super().get_search_results(request, queryset, search_term)
        found = {pk for name in names for pk in self._found(name[1:], search_term.strip())}
        return queryset.filter(pk__in=found), False

    def _found(self, name: str, term: str) -> list[Any]:
        rows = self.model._default_manager.all()
        if name == "wallet_address":
            # The index begins with the client.
            rows = rows.filter(client_id__in=User.objects.values("pk"))
        try:
            asked = rows.filter(**{name: [term] if name.endswith("__contains") else term})
            return list(asked.values_list("pk", flat=True)[:_FOUND])
        except (ValidationError, ValueError):
            # It cannot be one: no UUID, for example.
            return []

    def _as_csv(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = request.GET.copy()
        del asked[_FORMAT]
        request.GET = asked  # type: ignore[assignment]
        try:
            listed = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            # As the list itself does: back to it without the filter that says nothing.
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")
        names = [*(each for each in self.list_display if each != "__str__"), *self.csv_also]
        try:
            return csv_export.response(
                listed.get_queryset(request),
                name=self.opts.model_name or "rows",
                header=[str(label_for_field(each, self.model, self)) for each in names],
                cells=lambda row: [self._cell(row, each) for each in names],
                reader=f"operator {request.user.pk}",
            )
        except Busy as error:
            # Back to the list, which says why.
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(f"{request.path}?{asked.urlencode()}")

    def _cell(self, row: Model, name: str) -> Any:
        try:
            field, _, value = lookup_field(name, row, self)
        except ObjectDoesNotExist:
            return None
        plain = getattr(getattr(type(self), name, None), "plain", None)
        if plain is not None:
            return plain(row)
        return getattr(row, name) if field is not None and field.remote_field else value


class ReadOnlyAdmin(Window):
    """A window without add, change and delete."""

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
        address = getattr(row, field) or ""
        return address if len(address) <= 36 else f"{address[:20]}…"

    column.plain = lambda row: getattr(row, field)  # type: ignore[attr-defined]
    return column


def zec_column(field: str, description: str) -> Any:
    """Return a list column that shows a zatoshi field in ZEC."""

    @admin.display(description=description, ordering=field)
    def column(_: ModelAdmin, row: Any) -> str:
        amount_zat = getattr(row, field)
        return "" if amount_zat is None else zec_text(amount_zat)

    return column


def status_column(field: str = "status") -> Any:
    """Return a list column that shows a state in the colour of what it means."""

    @display(  # type: ignore[untyped-decorator]
        description=field.replace("_", " "), ordering=field, label=_TONES
    )
    def column(_: ModelAdmin, row: Any) -> str:
        return str(getattr(row, field) or "")

    return column


def link_column(field: str, description: str) -> Any:
    """Return a list column that leads to the page of a row that this one points at."""

    @admin.display(description=description, ordering=field)
    def column(_: ModelAdmin, row: Any) -> str:
        target = getattr(row, field)
        return "" if target is None else format_html('<a href="{}">{}</a>', page_of(target), target)

    column.plain = lambda row: getattr(row, field)  # type: ignore[attr-defined]
    return column
