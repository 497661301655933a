"""Streaming sessions over HTTP: start, show, end."""

import pytest

from paygo.api.session_bodies import (
    AliveSession,
    EndedSession,
    SessionState,
    StartedSession,
    TransactionOfSession,
)
from sessions_app.models import StreamingSession, Vendor
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
from zcash.models import SpendingPermission
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node")

CODE = "ABC123XYZ789"
HEARTBEAT = f"{SESSIONS}/heartbeat"


def shown(code: str) -> str:
    return f"{SESSIONS}/{code}"


def test_starts_a_session_and_says_until_when_it_is_granted(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)

    answer = vera.post(SESSIONS, session_body())

    assert answer.status == 201
    assert answer.body.keys() == StartedSession().fields.keys()
    assert len(answer.body["session_code"]) == 12
    assert answer.headers["Location"] == shown(answer.body["session_code"])
    assert answer.body["rate_per_hour"] == 2.5
    assert answer.body["granted_until"] == answer.body["depletes_at"]
    assert answer.body["granted_until"].endswith("Z")


def test_returns_the_open_session_to_a_repeated_start(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)

    first = vera.post(SESSIONS, session_body())
    second = vera.post(SESSIONS, session_body())

    assert (first.status, second.status) == (201, 200)
    assert second.body == first.body
    assert StreamingSession.objects.count() == 1


