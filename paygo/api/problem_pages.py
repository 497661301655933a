"""What the `type` of a problem document points to: the entry of docs/problems.md for a code."""

import re
from collections.abc import Mapping
from functools import cache

from django.conf import settings
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from paygo.api.views import PublicView

_ENTRY = re.compile(r"^## `(?P<code>[a-z_]+)`.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class ProblemPage(PublicView):
    """What a code means and what to do about it, as plain text."""

    @extend_schema(exclude=True)
    def get(self, request: Request, code: str) -> HttpResponse:  # noqa: ARG002
        """Answer the entry of a code."""
        entry = entries().get(code)
        if entry is None:
            raise Http404
        return HttpResponse(entry, content_type="text/plain; charset=utf-8")


@cache
def entries() -> Mapping[str, str]:
    """Return the entries of docs/problems.md by code."""
    text = (settings.BASE_DIR / "docs" / "problems.md").read_text(encoding="utf-8")
    return {found["code"]: found[0].strip() + "\n" for found in _ENTRY.finditer(text)}
