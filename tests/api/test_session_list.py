"""The list of a client's sessions over HTTP."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from paygo.api.session_bodies import ListedSessionState, SessionPageState
from tests.api.world import (
    ALICE,
    ALICE_T,
    BOB,
    END,
    SESSIONS,
    UNKNOWN_ID,
    Api,
    create_active,
    hours_pass,
    make_api,
    rows,
    start,
)
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node")


def codes(api: Api, query: str = "") -> list[str]:
    answer = api.get(f"{SESSIONS}{query}")
    assert answer.status == 200, answer.body
    return [each["session_code"] for each in answer.body["sessions"]]


def test_lists_sessions_newest_first_with_what_they_cost_so_far(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    first, second = (start(vera, client_ref=ref)["session_code"] for ref in "ab")
    vera.post(END, {"session_code": first})
    hours_pass(1)
    before = rows()

    answer = vera.get(SESSIONS)

    assert answer.body.keys() == SessionPageState().fields.keys()
    newest, oldest = answer.body["sessions"]
    assert newest.keys() == ListedSessionState().fields.keys()
    assert (newest["session_code"], newest["status"]) == (second, "active")
    assert (oldest["session_code"], oldest["end_reason"]) == (first, "ended_by_client")
    assert newest["amount"] == pytest.approx(2.5, abs=0.05)
    assert newest["duration_seconds"] == pytest.approx(3600, abs=60)
    shown = vera.get(f"{SESSIONS}/{first}").body
    assert {name: shown[name] for name in oldest} == oldest
    assert rows() == before


def test_goes_on_where_a_page_ended_whatever_has_started_since(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    started = [start(vera, client_ref=ref)["session_code"] for ref in "abc"]
    first = vera.get(f"{SESSIONS}?limit=2").body
    start(vera, client_ref="d")

    rest = vera.get(f"{SESSIONS}?limit=2&after={first['next_after']}").body

    assert [each["session_code"] for each in first["sessions"]] == [started[2], started[1]]
    assert [each["session_code"] for each in rest["sessions"]] == [started[0]]
    assert rest["next_after"] is None


def test_lists_those_of_one_viewer_or_of_one_status(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    create_active(vera, node, user_wallet_address=BOB)
    ended, running = (start(vera, client_ref=ref)["session_code"] for ref in "ab")
    bobs = start(vera, user_wallet_address=BOB)["session_code"]
    vera.post(END, {"session_code": ended})

    assert codes(vera, f"?user_wallet_address={ALICE}") == [running, ended]
    assert codes(vera, f"?user_wallet_address={ALICE.upper()}&status=ended") == [ended]
    assert codes(vera, "?status=active") == [bobs, running]
    assert codes(vera, "?status=paused") == []
    assert codes(vera, f"?user_wallet_address={ALICE_T}") == []


def test_knows_what_time_alone_has_ended(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]
    hours_pass(9)

    (ended,) = vera.get(SESSIONS).body["sessions"]

    assert (ended["session_code"], ended["end_reason"], ended["amount"]) == (code, "exhausted", 10.0)
    assert codes(vera, "?status=active") == []


def test_shows_no_session_of_another_client(vera: Api, mallory: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]

    after = mallory.get(f"{SESSIONS}?after={code}")

    assert codes(mallory) == codes(mallory, f"?user_wallet_address={ALICE}") == []
    assert (after.status, after.fields) == (400, {"after": "invalid"})


def test_asks_as_much_of_the_database_for_many_as_for_one(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    start(vera)
    codes(vera)
    with CaptureQueriesContext(connection) as one:
        codes(vera)
    for ref in "abc":
        start(vera, client_ref=ref)

    with CaptureQueriesContext(connection) as four:
        assert len(codes(vera)) == 4

    assert len(one) == len(four)


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("limit=0", "limit", "limit_exceeded"),
        ("limit=101", "limit", "limit_exceeded"),
        ("limit=ten", "limit", "invalid"),
        ("status=open", "status", "invalid"),
        ("status=", "status", "invalid"),
        ("after=abc", "after", "invalid"),
        ("after=ABC123XYZ789", "after", "invalid"),
        ("user_wallet_address=nonsense", "user_wallet_address", "address_invalid"),
        ("vendor_id=vendor123", "vendor_id", "unknown_field"),
        ("status=active&status=ended", "status", "invalid"),
        (f"after={UNKNOWN_ID}", "after", "invalid"),
    ],
)
def test_names_the_parameter_that_is_wrong(vera: Api, query: str, field: str, code: str) -> None:
    answer = vera.get(f"{SESSIONS}?{query}")

    assert (answer.status, answer.fields) == (400, {field: code})


def test_needs_a_key_with_its_scope(nobody: Api, db: None) -> None:
    writer = make_api("writer", scopes=("sessions:write",))

    assert nobody.get(SESSIONS).code == "authentication_required"
    assert writer.get(SESSIONS).code == "insufficient_scope"
