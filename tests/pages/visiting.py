"""Visits pages as a browser does, with cookies and the tokens of forms, and without running scripts."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client, override_settings

from tests.api.world import dynamic_middleware

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Visitor:
    """One browser: it keeps cookies, and its forms are refused without their token."""

    def __init__(self) -> None:
        self._client = Client(enforce_csrf_checks=True)
        with override_settings(MIDDLEWARE=dynamic_middleware()):
            self._client.handler.load_middleware()
        self._token = ""

    @property
    def cookies(self) -> Any:
        return self._client.cookies

    def get(self, url: str) -> Any:
        return self._seen(self._client.get(_path(url)))

    def post(self, url: str, token: str | None = None, **fields: str) -> Any:
        """Send a form with the token of the page that was seen last, unless another is given."""
        sent = {**fields, "csrfmiddlewaretoken": self._token if token is None else token}
        return self._seen(self._client.post(_path(url), sent))

    def _seen(self, answer: HttpResponse) -> HttpResponse:
        if answer.streaming:
            return answer
        if found := _TOKEN.search(answer.content.decode()):
            self._token = found[1]
        return answer


def _path(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
