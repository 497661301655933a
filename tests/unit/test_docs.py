"""Pages that are made from the code are made from today's code, and lead to where they say."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from paygo.api import event_kinds, keys
from paygo.management.commands.drawstates import draw

ROOT = Path(settings.BASE_DIR)
FOLDERS = ("core", "zcash", "sessions_app", "billing", "paygo", "docs", "clients/python", "bench")
PAGES = sorted([*ROOT.glob("*.md"), *(page for each in FOLDERS for page in ROOT.glob(f"{each}/**/*.md"))])
API = (ROOT / "docs" / "api.md").read_text()
EVENTS = (ROOT / "docs" / "events.md").read_text()


def test_the_page_of_states_is_drawn_from_the_transition_dicts():
    page = ROOT / "docs" / "states.md"

    assert page.read_text() == draw()


def links(page: Path) -> list[Path]:
    """Return where a page leads to, within the project."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    targets = [each.partition("#")[0] for each in re.findall(r"\]\(([^)\s]+)\)", text)]
    return [(page.parent / each).resolve() for each in targets if each and "://" not in each]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path):
    assert [each for each in links(page) if not each.exists()] == []


def test_every_page_is_reachable_from_the_readme():
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        ahead += [each for each in links(page) if each.suffix == ".md" and each not in seen]

    # The README leads to the folder of decisions.
    assert [page for page in PAGES if page not in seen and page.parent.name != "adr"] == []


def test_every_setting_is_described():
    source = (ROOT / "paygo" / "settings.py").read_text()
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))
    example = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    table = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))

    assert table == example
    assert names - table == set()


def test_every_scope_is_described_and_whether_a_key_has_it_by_itself():
    table = dict(re.findall(r"^\| `([a-z]+(?::[a-z]+)?)` \| (.*) \|$", API, re.MULTILINE))

    assert set(table) == set(keys.SCOPES)
    assert {scope for scope, text in table.items() if "*only when asked for*" in text} == keys.OPT_IN_SCOPES


def test_every_kind_of_event_is_described_in_the_words_of_the_document():
    table = dict(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (.*) \|$", EVENTS, re.MULTILINE))

    assert table == dict(event_kinds.KINDS)
