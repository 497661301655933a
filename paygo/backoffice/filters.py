"""What lists are filtered by: what they offer, and times in UTC, as everything here."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin import ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateTimeFilter

_EARLIEST, _LATEST = "00:00:00", "23:59:59.999"

# What Django's and unfold's filters of a field call their parameters.
_LOOKUPS = ("", "__exact", "__isnull", "__id__exact", "_from_0", "_from_1", "_to_0", "_to_1")


class OfferedFilters:
    """A list that is filtered by what it offers, and by nothing else.

    Django takes any lookup of any field: one by a secret tells it a letter at a time, and a regular
    expression keeps the database busy, or is none.
    """

    list_filter: Any

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Whether a filter of this list is called so."""
        return lookup in _parameters(self.list_filter)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list as it is asked for.

        Raises:
            IncorrectLookupParameters: by a text that the database cannot hold.
        """
        if any("\0" in each for values in request.GET.lists() for each in values[1]):
            raise IncorrectLookupParameters
        return super().get_changelist_instance(request)  # type: ignore[misc]


def _parameters(list_filter: Any) -> Iterator[str]:
    for each in list_filter:
        if isinstance(each, type) and issubclass(each, ListFilter):
            yield each.parameter_name  # type: ignore[attr-defined]
        else:
            name = each if isinstance(each, str) else each[0]
            yield from (f"{name}{lookup}" for lookup in _LOOKUPS)


class TimeFilter(RangeDateTimeFilter):
    """From one instant to another; days without a time of day are whole days."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what lies between the two; what is no time is ignored."""
        since, until = self._instant("from", _EARLIEST), self._instant("to", _LATEST)
        if since:
            queryset = queryset.filter(**{f"{self.field_path}__gte": since})
        if until:
            queryset = queryset.filter(**{f"{self.field_path}__lte": until})
        return queryset

    def _instant(self, end: str, time_of_day: str) -> datetime | None:
        day = self.used_parameters.get(f"{self.parameter_name}_{end}_0")
        time = self.used_parameters.get(f"{self.parameter_name}_{end}_1") or time_of_day
        try:
            return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC)
        except ValueError:
            return None
