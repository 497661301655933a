"""Pauses, resumptions and ends that meet: one of them is first, and the money is right either way."""

from contextlib import ExitStack

import pytest
from pytest_django.fixtures import Settings

from billing import engine, expiry, interval, pauses
from billing.models import Transaction
from billing.pauses import Resumed
from billing.records import SessionRecord
from core.models import User
from sessions_app import queries as session_queries
from sessions_app.errors import SessionEnded, SessionLimitReached
from sessions_app.models import StreamingSession
from tests.concurrency.threads import elsewhere, in_background, lock_held, together, wait_until_blocked
from tests.factories import ALICE, ZEC, after, make_active_permission, stream
from zcash.models import SpendingPermission

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5
ENDING = (
    "WITH ended AS (UPDATE sessions_session SET status = 'ended', ended_at = resume_by,"
    " end_reason = 'pause_expired' WHERE status = 'paused' RETURNING client_id, public_id, ended_at)"
    " INSERT INTO core_event (uid, kind, client_id, subject, payload, created_at)"
    " SELECT gen_random_uuid(), 'session.ended', client_id, public_id, '{}', ended_at FROM ended"
)


def paused(client: User, *, ref: str = "", wallet: str = ALICE) -> str:
    """Start a session, pause it after a second, and return its code."""
    code = stream(client, ref=ref, wallet=wallet)
    pauses.pause(code, client_id=client.pk, now=after(seconds=1))
    return code


def resume(client: User, code: str, *, seconds: float = 10) -> Resumed:
    return pauses.resume(code, client_id=client.pk, now=after(seconds=seconds))


def end(client: User, code: str, *, seconds: float = 10) -> SessionRecord:
    return engine.end(code, client_id=client.pk, now=after(seconds=seconds))


def test_without_the_sessions_lock_an_end_is_overlooked(vera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    make_active_permission(vera)
    code = paused(vera)

    def read_before_the_other_ends(session_id: int) -> StreamingSession:
        found = StreamingSession.objects.select_related("vendor").get(pk=session_id)
        monkeypatch.undo()
        elsewhere(lambda: end(vera, code))
        return found

    monkeypatch.setattr(session_queries, "lock", read_before_the_other_ends)

    # The statement's own guard opens no meter; what it says is not why.
    with pytest.raises(Exception, match="the session has ended already"):
        resume(vera, code)
    assert Transaction.objects.count() == 1


def test_a_resumption_waits_for_whoever_ends_the_pause(vera: User) -> None:
    make_active_permission(vera)
    code = paused(vera)

    with ExitStack() as background, lock_held(ENDING):
        resumed = background.enter_context(in_background(lambda: resume(vera, code)))
        wait_until_blocked()

    assert isinstance(resumed.exception(), SessionEnded)
    assert Transaction.objects.count() == 1


def test_many_resumptions_open_one_meter(vera: User) -> None:
    make_active_permission(vera)
    code = paused(vera)

    found = together(*[lambda: resume(vera, code)] * 4)

    assert [type(each) for each in found] == [Resumed] * 4
    assert len({each.granted_until for each in found}) == 1
    assert Transaction.objects.filter(status="open").count() == 1
    assert SpendingPermission.objects.get().open_transactions == 1


def test_many_pauses_answer_one_record(vera: User) -> None:
    make_active_permission(vera)
    code = stream(vera)

    found = together(
        *[lambda ms=ms: pauses.pause(code, client_id=vera.pk, now=after(ms=ms)) for ms in (900, 1000, 1100)]
    )

    assert len({(each.session.paused_at, each.amount_zat, each.duration_ms) for each in found}) == 1


def test_an_end_and_a_resumption_leave_an_ended_session(vera: User) -> None:
    for number in range(ROUNDS):
        wallet = f"wallet {number}"
        make_active_permission(vera, wallet=wallet, rate=1 * ZEC)
        code = paused(vera, wallet=wallet)

        resumed, ended = together(lambda code=code: resume(vera, code), lambda code=code: end(vera, code))

        assert isinstance(resumed, Resumed | SessionEnded)
        assert ended.session.status == "ended"
        assert len(ended.transactions) == (2 if isinstance(resumed, Resumed) else 1)
        assert ended.amount_zat == 1 * ZEC // 3600


def test_the_sweep_and_a_resumption_at_the_last_instant_agree(vera: User, settings: Settings) -> None:
    settings.MAX_PAUSE_HOURS = 1
    make_active_permission(vera)
    for number in range(ROUNDS):
        code = paused(vera, ref=str(number))

        swept, resumed = together(
            lambda: expiry.run(now=after(seconds=3_601)),
            lambda code=code: pauses.resume(code, client_id=vera.pk, now=after(seconds=3_601, ms=-1)),
        )

        state = StreamingSession.objects.get(code=code).status
        assert (swept, state) == (0, "active") if isinstance(resumed, Resumed) else (1, "ended")
        end(vera, code, seconds=3_602)


def test_a_resumption_and_a_start_share_the_last_slot(vera: User, settings: Settings) -> None:
    settings.MAX_SESSIONS_PER_WALLET = 1
    make_active_permission(vera)
    for number in range(ROUNDS):
        code = paused(vera, ref=f"paused {number}")

        found = together(
            lambda code=code: resume(vera, code),
            lambda number=number: stream(vera, ref=f"new {number}", now=after(seconds=10)),
        )

        assert sum(isinstance(each, SessionLimitReached) for each in found) == 1
        for session in StreamingSession.objects.exclude(status="ended"):
            end(vera, session.code, seconds=11)


def test_a_late_pause_meets_the_interval_at_a_depletion(vera: User) -> None:
    for number in range(ROUNDS):
        wallet = f"wallet {number}"
        make_active_permission(vera, wallet=wallet, requested=1 * ZEC, rate=1 * ZEC)
        code = stream(vera, wallet=wallet)

        stopped, _ = together(
            lambda code=code: pauses.pause(code, client_id=vera.pk, now=after(hours=1, ms=-1)),
            lambda: interval.run_interval(now=after(hours=1, ms=1), engine="test", chunk_size=10),
        )

        session = StreamingSession.objects.get(code=code)
        if isinstance(stopped, SessionEnded):
            assert (session.end_reason, session.ended_at) == ("exhausted", after(hours=1))
        else:
            assert (session.status, session.paused_at) == ("paused", after(hours=1, ms=-1))


def test_nobody_who_holds_a_session_waits_for_its_permission(vera: User) -> None:
    make_active_permission(vera)
    code = paused(vera)

    with ExitStack() as background, lock_held("SELECT 1 FROM sessions_session FOR NO KEY UPDATE"):
        resumed = background.enter_context(in_background(lambda: resume(vera, code)))
        wait_until_blocked()
        ended = background.enter_context(in_background(lambda: end(vera, code)))
        wait_until_blocked(2)

    assert isinstance(resumed.exception(), SessionEnded | None)
    assert ended.result().session.status == "ended"
