"""Every stuck case is in a queue, and leaves it when an operator has done what can be done."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import engine, funding, holds, interventions, operators, refunds, resolutions, reversals
from billing.models import Refund, WalletSend
from billing.operator_models import Approval, OperatorAction
from billing.operators import Word
from core import clock
from core.errors import Conflict
from core.models import User
from paygo.backoffice.queues import QUEUES
from sessions_app.models import StreamingSession
from tests.backoffice.cases import active, failed, revoked, silent
from tests.factories import ZEC, make_client, make_vendor, see_deposit
from zcash.addresses import Network, encode_sapling
from zcash.models import Deposit, SpendingPermission
from zcash.unmatched_models import UnmatchedDeposit

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> User:
    return User.objects.create_superuser("otto")


@pytest.fixture
def browser(operator: User) -> Client:
    made = Client()
    made.force_login(operator)
    return made


@pytest.fixture
def vera() -> User:
    client = make_client()
    make_vendor(client)
    return client


@pytest.fixture
def word(operator: User) -> Word:
    return operators.word(operator_id=operator.pk, name="otto", reason="as agreed with the viewer")


def waiting(name: str) -> list[object]:
    (queue,) = (each for each in QUEUES if each.name == name)
    return list(queue.rows())


def act(browser: Client, name: str, row: object, **data: object):
    url = reverse("admin:act", args=[name, row.pk])  # type: ignore[attr-defined]
    return browser.post(url, {"reason": "looked at it with the viewer", **data})


def test_a_failed_refund_is_tried_again(browser: Client, vera: User, word: Word) -> None:
    refund = failed(vera, word)
    assert waiting("stuck-refunds") == [refund]

    act(browser, "retry-refund", refund)

    refund.refresh_from_db()
    assert (refund.status, waiting("stuck-refunds")) == ("queued", [])
    said = OperatorAction.objects.get(verb="retry")
    assert (said.operator.username, said.reason) == ("otto", "looked at it with the viewer")
    assert said.refund == refund


def test_a_failed_refund_that_is_resolved_leaves_its_queue_and_stays_failed(
    browser: Client, vera: User, word: Word
) -> None:
    refund = failed(vera, word)

    act(browser, "resolve-refund", refund)

    refund.refresh_from_db()
    assert (refund.status, waiting("stuck-refunds")) == ("failed", [])


@pytest.mark.unbalanced
def test_a_resolution_is_about_one_try_and_the_next_failure_is_a_case_again(
    browser: Client, vera: User, word: Word
) -> None:
    refund = failed(vera, word)
    act(browser, "resolve-refund", refund)
    assert waiting("stuck-refunds") == []

    Refund.objects.filter(pk=refund.pk).update(attempts=2, reason="still none")
    assert waiting("stuck-refunds") == [refund]
    act(browser, "resolve-refund", refund)
    assert waiting("stuck-refunds") == []

    # In a batch it may fail for another's sake, which is no try of its own.
    send = WalletSend.objects.create(
        account="0", policy="x", payments=[], intent_height=1, busy_height=1, created_at=clock.now()
    )
    Refund.objects.filter(pk=refund.pk).update(send=send)
    assert waiting("stuck-refunds") == [refund]


@pytest.mark.parametrize("status", ["queued", "sending", "unknown", "confirmed"])
@pytest.mark.unbalanced
def test_nothing_but_a_failed_refund_is_resolved(
    browser: Client, vera: User, word: Word, status: str
) -> None:
    refund = failed(vera, word)
    send = WalletSend.objects.create(
        account="0", policy="x", payments=[], intent_height=1, busy_height=1, created_at=clock.now()
    )
    # The page was opened while it had failed.
    Refund.objects.filter(pk=refund.pk).update(status=status, send=send)

    answer = act(browser, "resolve-refund", refund)

    assert answer.status_code == 200
    assert b"this cannot be done" in answer.content
    assert not OperatorAction.objects.filter(verb="resolve").exists()
    with pytest.raises(Conflict):
        resolutions.resolve_payment(refund, word=word, now=clock.now())


def test_a_rest_that_has_changed_since_it_was_resolved_is_a_case_again(
    browser: Client, vera: User, word: Word
) -> None:
    permission = revoked(vera, word, requested=50_000)
    act(browser, "resolve-spendingpermission", permission)
    assert waiting("small-refunds") == []

    see_deposit(permission, amount=10_000, now=clock.now(), confirmations=10)
    Deposit.objects.filter(status="seen").update(height=100, block_hash="a" * 64)
    funding.credit(permission.pk, now=clock.now())
    refunds.queue_due(now=clock.now())

    assert waiting("small-refunds") == [permission]


def test_what_is_no_case_is_not_resolved(vera: User, word: Word) -> None:
    permission = active(vera)
    deposit = Deposit.objects.get(permission=permission)

    with pytest.raises(Conflict):
        resolutions.resolve_permission(permission.pk, word=word, now=clock.now())
    with pytest.raises(Conflict):
        resolutions.resolve_deposit(deposit.pk, word=word, now=clock.now())


def test_what_is_below_the_minimum_is_refunded_by_hand(browser: Client, vera: User, word: Word) -> None:
    permission = revoked(vera, word, requested=50_000)
    assert waiting("small-refunds") == [permission]

    act(browser, "refund-spendingpermission", permission)

    assert waiting("small-refunds") == []
    assert Refund.objects.get().amount_zat == 50_000


def test_what_is_below_the_minimum_can_be_left(browser: Client, vera: User, word: Word) -> None:
    permission = revoked(vera, word, requested=50_000)

    act(browser, "resolve-spendingpermission", permission)

    assert waiting("small-refunds") == []
    permission.refresh_from_db()
    assert permission.remaining_zat == 50_000


def test_a_late_deposit_waits_until_its_money_goes_back(vera: User, word: Word) -> None:
    permission = revoked(vera, word)
    late = see_deposit(permission, amount=ZEC, now=clock.now(), confirmations=0)

    assert waiting("late-deposits") == [late]
    Deposit.objects.filter(pk=late.pk).update(confirmations=10, height=100, block_hash="a" * 64)
    funding.credit(permission.pk, now=clock.now())
    assert waiting("late-deposits") == [late]


def test_a_reversed_deposit_waits_until_it_is_resolved(browser: Client, vera: User) -> None:
    permission = active(vera)
    deposit = Deposit.objects.get(permission=permission)
    Deposit.objects.filter(pk=deposit.pk).update(lost_at=clock.now())
    deposit.refresh_from_db()
    reversals.reverse(deposit, now=clock.now())
    assert waiting("reversed-deposits") == [deposit]
    assert waiting("suspended") == [permission]

    act(browser, "resolve-deposit", deposit)

    assert waiting("reversed-deposits") == []


@pytest.mark.parametrize("height", [None, 100])
def test_an_unmatched_deposit_waits_until_somebody_says_whose_it_is(
    browser: Client, height: int | None
) -> None:
    row = UnmatchedDeposit.objects.create(
        txid="a" * 64,
        pool="orchard",
        output_index=1,
        address="uregtest1x",
        amount_zat=ZEC,
        height=height,
        first_seen_at=clock.now(),
    )
    assert waiting("unmatched-deposits") == [row]
    page = browser.get(reverse("admin:queue", args=["unmatched-deposits"]))
    assert reverse("admin:act", args=["resolve-unmatcheddeposit", row.pk]) in page.content.decode()

    act(browser, "resolve-unmatcheddeposit", row, reason="")
    assert waiting("unmatched-deposits") == [row]
    act(browser, "resolve-unmatcheddeposit", row)

    assert waiting("unmatched-deposits") == []
    said = OperatorAction.objects.get()
    assert (said.verb, said.reason) == ("resolve", "looked at it with the viewer")
    assert said.details == row.details
    again = act(browser, "resolve-unmatcheddeposit", row)
    assert b"this cannot be done" in again.content


def test_a_held_permission_waits_until_somebody_lifts_that(browser: Client, vera: User, word: Word) -> None:
    permission = active(vera)
    holds.hold(permission.pk, word=word, now=clock.now())
    assert waiting("suspended") == [permission]

    act(browser, "lift-spendingpermission", permission)

    permission.refresh_from_db()
    assert (permission.status, waiting("suspended")) == ("active", [])


def test_a_session_of_which_nobody_hears_is_ended(browser: Client, vera: User) -> None:
    session = silent(vera)
    assert waiting("silent-sessions") == [session]

    act(browser, "end_session-streamingsession", session)

    session.refresh_from_db()
    assert session.end_reason == "ended_by_operator"
    assert waiting("silent-sessions") == []


def test_a_late_deposit_that_is_resolved_is_a_case_again_when_it_is_credited(
    browser: Client, vera: User, word: Word
) -> None:
    permission = revoked(vera, word)
    late = see_deposit(permission, amount=ZEC, now=clock.now(), confirmations=0)

    act(browser, "resolve-deposit", late)
    assert waiting("late-deposits") == []
    Deposit.objects.filter(pk=late.pk).update(confirmations=10, height=100, block_hash="a" * 64)
    funding.credit(permission.pk, now=clock.now())
    assert waiting("late-deposits") == [late]
    act(browser, "resolve-deposit", late)

    assert waiting("late-deposits") == []
    assert OperatorAction.objects.filter(verb="resolve", deposit=late, permission=permission).count() == 2


def test_what_was_credited_before_the_end_is_no_late_deposit(vera: User, word: Word) -> None:
    deposit = Deposit.objects.get(permission=revoked(vera, word, requested=50_000))
    assert deposit.permission.below_minimum

    assert waiting("late-deposits") == []
    with pytest.raises(Conflict):
        resolutions.resolve_deposit(deposit.pk, word=word, now=clock.now())


def test_a_hold_that_is_resolved_is_a_case_again_when_it_is_held_anew(
    browser: Client, vera: User, word: Word
) -> None:
    permission = active(vera)
    holds.hold(permission.pk, word=word, now=clock.now())

    act(browser, "resolve-spendingpermission", permission)
    permission.refresh_from_db()
    assert (permission.status, waiting("suspended")) == ("suspended", [])
    holds.lift(permission.pk, word=word, now=clock.now())
    holds.hold(permission.pk, word=word, now=clock.now())

    assert waiting("suspended") == [permission]


def test_a_hold_that_is_resolved_is_a_case_again_when_its_payment_leaves_the_chain(
    browser: Client, vera: User, word: Word
) -> None:
    permission = active(vera)
    deposit = Deposit.objects.get(permission=permission)
    holds.hold(permission.pk, word=word, now=clock.now())
    act(browser, "resolve-spendingpermission", permission)

    Deposit.objects.filter(pk=deposit.pk).update(lost_at=clock.now())
    deposit.refresh_from_db()
    reversals.reverse(deposit, now=clock.now())

    assert waiting("suspended") == [permission]
    act(browser, "resolve-deposit", deposit)
    # That was said of the deposit, and nothing of the permission.
    assert waiting("suspended") == [permission]


def test_a_hold_that_was_resolved_says_nothing_of_what_is_left_later(
    browser: Client, vera: User, word: Word
) -> None:
    permission = active(vera, requested=50_000)
    holds.hold(permission.pk, word=word, now=clock.now())
    act(browser, "resolve-spendingpermission", permission)

    interventions.revoke(permission, word=word, now=clock.now())
    refunds.queue_due(now=clock.now())

    assert waiting("small-refunds") == [permission]


def test_a_silent_session_that_is_resolved_goes_on_and_is_a_case_again_the_next_day(
    browser: Client, vera: User, word: Word
) -> None:
    session = silent(vera)
    assert waiting("silent-sessions") == [session]

    act(browser, "resolve-streamingsession", session)

    session.refresh_from_db()
    assert (session.status, waiting("silent-sessions")) == ("active", [])
    said = OperatorAction.objects.get()
    assert (said.verb, said.session, said.reason) == ("resolve", session, "looked at it with the viewer")
    tomorrow = clock.now() + resolutions.SESSION_LEFT_FOR
    assert resolutions.sessions_to_look_at(StreamingSession.objects.all(), now=tomorrow).exists()
    engine.end(session.code, client_id=vera.pk, now=clock.now())
    with pytest.raises(Conflict):
        resolutions.resolve_session(session.pk, word=word, now=clock.now())


def test_a_large_refund_waits_for_two(vera: User, word: Word, browser: Client, settings) -> None:
    settings.REFUND_APPROVAL_ABOVE = "5"
    refund = Refund.objects.get(permission=revoked(vera, word))
    olga = Client()
    olga.force_login(User.objects.create_superuser("olga"))

    seen = {"address": refund.address}
    act(browser, "approve-refund", refund, **seen)
    refused = act(browser, "approve-refund", refund, **seen)
    assert b"another operator has to" in refused.content
    assert len(waiting("large-refunds")) == 1
    act(olga, "approve-refund", refund, **seen)

    assert waiting("large-refunds") == []


def test_nobody_approves_an_address_that_was_not_shown(
    vera: User, word: Word, browser: Client, settings
) -> None:
    settings.REFUND_APPROVAL_ABOVE = "5"
    permission = revoked(vera, word)
    refund = Refund.objects.get(permission=permission)
    page = browser.get(reverse("admin:act", args=["approve-refund", refund.pk]))
    shown = page.context["form"].initial["address"]
    assert page.content.decode().count(refund.address) == 2
    elsewhere = encode_sapling(b"elsewhere".ljust(43, b"\1"), network=Network.REGTEST)
    refunds.set_address(
        client_id=vera.pk,
        public_id=permission.public_id,
        address=elsewhere,
        now=clock.now(),
        actor="whoever has the payer's link",
    )

    refused = act(browser, "approve-refund", refund, address=shown)

    assert f"goes to {elsewhere} by now" in refused.content.decode()
    assert b"This field is required" in act(browser, "approve-refund", refund).content
    assert not Approval.objects.exists()


def test_days_that_are_asked_for_twice_are_given_once(browser: Client, vera: User) -> None:
    permission = active(vera)
    page = browser.get(reverse("admin:act", args=["extend-spendingpermission", permission.pk]))
    sent = {**page.context["form"].initial, "days": 7}

    act(browser, "extend-spendingpermission", permission, **sent)
    again = act(browser, "extend-spendingpermission", permission, **sent)

    assert b"by now: open the page again" in again.content
    extended = SpendingPermission.objects.get(pk=permission.pk)
    assert extended.expires_at - permission.expires_at == timedelta(days=7)


@pytest.mark.parametrize("reason", ["", "  ", "ok", "x" * 501])
def test_does_nothing_without_a_reason(browser: Client, vera: User, reason: str) -> None:
    permission = active(vera)

    answer = act(browser, "hold-spendingpermission", permission, reason=reason)

    permission.refresh_from_db()
    assert (answer.status_code, permission.status) == (200, "active")
    assert not OperatorAction.objects.exists()


def test_says_why_something_cannot_be_done(browser: Client, vera: User, word: Word) -> None:
    permission = revoked(vera, word)

    answer = act(browser, "revoke-spendingpermission", permission)

    assert answer.status_code == 200
    assert f"this cannot be done: {permission}" in answer.content.decode()


def test_says_that_the_node_is_away(browser: Client, vera: User, settings) -> None:
    settings.ZCASH_RPC_URL = "http://127.0.0.1:1"
    answer = act(browser, "verify-spendingpermission", active(vera))

    assert answer.status_code == 200
    assert b'role="alert"' in answer.content


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_goes_back_to_pages_of_its_own_only(browser: Client, vera: User, back: str) -> None:
    permission = active(vera)

    answer = act(browser, "hold-spendingpermission", permission, next=back)

    page = reverse("admin:zcash_spendingpermission_change", args=[permission.pk])
    assert answer.headers["Location"] == page


def test_an_action_that_does_not_exist_is_not_found(browser: Client) -> None:
    assert browser.get("/admin/act/delete-everything/1/").status_code == 404
    assert browser.get("/admin/act/hold-spendingpermission/1/").status_code == 404
    assert browser.get("/admin/queues/nothing/").status_code == 404


def test_the_queues_take_as_many_queries_for_many_cases_as_for_one(
    browser: Client, vera: User, word: Word
) -> None:
    for _ in range(2):
        holds.hold(active(vera).pk, word=word, now=clock.now())
        failed(vera, word)
    few = queries_of(browser)
    for _ in range(6):
        holds.hold(active(vera).pk, word=word, now=clock.now())
        failed(vera, word)
        revoked(vera, word, requested=50_000)

    assert queries_of(browser) == few


def queries_of(browser: Client) -> int:
    browser.get(reverse("admin:queues"))
    # It is read again every ten seconds, which is a query more.
    clock.forget()
    clock.now()
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(reverse("admin:queues")).status_code == 200
    return len(captured)


def test_every_queue_has_a_page_of_its_own(browser: Client) -> None:
    for queue in QUEUES:
        page = browser.get(reverse("admin:queue", args=[queue.name]))
        assert (page.status_code, b"Nothing waits for you" in page.content) == (200, True), queue.name
