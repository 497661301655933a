"""Content negotiation: there is one representation, so that `Accept` cannot make a call fail."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class JSONOnly(BaseContentNegotiation):
    """Answers with a view's first renderer; reads with the parser of exactly the body's media type."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser of the request's media type, None for any other type."""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002
        renderers: Iterable[BaseRenderer],
        format_suffix: Any = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer, whatever `Accept` says."""
        first = next(iter(renderers))
        return first, first.media_type or ""
