"""Fixtures of tests in a real browser: headless Chromium against the service on a port of its own.

`open_tab()` gives a Playwright page with a fresh profile. Whatever test it is, the browser must have had
nothing to complain of (errors on the console, refused by the Content-Security-Policy, exceptions), and must
have asked no other host. `shoot` keeps a screenshot in `.paygo/test/screenshots`.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.api.conftest import node, simnode, vera

__all__ = ["node", "simnode", "vera"]

SCREENSHOTS = Path(django_settings.BASE_DIR) / ".paygo" / "test" / "screenshots"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_DESKTOP = {"width": 1280, "height": 800}
_PHONE = {"width": 390, "height": 844}
# Where the service answers with a problem on purpose, Chromium says on the console that loading failed.
_ANTICIPATED = "Failed to load resource"
_ASYNC_UNSAFE = "DJANGO_ALLOW_ASYNC_UNSAFE"
# A page looks again after 15 s at the latest; two cores that do something else besides are slow.
expect.set_options(timeout=20_000)

OpenTab = Callable[..., Page]
Shoot = Callable[[Page, str], Path]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser of this package's tests; skips them where there is none."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install --no-install-recommends chromium)")
    # Playwright keeps a loop in this thread, and Django takes every call for one out of a coroutine.
    os.environ[_ASYNC_UNSAFE] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
            yield browser
            browser.close()
    finally:
        del os.environ[_ASYNC_UNSAFE]


@pytest.fixture
def open_tab(chromium: Browser, live_server: LiveServer, settings: Any) -> Iterator[OpenTab]:
    """Open tabs on the service, as of a desk or a phone, in light or dark; check what they complained of."""
    settings.PAYGO_URL = live_server.url
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_one(*, phone: bool = False, dark: bool = False, javascript: bool = True, **options: Any) -> Page:
        context = chromium.new_context(
            base_url=live_server.url,
            viewport=_PHONE if phone else _DESKTOP,
            has_touch=phone,
            is_mobile=phone,
            device_scale_factor=2 if phone else 1,
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
            **{"locale": "en-GB", "timezone_id": "Asia/Tokyo", **options},
        )
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        _listen(page, host=urlsplit(live_server.url).netloc, complaints=complaints)
        return page

    yield open_one
    for context in contexts:
        # A page that still polls would meet the end of the server.
        context.close()
    assert complaints == []


@pytest.fixture
def shoot() -> Shoot:
    """Keep a screenshot of a whole page, to be looked at."""

    def shoot_one(page: Page, name: str) -> Path:
        path = SCREENSHOTS / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = page.viewport_size
        assert size is not None
        # Beyond its viewport Chromium draws a phone's page as for a mouse, so that the phone is made as long.
        long = max(size["height"], int(page.evaluate("document.documentElement.scrollHeight")))
        page.set_viewport_size({"width": size["width"], "height": long})
        page.screenshot(path=path, animations="disabled")
        page.set_viewport_size(size)
        return path

    return shoot_one


def _listen(page: Page, *, host: str, complaints: list[str]) -> None:
    def on_console(message: Any) -> None:
        if message.type == "error" and _ANTICIPATED not in message.text:
            complaints.append(f"{page.url}: {message.text}")

    def on_request(request: Any) -> None:
        asked = urlsplit(request.url)
        if asked.scheme in ("http", "https", "ws", "wss") and asked.netloc != host:
            complaints.append(f"{page.url} asks {asked.netloc}")

    def on_page_error(error: Error) -> None:
        complaints.append(f"{page.url}: {error}")

    def on_failed(request: Any) -> None:
        # Leaving a page ends what it still asks for.
        if _is_static(request.url) and request.failure != "net::ERR_ABORTED":
            complaints.append(f"{page.url} did not get {request.url}: {request.failure}")

    def on_response(response: Any) -> None:
        if _is_static(response.url) and response.status >= 400:
            complaints.append(f"{page.url} got {response.status} for {response.url}")

    page.on("console", on_console)
    page.on("requestfailed", on_failed)
    page.on("response", on_response)
    page.on("request", on_request)
    page.on("pageerror", on_page_error)


def _is_static(url: str) -> bool:
    return urlsplit(url).path.startswith(django_settings.STATIC_URL)
