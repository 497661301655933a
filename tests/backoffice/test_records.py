"""Every record is in its place: found, filtered, linked, taken along; and no text of it runs anywhere."""

import csv
import io
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import engine, operators
from billing.models import ForeignSend, Refund, Transaction, WalletSend
from billing.operator_rules import Verb
from core import clock, db
from core.models import Event, ReceiptRow, User
from paygo.api.models import ApiKey
from paygo.backoffice import csv_export
from sessions_app.models import StreamingSession, Vendor
from tests.backoffice.everything import leave, live
from tests.factories import make_active_permission, make_client, make_vendor, stream
from zcash.models import Deposit, PermissionAudit, SpendingPermission, WatchedChain

pytestmark = pytest.mark.django_db

OURS = {"core", "zcash", "sessions_app", "billing", "api", "axes", "auth"}
# What runs, opens an attribute, or ends an element, where a page forgets to escape it.
CORPUS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "</title></textarea></style><script>alert(1)</script>",
    "{{ 7*7 }}{% debug %}${7*7}",
    "' onmouseover='alert(1)' x='",
    "<iframe srcdoc='<script>alert(1)</script>'>",
)
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "|calc", "%0A=1", "  =1", "\uff1d1")
# What a spreadsheet skips before it looks for a formula.
FORMULAS += ("\u00a0=1", "\ufeff=1", "\u200b@1", "\u2003\u00ad+1", "\u202e=1", " \x0b-1")


@pytest.fixture
def operator() -> User:
    return User.objects.create_superuser("otto")


@pytest.fixture
def browser(operator: User) -> Client:
    made = Client()
    made.force_login(operator)
    return made


def windows() -> list[type[models.Model]]:
    return [model for model in admin.site._registry if model._meta.app_label in OURS]


