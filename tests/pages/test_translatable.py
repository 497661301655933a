"""Every text of every page goes through the translation, but for names, amounts and what machines say."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from billing.notice_rules import MAILED
from tests.api.world import PERMISSIONS, Api, create, create_active, pay, start
from tests.factories import NOW
from tests.pages.visiting import Visitor
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node")

_TRANSLATED = re.compile(r"⟦[^⟦⟧]*(?:⟦[^⟦⟧]*⟧[^⟦⟧]*)*⟧")
# Names of things, units, the vendor, and an instant before a script has put it into the viewer's zone.
_FREE = re.compile(r"PayGo|ZEC(/h)?|Vera|UTC")
_SHOWN = ("alt", "aria-label", "placeholder", "data-copied", "data-label")
_SILENT = {"script", "style", "code", "time"}
_MACHINE = "mono"


class _Texts(HTMLParser):
    """Collects what people read or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ("meta", "link", "img", "input", "br"):
            silent = tag in _SILENT or _MACHINE in (given.get("class") or "").split()
            self._open.append((tag, silent))
        self.found += [value for name in _SHOWN if (value := given.get(name))]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(silent for _, silent in self._open):
            self.found.append(data)


def untranslated(html: str) -> list[str]:
    """Return the texts of a page that no translator would see."""
    texts = _Texts()
    texts.feed(html)
    rest = [_FREE.sub("", _TRANSLATED.sub("", each)).strip() for each in texts.found]
    return [each for each in rest if re.search(r"[^\W\d_]", each)]


@pytest.fixture
def _foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """A language in which every text is what it is in English, in brackets."""

    def plural(one: str, many: str, number: int) -> str:
        return f"⟦{one if number == 1 else many}⟧"

    monkeypatch.setattr(translation._trans, "gettext", lambda text: f"⟦{text}⟧", raising=False)
    monkeypatch.setattr(translation._trans, "ngettext", plural, raising=False)


@pytest.mark.usefixtures("_foreign")
def test_every_text_of_a_page_can_be_translated(vera: Api, node: RpcClient, settings: Any):
    settings.PAYGO_DEMO_CLIENT = "vera-tv"
    visitor = Visitor()

    faults = {name: found for name, html in _pages(visitor, vera, node) if (found := untranslated(html))}

    assert faults == {}


def _pages(visitor: Visitor, api: Api, node: RpcClient) -> Iterator[tuple[str, str]]:
    def seen(url: str) -> tuple[str, str]:
        return url, visitor.get(url).content.decode()

    yield from (seen(url) for url in ("/", "/nothing", "/payer/", "/demo/"))
    waiting, confirming, over = (create(api) for _ in range(3))
    active = create_active(api, node)
    pay(node, confirming, blocks=1)
    api.post(f"{PERMISSIONS}/{confirming['permission_id']}/verify")
    api.post(f"{PERMISSIONS}/{over['permission_id']}/revoke")
    yield from (seen(each["checkout_url"]) for each in (waiting, confirming, over, active))
    start(api)
    link = str(api.post(f"{PERMISSIONS}/{active['permission_id']}/payer_links").body["payer_url"])
    yield seen(link)
    visitor.post(link)
    yield seen("/payer/?hours=2")
    yield seen("/payer/statement")
    visitor.post("/payer/revoke", sure="yes")
    yield seen("/payer/")
    yield seen("/payer/statement")
    visitor.get("/demo/")
    player = str(visitor.post("/demo/begin").headers["Location"])
    for verb in ("", "pay", "mine", "mine", "mine", "play", "pause", "stop", "revoke"):
        if verb:
            visitor.post(f"{player}/{verb}")
        yield f"demo {verb}", visitor.get(player).content.decode()


@pytest.mark.usefixtures("_foreign")
@pytest.mark.parametrize("kind", sorted(MAILED))
@pytest.mark.parametrize("template", ["subject.txt", "notice.txt", "notice.html"])
def test_every_text_of_a_mail_can_be_translated(kind: str, template: str):
    told = {"remaining": "2", "amount": "1", "expires_at": NOW, "stop_url": "https://1/2"}

    text = render_to_string(f"mail/{template}", {"kind": kind, **told})

    assert untranslated(re.sub(r"https:\S+", "", text)) == []


def test_the_search_finds_what_it_is_made_for():
    page = '<p>⟦Pay ⟦1 h⟧⟧ 3 ZEC</p><p>Not marked</p><img alt="Nor this"><p class="mono">zs1abc</p>'

    assert untranslated(page) == ["Not marked", "Nor this"]
