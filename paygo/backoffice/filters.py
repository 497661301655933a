"""Filters of lists by time: in UTC, as everything here."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateTimeFilter

_EARLIEST, _LATEST = "00:00:00", "23:59:59.999"


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