def test_starts_a_second_session_under_another_client_ref(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    first = start(vera)

    second = start(vera, client_ref="living room")

    assert second["session_code"] != first["session_code"]
    assert second["granted_until"] < first["granted_until"]


def test_replays_a_start_with_the_same_key(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    first = vera.post(SESSIONS, session_body(), idempotency_key="start-1")
    vera.post(END, {"session_code": first.body["session_code"]})

    again = vera.post(SESSIONS, session_body(), idempotency_key="start-1")

    assert (again.status, again.body) == (201, first.body)
    assert StreamingSession.objects.count() == 1


def test_refuses_a_key_with_another_body(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    vera.post(SESSIONS, session_body(), idempotency_key="start-1")

    answer = vera.post(SESSIONS, session_body(client_ref="other"), idempotency_key="start-1")

    assert (answer.status, answer.code) == (422, "idempotency_key_reused")


def test_asks_for_a_permission_first(vera: Api) -> None:
    before = rows()

    answer = vera.post(SESSIONS, session_body())

    assert (answer.status, answer.code) == (402, "permission_required")
    assert answer.body["status"] == 402
    assert rows() == before


def test_says_what_is_missing_of_an_unpaid_permission(vera: Api) -> None:
    created = create(vera)

    answer = vera.post(SESSIONS, session_body())

    assert (answer.status, answer.code) == (402, "permission_pending")
    assert answer.body["missing_amount"] == 10.0
    assert answer.body["payment_address"] == created["payment_address"]
    assert answer.body["pay_before"] == created["pay_before"]
    assert answer.body["permission_id"] == created["permission_id"]


def test_refuses_an_exhausted_and_an_expired_permission(vera: Api, node: RpcClient) -> None:
    create_active(vera, node, duration_days=2)
    start(vera)
    hours_pass(5)

    exhausted = vera.post(SESSIONS, session_body())
    hours_pass(48)
    expired = vera.post(SESSIONS, session_body())

    assert (exhausted.status, exhausted.code) == (402, "permission_exhausted")
    assert (expired.status, expired.code) == (402, "permission_expired")


def test_refuses_a_vendor_dearer_than_the_permission(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    vera.post("/api/v1/vendors/vendor123/prices", {"rate_per_hour": 3})

    answer = vera.post(SESSIONS, session_body())

    assert (answer.status, answer.code) == (402, "rate_exceeds_permission")
    assert (answer.body["vendor_rate_per_hour"], answer.body["permission_rate_per_hour"]) == (3.0, 2.5)


def test_refuses_a_vendor_of_another_client(vera: Api, mallory: Api, node: RpcClient) -> None:
    create_active(vera, node)
    Vendor.objects.filter(client_id=vera.client_id).update(slug="elsewhere")

    answer = vera.post(SESSIONS, session_body())

    assert (answer.status, answer.code) == (404, "vendor_not_found")


def test_does_not_stream_on_a_permission_at_another_client(vera: Api, mallory: Api, node: RpcClient) -> None:
    create_active(vera, node)

    assert mallory.post(SESSIONS, session_body()).code == "permission_required"


def test_allows_four_sessions_at_once(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    for number in range(4):
        start(vera, client_ref=str(number))

    answer = vera.post(SESSIONS, session_body(client_ref="fifth"))

    assert (answer.status, answer.code) == (409, "session_limit_reached")


def test_says_which_limit_of_sessions_at_once_is_reached(vera: Api, node: RpcClient) -> None:
    create_active(vera, node, max_sessions=2)
    first = start(vera, client_ref="a")["session_code"]
    start(vera, client_ref="b")

    answer = vera.post(SESSIONS, session_body(client_ref="c"))

    assert (answer.status, answer.code) == (409, "session_limit_reached")
    assert (answer.body["limit"], answer.body["max_sessions"]) == ("permission", 2)
    vera.post(END, {"session_code": first})
    assert vera.post(SESSIONS, session_body(client_ref="c")).status == 201


def test_ends_with_a_receipt_and_answers_the_same_again(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]
    hours_pass(0.5)

    first = vera.post(END, {"session_code": code})
    hours_pass(1)
    second = vera.post(END, {"session_code": code})

    assert first.status == 200
    assert first.body.keys() == EndedSession().fields.keys()
    assert first.body["transactions"][0].keys() == TransactionOfSession().fields.keys()
    assert first.body["id"] == first.body["transactions"][-1]["id"]
    assert (first.body["status"], first.body["end_reason"]) == ("confirmed", "ended_by_client")
    assert first.body["duration_minutes"] == 30
    assert first.body["amount"] == pytest.approx(1.25, abs=0.05)
    assert second.body == first.body


def test_shows_a_running_session_without_writing(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera, client_ref="tv")["session_code"]
    hours_pass(1)
    before = rows()

    answer = vera.get(shown(code))

    assert answer.status == 200
    assert answer.body.keys() == SessionState().fields.keys()
    assert (answer.body["status"], answer.body["end_reason"]) == ("active", None)
    assert answer.body["amount"] == pytest.approx(2.5, abs=0.05)
    assert answer.body["duration_seconds"] == pytest.approx(3600, abs=60)
    assert answer.body["transactions"][0]["status"] == "open"
    assert answer.body["client_ref"] == "tv"
    assert rows() == before


def test_shows_the_end_that_time_alone_brought(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]
    hours_pass(9)

    body = vera.get(shown(code)).body

    assert (body["status"], body["end_reason"], body["amount"]) == ("ended", "exhausted", 10.0)
    assert body["duration_seconds"] == 4 * 3600
    assert SpendingPermission.objects.get().remaining_zat == 0


def test_ends_a_silent_session_at_the_end_of_its_lease(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera, heartbeat_seconds=30)["session_code"]
    hours_pass(1)

    body = vera.post(END, {"session_code": code}).body

    assert (body["end_reason"], body["duration_seconds"]) == ("heartbeat_lost", 30.0)


def test_a_heartbeat_keeps_a_session_alive(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera, heartbeat_seconds=3600)["session_code"]
    hours_pass(0.9)

    alive = vera.post(HEARTBEAT, {"session_code": code})
    hours_pass(0.9)

    assert alive.status == 200
    assert alive.body.keys() == AliveSession().fields.keys()
    assert alive.body["granted_until"] == alive.body["next_heartbeat_by"]
    assert vera.get(shown(code)).body["next_heartbeat_by"] == alive.body["next_heartbeat_by"]
    hours_pass(0.2)
    late = vera.post(HEARTBEAT, {"session_code": code})
    assert (late.status, late.code) == (409, "session_ended")


@pytest.mark.parametrize(
    ("method", "at"), [("POST", SESSIONS), ("POST", END), ("POST", HEARTBEAT), ("GET", shown(CODE))]
)
def test_needs_a_key(nobody: Api, db: None, method: str, at: str) -> None:
    answer = nobody.call(method, at)

    assert (answer.status, answer.code) == (401, "authentication_required")


def test_hides_a_session_from_another_client(vera: Api, mallory: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]

    seen = mallory.get(shown(code))
    ended = mallory.post(END, {"session_code": code})
    kept_alive = mallory.post(HEARTBEAT, {"session_code": code})

    assert (seen.status, seen.code) == (404, "session_not_found")
    assert (ended.status, ended.code) == (404, "session_not_found")
    assert (kept_alive.status, kept_alive.code) == (404, "session_not_found")
    assert vera.get(shown(code)).body["status"] == "active"


@pytest.mark.parametrize("code", ["short", "abc123xyz789", "ABC123XYZ78\u00e9", "A" * 500])
def test_names_a_session_code_that_is_none(vera: Api, code: str) -> None:
    answer = vera.get(shown(code))

    assert answer.status == 400
    assert answer.fields == {"session_code": "invalid"}


@pytest.mark.parametrize(("method", "at"), [("PUT", SESSIONS), ("GET", END), ("POST", shown(CODE))])
def test_refuses_a_method_that_the_path_does_not_have(vera: Api, method: str, at: str) -> None:
    answer = vera.call(method, at)

    # `end` is no session code, so that a GET of it names the code.
    assert (answer.status, answer.code) == (405, "method_not_allowed")
