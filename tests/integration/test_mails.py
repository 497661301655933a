"""Mails: one for each event that concerns a viewer, whatever dies in between, until the viewer wants none."""

import smtplib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core import mail as outgoing
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django.fixtures import Settings

from billing import expiry, mails, notices
from billing.models import Mail, MailCursor
from billing.notice_rules import MAIL_LIFE
from core import db, publisher
from core.models import User
from tests.factories import after, make_active_permission, make_client, make_vendor, stream
from zcash.addresses import Network, encode_sapling
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db(transaction=True)

READER = "alice@viewers.example"


@pytest.fixture(autouse=True)
def _mail(settings: Settings) -> Iterator[None]:
    settings.MAIL_FROM = "PayGo <paygo@service.example>"
    yield
    outgoing.outbox.clear()


@pytest.fixture
def permission(db: None) -> SpendingPermission:
    client = make_client()
    make_vendor(client)
    made = make_active_permission(client)
    SpendingPermission.objects.filter(pk=made.pk).update(notify_email=READER)
    made.refresh_from_db()
    # Mail is on already: this is where it begins.
    mails.queue(now=after(hours=0))
    return made


def vera() -> User:
    return User.objects.get(username="vera-tv")


def a_round(now: datetime) -> list[str]:
    """Return the subjects of the mails that a round sends."""
    outgoing.outbox.clear()
    notices.run(now=now)
    publisher.publish_all(now=now)
    mails.queue(now=now)
    mails.send_due(now=now)
    return [each.subject for each in outgoing.outbox]


def test_writes_to_the_viewer_of_what_concerns_them(permission: SpendingPermission) -> None:
    stream(vera())

    assert a_round(after(hours=1)) == []
    assert a_round(after(hours=3.3)) == ["Your streaming credit is running low"]
    expiry.bring_current(permission.pk, now=after(hours=5))
    assert a_round(after(hours=5)) == ["Your streaming credit is used up"]
    assert a_round(after(hours=5)) == []


def test_says_it_plainly_and_in_html_with_a_way_out(permission: SpendingPermission) -> None:
    a_round(after(hours=29 * 24))

    (sent,) = outgoing.outbox
    assert sent.to == [READER]
    assert sent.from_email == "PayGo <paygo@service.example>"
    assert "2026-01-31 00:00 UTC" in sent.body
    assert "10 ZEC" in sent.body
    ((html, kind),) = sent.alternatives
    assert kind == "text/html"
    assert "10 ZEC" in html
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert sent.extra_headers["List-Unsubscribe"][1:-1] in sent.body
    assert sent.extra_headers["Message-ID"].endswith("@service.example>")


def test_writes_to_nobody_who_gave_no_address(permission: SpendingPermission) -> None:
    SpendingPermission.objects.update(notify_email=None)

    assert a_round(after(hours=29 * 24)) == []
    assert Mail.objects.count() == 0


def test_a_mail_server_that_is_away_delays_a_mail_and_doubles_none(
    permission: SpendingPermission, settings: Settings
) -> None:
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert a_round(after(hours=29 * 24)) == []
    waiting = Mail.objects.get()
    assert (waiting.status, waiting.attempts) == ("queued", 1)

    settings.EMAIL_BACKEND = working
    assert a_round(after(hours=29 * 24)) == []
    assert waiting.next_attempt_at is not None
    assert a_round(waiting.next_attempt_at) == ["Your streaming permission ends soon"]
    assert Mail.objects.get().status == "sent"


