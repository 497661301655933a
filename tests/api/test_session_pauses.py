"""Pausing and resuming over HTTP, and the spending cap of a session."""

from typing import Any

import pytest

from paygo.api.session_pauses import PausedSession, ResumedSession
from tests.api.world import (
    END,
    SESSIONS,
    Api,
    create,
    create_active,
    hours_pass,
    rows,
    session_body,
    start,
)
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node")

CODE = "ABC123XYZ789"
PAUSE, RESUME = f"{SESSIONS}/pause", f"{SESSIONS}/resume"


def about(code: str) -> dict[str, str]:
    return {"session_code": code}


def test_pauses_and_answers_the_same_again(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]
    hours_pass(0.5)

    first = vera.post(PAUSE, about(code))
    hours_pass(1)
    again = vera.post(PAUSE, about(code))

    assert first.status == 200
    assert first.body.keys() == PausedSession().fields.keys()
    assert (first.body["status"], first.body["session_code"]) == ("paused", code)
    assert first.body["amount"] == pytest.approx(1.25, abs=0.05)
    assert first.body["duration_seconds"] == pytest.approx(1800, abs=60)
    assert again.body == first.body
    shown = vera.get(f"{SESSIONS}/{code}").body
    assert (shown["status"], shown["amount"]) == ("paused", first.body["amount"])
    assert (shown["paused_at"], shown["resume_by"]) == (first.body["paused_at"], first.body["resume_by"])
    assert (shown["granted_until"], shown["depletes_at"], shown["next_heartbeat_by"]) == (None, None, None)


def test_resumes_and_says_until_when_it_is_granted(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera, heartbeat_seconds=3600)["session_code"]
    vera.post(PAUSE, about(code))
    hours_pass(5)

    answer = vera.post(RESUME, about(code))
    again = vera.post(RESUME, about(code))

    assert answer.status == 200
    assert answer.body.keys() == ResumedSession().fields.keys()
    assert (answer.body["status"], answer.body["rate_per_hour"]) == ("active", 2.5)
    assert answer.body["granted_until"] == answer.body["next_heartbeat_by"] < answer.body["depletes_at"]
    assert again.body == answer.body
    shown = vera.get(f"{SESSIONS}/{code}").body
    assert (shown["status"], shown["paused_at"], shown["resume_by"]) == ("active", None, None)
    assert len(shown["transactions"]) == 2


def test_tells_to_resume_where_a_paused_session_is_started_or_kept_alive(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera, client_ref="tv")["session_code"]
    vera.post(PAUSE, about(code))
    before = rows()

    started = vera.post(SESSIONS, session_body(client_ref="tv"))
    kept_alive = vera.post(f"{SESSIONS}/heartbeat", about(code))

    assert (started.status, started.code) == (409, "session_paused")
    assert "/sessions/resume" in started.body["detail"]
    assert (kept_alive.status, kept_alive.code) == (409, "session_paused")
    assert rows() == before


def test_a_session_that_ended_is_neither_paused_nor_resumed(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]
    vera.post(END, about(code))

    for call in (PAUSE, RESUME):
        answer = vera.post(call, about(code))
        assert (answer.status, answer.code) == (409, "session_ended")


def test_ends_a_pause_that_is_too_long(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]
    paused = vera.post(PAUSE, about(code)).body
    hours_pass(25)

    resumed = vera.post(RESUME, about(code))
    ended = vera.post(END, about(code))

    assert (resumed.status, resumed.code) == (409, "session_ended")
    assert (ended.body["end_reason"], ended.body["amount"]) == ("pause_expired", paused["amount"])
    assert vera.get(f"{SESSIONS}/{code}").body["ended_at"] == paused["resume_by"]


def test_says_why_nothing_pays_for_a_resumption(vera: Api, node: RpcClient) -> None:
    created = create_active(vera, node)
    code = start(vera)["session_code"]
    vera.post(PAUSE, about(code))
    vera.post(f"/api/v1/zcash/permissions/{created['permission_id']}/revoke")

    refused = vera.post(RESUME, about(code))
    create(vera)
    pending = vera.post(RESUME, about(code))

    assert (refused.status, refused.code) == (402, "permission_required")
    assert (pending.status, pending.code) == (402, "permission_pending")


@pytest.mark.parametrize("call", [PAUSE, RESUME])
def test_needs_a_key_and_a_session_of_ones_own(
    vera: Api, mallory: Api, nobody: Api, node: RpcClient, call: str
) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]

    assert (nobody.post(call, about(code)).status, nobody.post(call, about(code)).code) == (
        401,
        "authentication_required",
    )
    assert mallory.post(call, about(code)).code == mallory.post(call, about(CODE)).code == "session_not_found"
    assert vera.get(f"{SESSIONS}/{code}").body["status"] == "active"


@pytest.mark.parametrize("call", [PAUSE, RESUME])
@pytest.mark.parametrize("body", [{}, {"session_code": 1}, {"session_code": "abc"}, [], {"other": CODE}])
def test_names_what_is_wrong_with_the_body(vera: Api, call: str, body: Any) -> None:
    assert vera.post(call, body).status == 400


def test_ends_a_session_at_its_spending_cap(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)

    started = start(vera, max_amount=2.5)
    hours_pass(2)

    code = started["session_code"]
    assert started["max_amount"] == 2.5
    assert started["depletes_at"] is None
    shown = vera.get(f"{SESSIONS}/{code}").body
    assert (shown["end_reason"], shown["amount"], shown["max_amount"]) == ("spending_cap", 2.5, 2.5)
    assert vera.post(END, about(code)).body["end_reason"] == "spending_cap"


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (0, "amount_invalid"),
        (-1, "amount_invalid"),
        (True, "amount_invalid"),
        (None, "null"),
        ("1e3", "amount_invalid"),
        (0.000000001, "amount_invalid"),
        (21_000_001, "amount_invalid"),
        (0.00000001, "limit_exceeded"),
    ],
)
def test_names_a_cap_that_cannot_be(vera: Api, node: RpcClient, amount: Any, code: str) -> None:
    create_active(vera, node)

    answer = vera.post(SESSIONS, session_body(max_amount=amount))

    assert (answer.status, answer.fields) == (400, {"max_amount": code})


def test_a_repeated_start_shows_the_cap_of_the_session_that_runs(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    first = start(vera, max_amount=5)

    again = vera.post(SESSIONS, session_body(max_amount=1))

    assert (again.status, again.body) == (200, first)
    assert start(vera, client_ref="other")["max_amount"] is None
