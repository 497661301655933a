"""Events over HTTP: in order, one's own, and none missed."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from core import clock
from paygo.api.event_bodies import EventPage, EventState, SessionCost
from paygo.api.webhook_bodies import (
    DeliveryPage,
    DeliveryState,
    DeliveryWithLog,
    EndpointState,
    EndpointWithSecret,
)
from tests.api.world import END, PERMISSIONS, UNKNOWN_ID, Api, create_active, rows, start
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node")

EVENTS = "/api/v1/events"
ENDPOINTS = "/api/v1/webhooks/endpoints"
DELIVERIES = "/api/v1/webhooks/deliveries"


def test_tells_a_whole_life_in_order(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    code = start(vera)["session_code"]
    vera.post(END, {"session_code": code})

    answer = vera.get(EVENTS)

    assert answer.status == 200
    assert answer.body.keys() == EventPage().fields.keys()
    events = answer.body["events"]
    assert events[0].keys() == EventState().fields.keys()
    assert [each["type"] for each in events] == [
        "permission.created",
        "deposit.seen",
        "deposit.confirmed",
        "permission.activated",
        "session.started",
        "session.ended",
    ]
    positions = [each["position"] for each in events]
    assert positions == sorted(set(positions))
    assert [each["sequence"] for each in events] == [1, 2, 3, 4, 1, 2]
    assert (answer.body["next_after"], answer.body["has_more"]) == (positions[-1], False)


def test_says_of_each_event_what_the_page_about_events_has(vera: Api, node: RpcClient) -> None:
    page = Path(settings.BASE_DIR, "docs", "events.md").read_text()
    table = page.partition("## What `data` has")[2].partition("##")[0]
    rows = dict(re.findall(r"^\| of an? ([a-z]+).*? \| (.*) \|$", table, re.MULTILINE))
    fields = {noun: set(re.findall(r"`([a-z_]+)`", text)) for noun, text in rows.items()}
    created = create_active(vera, node)
    code = start(vera)["session_code"]
    for path in ("/api/v1/sessions/pause", "/api/v1/sessions/resume", END):
        assert vera.post(path, {"session_code": code}).status == 200
    vera.post(f"{PERMISSIONS}/{created['permission_id']}/revoke")

    told = vera.get(EVENTS).body["events"]

    assert {each["type"].partition(".")[0] for each in told} == {"permission", "deposit", "session"}
    for each in told:
        assert each["data"].keys() <= fields[each["type"].partition(".")[0]], each["type"]


def test_says_of_a_sessions_end_what_the_document_has(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    ended = vera.post(END, {"session_code": start(vera)["session_code"]}).body

    (told,) = vera.get(f"{EVENTS}?type=session.ended").body["events"]

    assert told["data"].keys() == SessionCost().fields.keys()
    assert told["data"]["duration_seconds"] == ended["duration_seconds"]
    assert Decimal(told["data"]["amount"]) == Decimal(str(ended["amount"]))
    assert told["data"]["totals"] == ended["totals"]


def test_goes_on_where_a_page_ended(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)

    first = vera.get(f"{EVENTS}?limit=3").body
    second = vera.get(f"{EVENTS}?limit=3&after={first['next_after']}").body
    third = vera.get(f"{EVENTS}?after={second['next_after']}").body

    assert (len(first["events"]), first["has_more"]) == (3, True)
    assert (len(second["events"]), second["has_more"]) == (1, False)
    assert third == {"events": [], "next_after": second["next_after"], "has_more": False}


def test_filters_by_kind_and_subject(vera: Api, node: RpcClient) -> None:
    created = create_active(vera, node)
    start(vera)

    of_kind = vera.get(f"{EVENTS}?type=session.started").body["events"]
    of_subject = vera.get(f"{EVENTS}?subject={created['permission_id']}").body["events"]

    assert [each["type"] for each in of_kind] == ["session.started"]
    assert {each["subject"] for each in of_subject} == {created["permission_id"]}


def test_tells_nobody_elses(vera: Api, mallory: Api, nobody: Api, node: RpcClient) -> None:
    create_active(vera, node)

    assert mallory.get(EVENTS).body["events"] == []
    assert nobody.get(EVENTS).status == 401


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=x", "limit=0", "limit=501", "type=x", "subject=x", "other=1", "after=1&after=2"],
)
def test_refuses_what_it_does_not_know(vera: Api, query: str) -> None:
    assert vera.get(f"{EVENTS}?{query}").status == 400


def made(api: Api, **changes: Any) -> dict[str, Any]:
    answer = api.post(ENDPOINTS, {"url": "https://vera.example/hook", **changes})
    assert answer.status == 201, answer.body
    return dict(answer.body)


def test_makes_an_endpoint_and_shows_its_secret_once(vera: Api) -> None:
    created = made(vera, types=["session.ended", "permission.activated"], description="the shop")

    assert created.keys() == EndpointWithSecret().fields.keys()
    assert created["secret"].startswith("whsec_")
    assert created["types"] == ["permission.activated", "session.ended"]
    shown = vera.get(f"{ENDPOINTS}/{created['endpoint_id']}").body
    assert shown.keys() == EndpointState().fields.keys()
    assert vera.get(ENDPOINTS).body == {"endpoints": [shown]}


def test_a_repeated_creation_answers_the_same_endpoint(vera: Api) -> None:
    body = {"url": "https://vera.example/hook"}

    answers = [vera.post(ENDPOINTS, body, idempotency_key="once") for _ in range(2)]

    assert answers[0].body == answers[1].body
    assert len(vera.get(ENDPOINTS).body["endpoints"]) == 1


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"url": "http://vera.example/"}, "url", "url_refused"),
        ({"url": "https://10.0.0.1/"}, "url", "url_refused"),
        ({"url": "https://[::1/"}, "url", "url_refused"),
        ({"url": "https://vera.example:99999/"}, "url", "url_refused"),
        ({"url": "https://vera.example/\n"}, "url", "invalid"),
        ({"url": 1}, "url", "invalid"),
        ({"url": ""}, "url", "invalid"),
        ({"types": ["x.y"]}, "types", "invalid"),
        ({"types": "session.ended"}, "types", "invalid"),
        ({"types": ["session.ended", "session.ended"]}, "types", "invalid"),
        ({"types": [{}]}, "types", "invalid"),
        ({"description": "x" * 201}, "description", "invalid"),
        ({"secret": "mine"}, "secret", "unknown_field"),
    ],
)
def test_names_what_is_wrong_with_an_endpoint(
    vera: Api, changes: dict[str, Any], field: str, code: str
) -> None:
    before = rows()

    answer = vera.post(ENDPOINTS, {"url": "https://vera.example/hook", **changes})

    assert (answer.status, answer.fields) == (400, {field: code})
    assert rows() == before


def test_rotates_a_secret(vera: Api) -> None:
    created = made(vera)
    path = f"{ENDPOINTS}/{created['endpoint_id']}/rotate"

    rotated = vera.post(path, {"overlap_hours": 2}, idempotency_key="once")

    assert rotated.status == 200
    assert rotated.body["secret"] != created["secret"]
    assert rotated.body["previous_secret_until"] is not None
    assert vera.post(path, {"overlap_hours": 2}, idempotency_key="once").body == rotated.body
    assert vera.post(path, {"overlap_hours": 169}).fields == {"overlap_hours": "limit_exceeded"}


def test_drops_no_valid_secret_for_another_rotation(vera: Api) -> None:
    path = f"{ENDPOINTS}/{made(vera)['endpoint_id']}/rotate"
    for _ in range(4):
        until = vera.post(path, {}).body["previous_secret_until"]

    one_more = vera.post(path, {})

    assert (one_more.status, one_more.code) == (409, "webhook_secret_limit_reached")
    assert until[:10] in one_more.body["detail"]
    assert vera.post(path, {"overlap_hours": 0}).body["previous_secret_until"] is None
    assert vera.post(path, {}).status == 200


def test_disables_enables_and_deletes(vera: Api) -> None:
    path = f"{ENDPOINTS}/{made(vera)['endpoint_id']}"

    disabled = vera.post(f"{path}/disable").body
    enabled = vera.post(f"{path}/enable").body
    deleted = vera.post(f"{path}/delete")

    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "client")
    assert (enabled["status"], enabled["disabled_reason"]) == ("enabled", None)
    assert deleted.status == 200
    assert vera.get(path).code == "webhook_endpoint_not_found"
    assert vera.get(ENDPOINTS).body == {"endpoints": []}


def test_lists_and_shows_what_is_delivered(vera: Api, node: RpcClient) -> None:
    endpoint = made(vera)
    create_active(vera, node)
    vera.get(EVENTS)
    path = f"{ENDPOINTS}/{endpoint['endpoint_id']}/deliveries"

    first = vera.get(f"{path}?limit=3").body
    second = vera.get(f"{path}?limit=3&after={first['next_after']}").body

    assert first.keys() == DeliveryPage().fields.keys()
    assert [each["type"] for each in [*first["deliveries"], *second["deliveries"]]] == [
        "permission.activated",
        "deposit.confirmed",
        "deposit.seen",
        "permission.created",
    ]
    assert second["next_after"] is None
    assert first["deliveries"][0].keys() == DeliveryState().fields.keys()
    shown = vera.get(f"{DELIVERIES}/{first['deliveries'][0]['delivery_id']}").body
    assert shown.keys() == DeliveryWithLog().fields.keys()
    assert '"type":"permission.activated"' in shown["request_body"]


def test_asks_for_a_delivery_again(vera: Api, node: RpcClient) -> None:
    endpoint = made(vera)
    create_active(vera, node)
    vera.get(EVENTS)
    path = f"{ENDPOINTS}/{endpoint['endpoint_id']}"
    delivery = vera.get(f"{path}/deliveries").body["deliveries"][0]

    again = vera.post(f"{DELIVERIES}/{delivery['delivery_id']}/redeliver")

    # It still waits: it is that one.
    assert (again.status, again.body["delivery_id"]) == (202, delivery["delivery_id"])
    vera.post(f"{path}/disable")
    refused = vera.post(f"{DELIVERIES}/{delivery['delivery_id']}/redeliver")
    assert (refused.status, refused.code) == (409, "webhook_endpoint_disabled")


def test_another_client_finds_none_of_it(vera: Api, mallory: Api, nobody: Api, node: RpcClient) -> None:
    endpoint = made(vera)["endpoint_id"]
    create_active(vera, node)
    vera.get(EVENTS)
    delivery = vera.get(f"{ENDPOINTS}/{endpoint}/deliveries").body["deliveries"][0]["delivery_id"]
    reads = [f"{ENDPOINTS}/{{}}", f"{ENDPOINTS}/{{}}/deliveries"]
    writes = [f"{ENDPOINTS}/{{}}/{verb}" for verb in ("rotate", "enable", "disable", "delete")]

    for known, unknown, answers in [
        (
            endpoint,
            UNKNOWN_ID,
            [*((mallory.get, each) for each in reads), *((mallory.post, each) for each in writes)],
        ),
        (
            delivery,
            UNKNOWN_ID,
            [(mallory.get, f"{DELIVERIES}/{{}}"), (mallory.post, f"{DELIVERIES}/{{}}/redeliver")],
        ),
    ]:
        for call, path in answers:
            body = ({},) if call == mallory.post else ()
            theirs, nobodys = call(path.format(known), *body), call(path.format(unknown), *body)
            assert (theirs.status, theirs.code) == (nobodys.status, nobodys.code)
            assert theirs.status == 404
            assert nobody.get(path.format(known)).status in (401, 405)
    assert vera.get(f"{ENDPOINTS}/{endpoint}").body["status"] == "enabled"


def test_waits_as_long_as_an_old_secret_is_valid(vera: Api) -> None:
    created = made(vera)
    rotated = vera.post(f"{ENDPOINTS}/{created['endpoint_id']}/rotate", {}).body

    until = clock.now() + timedelta(hours=24)
    assert rotated["previous_secret_until"][:13] == until.isoformat()[:13]
