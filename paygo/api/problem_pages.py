"""What the `type` of a problem document points to: the entry of docs/problems.md for a code."""

import re
from collections.abc import Mapping
from functools import cache

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

_ENTRY = re.compile(r"^## `(?P<code>[a-z_]+)`.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


@require_safe
def problem_page(_: HttpRequest, code: str) -> HttpResponse:
    """Answer what a code means and what to do about it, as plain text."""
    entry = entries().get(code)
    if entry is None:
        raise Http404
    return HttpResponse(entry, content_type="text/plain; charset=utf-8")


@cache
def entries() -> Mapping[str, str]:
    """Return the entries of docs/problems.md by code."""
    text = (settings.BASE_DIR / "docs" / "problems.md").read_text(encoding="utf-8")
    return {found["code"]: found[0].strip() + "\n" for found in _ENTRY.finditer(text)}