def path_of(model: type[models.Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def queries(browser: Client, path: str) -> int:
    browser.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(path).status_code == 200, path
    return len(captured)


@pytest.mark.unbalanced
def test_no_list_asks_more_for_many_rows_than_for_few(browser: Client, operator: User) -> None:
    listed = list(admin.site._registry)
    leave(0, permission=live(0, operator), operator=operator, now=clock.now())
    rows = {model: model._default_manager.count() for model in listed}
    few = {model: queries(browser, path_of(model, "changelist")) for model in listed}
    for number in range(1, 6):
        leave(number, permission=live(number, operator), operator=operator, now=clock.now())

    many = {model: queries(browser, path_of(model, "changelist")) for model in listed}

    # The chain is one row for ever; of everything else there is one, and then there are more.
    grown = {model for model in listed if 0 < rows[model] < model._default_manager.count()}
    assert set(listed) - grown == {WatchedChain}
    assert many == few
    assert max(many.values()) < 12


def test_the_page_of_a_permission_has_its_whole_life(browser: Client, operator: User) -> None:
    permission = live(0, operator)

    page = browser.get(path_of(SpendingPermission, "change", permission.pk))

    line = [each.title for each in page.context["office_line"]]
    assert {"Created", "Credited", "Activated", "Suspended", "Revoked", "Refund queued"} <= set(line)
    assert "Streamed at vendor-0" in line
    titles = [each.title for each in page.context["office_tables"]]
    assert titles == ["Deposits", "Sessions and their transactions", "Refunds"]
    assert [len(each.rows) for each in page.context["office_tables"]] == [2, 1, 1]
    assert b"to have one of each" in page.content
    for row in (Transaction.objects.get(), StreamingSession.objects.get(), Refund.objects.get()):
        assert path_of(type(row), "change", row.pk).encode() in page.content


def test_the_page_of_a_permission_says_what_is_left_now(browser: Client) -> None:
    vera, now = make_client(), clock.now() - timedelta(hours=1)
    make_vendor(vera)
    permission = make_active_permission(vera, now=now)
    stream(vera, now=now)

    page = browser.get(path_of(SpendingPermission, "change", permission.pk))

    facts = dict(page.context["office_facts"])
    assert 7.49 < float(facts["Left now"].split()[0]) <= 7.5
    assert facts["Streaming"] == "1 session"


def test_a_permissions_page_asks_as_often_for_a_long_life_as_for_a_short_one(browser: Client) -> None:
    vera, now = make_client(), clock.now() - timedelta(hours=1)
    make_vendor(vera)
    permission = make_active_permission(vera, now=now)
    path = path_of(SpendingPermission, "change", permission.pk)
    stream_a_little(vera, now, times=1)
    few = queries(browser, path)
    stream_a_little(vera, now + timedelta(minutes=10), times=10)

    assert queries(browser, path) == few


def stream_a_little(vera: User, since, *, times: int) -> None:
    for number in range(times):
        code = stream(vera, now=since + timedelta(minutes=number))
        engine.end(code, client_id=vera.pk, now=since + timedelta(minutes=number, seconds=30))


def test_a_permission_is_found_by_whatever_is_known_of_it(browser: Client, operator: User) -> None:
    live(1, operator)
    permission = live(0, operator)
    deposit = Deposit.objects.filter(permission=permission).first()
    session = StreamingSession.objects.get(wallet_address="wallet-0")
    assert deposit is not None

    for term in (
        str(permission.public_id),
        "wallet-0",
        permission.payment_address,
        deposit.txid,
        session.code,
        f"  {session.code} ",
    ):
        page = browser.get(path_of(SpendingPermission, "changelist"), {"q": term})
        assert list(page.context["cl"].result_list) == [permission], term


@pytest.mark.parametrize("term", ["nobody", "' OR 1=1 --", "%", "x" * 5000, "\u202e", "0" * 64])
def test_a_search_that_finds_nothing_says_so(browser: Client, operator: User, term: str) -> None:
    live(0, operator)
    for model in windows():
        if admin.site._registry[model].search_fields:
            page = browser.get(path_of(model, "changelist"), {"q": term})
            assert page.status_code == 200, model


def test_lists_filter_by_state_and_time(browser: Client, operator: User) -> None:
    permission = live(0, operator)
    path = path_of(SpendingPermission, "changelist")
    tomorrow = f"{clock.now() + timedelta(days=1):%Y-%m-%d}"

    revoked = browser.get(path, {"status__exact": "revoked"}).context["cl"].result_list
    active = browser.get(path, {"status__exact": "active"}).context["cl"].result_list
    later = browser.get(path, {"created_at_from_0": tomorrow, "created_at_from_1": "00:00:00"})

    assert (list(revoked), list(active)) == ([permission], [])
    assert list(later.context["cl"].result_list) == []


def test_a_csv_has_what_the_filters_show(browser: Client, operator: User) -> None:
    live(0, operator)
    permission = live(1, operator)

    answer = browser.get(path_of(SpendingPermission, "changelist"), {"format": "csv", "q": "wallet-1"})

    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert [row["public id"] for row in rows] == [str(permission.public_id)]
    assert rows[0]["wallet"] == "wallet-1"
    assert rows[0]["requested (ZEC)"] == "10"


def test_every_list_can_be_taken_along(browser: Client, operator: User) -> None:
    live(0, operator)
    for model in windows():
        if model._meta.app_label == "auth" or model is User:
            continue
        answer = browser.get(path_of(model, "changelist"), {"format": "csv"})
        text = b"".join(answer.streaming_content).decode()
        assert len(list(csv.reader(io.StringIO(text)))) >= 1, model
        assert "<" not in text.split("\n")[0], model


def test_nobody_takes_along_what_he_may_not_see(operator: User) -> None:
    live(0, operator)
    browser = Client()
    browser.force_login(User.objects.create_user("viewer", is_staff=True))

    assert browser.get(path_of(SpendingPermission, "changelist"), {"format": "csv"}).status_code == 403


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_a_csv_is_a_formula(browser: Client, operator: User, text: str) -> None:
    vera = make_client()
    make_vendor(vera)
    Vendor.objects.update(name=text)

    answer = browser.get(path_of(Vendor, "changelist"), {"format": "csv"})

    (row,) = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode(), newline=""))
    assert row["name"].startswith("'")
    assert csv_export.safe(text) == row["name"]