def test_gives_up_a_warning_that_would_come_a_day_late(
    permission: SpendingPermission, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    a_round(after(hours=27 * 24))

    mails.send_due(now=after(hours=28 * 24 + 1))

    assert Mail.objects.get().status == "failed"


def test_writes_of_nothing_that_happened_before_mail_was_switched_on(permission: SpendingPermission) -> None:
    MailCursor.objects.update(position=None)
    now = after(hours=27 * 24)
    notices.run(now=now)
    publisher.publish_all(now=now)

    assert mails.queue(now=now) == 0
    assert Mail.objects.count() == 0
    assert a_round(after(hours=29 * 24)) == ["Your streaming permission ends soon"]


def test_writes_of_nothing_that_is_older_than_a_day(permission: SpendingPermission) -> None:
    happened = after(hours=27 * 24)
    notices.run(now=happened)
    publisher.publish_all(now=happened)

    assert mails.queue(now=happened + MAIL_LIFE) > 0
    assert Mail.objects.count() == 0


def test_sends_no_mail_that_waited_for_a_day(permission: SpendingPermission) -> None:
    made = after(hours=27 * 24)
    notices.run(now=made)
    publisher.publish_all(now=made)
    mails.queue(now=made)

    assert mails.send_due(now=made + MAIL_LIFE) == 0
    assert (Mail.objects.get().status, outgoing.outbox) == ("failed", [])


def test_a_claimed_mail_of_a_dead_sender_is_sent_after_its_lease(permission: SpendingPermission) -> None:
    now = after(hours=29 * 24)
    notices.run(now=now)
    publisher.publish_all(now=now)
    mails.queue(now=now)
    Mail.objects.update(next_attempt_at=now + mails._LEASE)

    assert mails.send_due(now=now) == 0
    assert mails.send_due(now=now + mails._LEASE) == 1


def test_the_link_in_a_mail_ends_them(permission: SpendingPermission) -> None:
    browser = Client()
    path = "/mail/stop/" + mails.stop_token(permission)

    asked = browser.get(path)
    assert asked.status_code == 200
    permission.refresh_from_db()
    assert permission.notify_email == READER

    assert Client(enforce_csrf_checks=True).post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    permission.refresh_from_db()
    assert permission.notify_email is None
    assert a_round(after(hours=29 * 24)) == []
    assert browser.post("/mail/stop/made-up").status_code == 404


def test_a_mail_that_is_unwanted_by_now_is_not_sent(permission: SpendingPermission) -> None:
    now = after(hours=29 * 24)
    notices.run(now=now)
    publisher.publish_all(now=now)
    mails.queue(now=now)
    mails.stop(mails.stop_token(permission))

    assert mails.send_due(now=now) == 0
    assert Mail.objects.get().status == "unwanted"


def test_whoever_has_unsubscribed_is_named_nowhere(permission: SpendingPermission) -> None:
    assert len(a_round(after(hours=29 * 24))) == 1

    mails.stop(mails.stop_token(permission))

    for table in ("billing_mail", "zcash_permission", "zcash_permission_audit", "core_event"):
        (kept,) = db.row(f"SELECT json_agg(t)::text FROM {table} t")
        assert READER not in kept, table


@pytest.mark.parametrize(
    ("error", "is_for_now"),
    [
        (smtplib.SMTPRecipientsRefused({"vera@example.com": (450, b"greylisted")}), True),
        (smtplib.SMTPRecipientsRefused({"vera@example.com": (550, b"nobody")}), False),
        (smtplib.SMTPSenderRefused(452, b"full", "paygo@example.com"), True),
        (smtplib.SMTPSenderRefused(553, b"never", "paygo@example.com"), False),
    ],
)
def test_a_mail_that_is_refused_for_now_is_tried_again(
    permission: SpendingPermission,
    monkeypatch: pytest.MonkeyPatch,
    error: smtplib.SMTPException,
    is_for_now: bool,
) -> None:
    def refuse(_: EmailMessage) -> None:
        raise error

    monkeypatch.setattr(EmailMessage, "send", refuse)
    a_round(after(hours=29 * 24))

    mail = Mail.objects.get()
    assert mail.status == ("queued" if is_for_now else "failed")


def test_a_slow_server_gets_no_mail_twice(
    permission: SpendingPermission, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, took = after(hours=29 * 24), 400
    client = vera()
    for number in (1, 2):
        wallet = encode_sapling(bytes([number]) * 43, network=Network.REGTEST)
        make_active_permission(client, wallet=wallet)
    SpendingPermission.objects.update(notify_email=READER)
    notices.run(now=now)
    publisher.publish_all(now=now)
    mails.queue(now=now)
    sent: Counter[str] = Counter()
    passed = [0]
    monkeypatch.setattr(mails, "time", SimpleNamespace(monotonic=lambda: passed[0]))

    def send(message: EmailMessage) -> None:
        sent[message.extra_headers["Message-ID"]] += 1
        if len(sent) == 3 and sent.total() == 3:
            # Another process looks, longer after the first mail than a lease lasts.
            mails.send_due(now=now + timedelta(seconds=passed[0] + 1))
        passed[0] += took

    monkeypatch.setattr(EmailMessage, "send", send)
    mails.send_due(now=now)

    assert sorted(sent.values()) == [1, 1, 1]


def test_one_mail_is_taken_at_a_time_whatever_the_plan(
    permission: SpendingPermission, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, client = after(hours=29 * 24), vera()
    for number in (1, 2):
        make_active_permission(client, wallet=encode_sapling(bytes([number]) * 43, network=Network.REGTEST))
    SpendingPermission.objects.update(notify_email=READER)
    notices.run(now=now)
    publisher.publish_all(now=now)
    mails.queue(now=now)
    monkeypatch.setattr(mails, "_AT_ONCE", 1)

    # What is left is a nested loop that runs its inner side for each outer row, as over a small table.
    ways = ("hashjoin", "mergejoin", "hashagg", "indexscan", "bitmapscan", "material", "sort")
    ways += ("incremental_sort",)
    for way in ways:
        db.execute(f"SET enable_{way} = off")
    try:
        mails.send_due(now=now)
    finally:
        for way in ways:
            db.execute(f"RESET enable_{way}")

    assert sorted(Mail.objects.values_list("attempts", flat=True)) == [0, 0, 1]