def test_a_csv_under_a_filter_that_says_nothing_leads_back_to_the_list(
    browser: Client, operator: User
) -> None:
    path = path_of(SpendingPermission, "changelist")

    answer = browser.get(path, {"format": "csv", "created_at__exact": "a lot"})

    assert (answer.status_code, answer["Location"]) == (302, f"{path}?e=1")


def test_a_csv_that_is_too_long_says_so(
    browser: Client, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_export, "MOST_ROWS", 2)
    for number in range(3):
        make_vendor(make_client(f"client-{number}"))

    answer = browser.get(path_of(Vendor, "changelist"), {"format": "csv"})

    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert (len(lines), lines[-1]) == (4, "more than 2 rows: narrow the filter")


def poison(text: str) -> None:
    """Write a text into every text field of every row, as if every check before had failed."""
    for model in (SpendingPermission, Deposit, StreamingSession, Vendor, Refund, ForeignSend, WalletSend):
        poison_rows(model, text)
    for model in (ReceiptRow, ApiKey):
        poison_rows(model, text)


def poison_rows(model: type[models.Model], text: str) -> None:
    for row in model._default_manager.all():
        changes: dict[str, object] = {}
        for each in model._meta.concrete_fields:
            if isinstance(each, models.JSONField):
                changes[each.name] = {text: text}
            elif isinstance(each, models.TextField | models.CharField) and not each.choices:
                limit = (each.max_length or 10_000) - 8
                changes[each.name] = f"{text[:limit]}{row.pk}"
        model._default_manager.filter(pk=row.pk).update(**changes)


@pytest.mark.unbalanced
def test_no_text_of_a_row_becomes_a_part_of_a_page(browser: Client, operator: User) -> None:
    text = "".join(CORPUS)
    permission = live(0, operator)
    send = WalletSend.objects.create(
        account="0", policy="x", payments=[], intent_height=1, busy_height=1, created_at=clock.now()
    )
    ForeignSend.objects.create(txid="x", payments=[], seen_height=1, first_seen_at=clock.now())
    PermissionAudit.objects.create(
        permission=permission,
        created_at=clock.now(),
        effective_at=clock.now(),
        amount_before_zat=0,
        amount_after_zat=0,
        action=text,
        actor=text,
        details={text: text},
    )
    word = operators.word(operator_id=operator.pk, name="otto", reason=text)
    with db.operation():
        operators.note(word, Verb.RESOLVE, permission=permission, now=clock.now(), details={text: text})
    names = {"username": text[:149], "email": text[:200], "first_name": text[:100]}
    User.objects.filter(username="client-0").update(**names)
    Event.objects.create(
        client=permission.client,
        kind=text,
        subject=permission.public_id,
        payload={text: text},
        created_at=clock.now(),
    )
    Refund.objects.update(status="failed", send=send)
    poison(text)

    for model in windows():
        pages = [browser.get(path_of(model, "changelist"))]
        rows = model._default_manager.all()[:3]
        pages += [browser.get(path_of(model, "change", row.pk)) for row in rows]
        for page in pages:
            assert page.status_code == 200, (model, page.request["PATH_INFO"])
            check_clean(page.content.decode())
    for path in (reverse("admin:index"), reverse("admin:queues")):
        check_clean(browser.get(path).content.decode())


class Reader(HTMLParser):
    """What a browser would take of a page for a thing that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag == "script"
        if tag in ("iframe", "object", "embed"):
            self.runs.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (value or "").strip().lower().startswith("javascript:"):
                self.runs.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        if self._in_script and "alert(1)" in data:
            self.runs.append(data)


def check_clean(page: str) -> None:
    """Nothing of what was written runs, and no template has taken it for its own."""
    reader = Reader()
    reader.feed(page)
    assert reader.runs == []
    assert "{{ 7*7 }}" in page or "7*7" not in page


def test_the_reader_sees_what_runs() -> None:
    for text in CORPUS:
        reader = Reader()
        reader.feed(f"<p title=\"{text}\">{text}</p><a href='{text}'></a>")
        assert reader.runs or "7*7" in text, text
