"""Refunds over HTTP: what is told of one in each of its states, and where it may go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pytest_django.fixtures import Settings

from billing.refunds import queue_due
from core import clock
from paygo.api import keys
from paygo.api.permission_bodies import RefundState
from tests import refunding
from tests.api.world import (
    MAINNET,
    PERMISSIONS,
    SPROUT,
    UNKNOWN_ID,
    Answer,
    Api,
    create,
    make_api,
    permission_body,
    rows,
)
from tests.refunding import ALICE, ALICE_T, ALICE_TEX, MALLORY, REFUND_CONFIRMATIONS, World
from zcash.models import PermissionAudit, SpendingPermission


@pytest.fixture(params=refunding.DIALECTS)
def world(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings, db: None) -> Iterator[World]:
    with refunding.running(tmp_path / "node", dialect=request.param, settings=settings) as world:
        yield world
        world.check_payments()


@pytest.fixture
def vera(world: World) -> Api:
    api = make_api("vera-tv")
    assert api.user is not None
    world.vera = api.user
    return api


def path(permission_id: object, verb: str = "") -> str:
    return f"{PERMISSIONS}/{permission_id}{verb}"


def change(api: Api, permission: SpendingPermission, address: str) -> Answer:
    return api.post(path(permission.public_id, "/refund_address"), {"refund_address": address})


def shown(api: Api, permission: SpendingPermission) -> dict[str, Any]:
    """Return the permission as the API shows it, held against the published schema."""
    answer = api.get(path(permission.public_id))
    assert answer.status == 200
    document = api.get("/api/schema/").body
    schema = {
        "$ref": "#/components/schemas/PermissionState",
        "components": document["components"],
    }
    problems = [error.message for error in Draft202012Validator(schema).iter_errors(answer.body)]
    assert problems == []
    body: dict[str, Any] = answer.body
    return body


def refund(api: Api, permission: SpendingPermission) -> dict[str, Any]:
    found: dict[str, Any] = shown(api, permission)["refund"]
    assert found.keys() == RefundState().fields.keys()
    return found


class TestTheRefundObject:
    def test_is_null_while_the_permission_lives(self, vera: Api, world: World) -> None:
        permission = world.paid()

        assert shown(vera, permission)["refund"] is None

    def test_follows_a_refund_through_its_states(self, vera: Api, world: World) -> None:
        permission = world.revoked(ALICE_T)
        seen = [refund(vera, permission)]
        for step in (
            lambda: queue_due(now=clock.now()),
            world.round,
            world.round,
            world.confirm,
        ):
            step()
            seen.append(refund(vera, permission))

        assert [each["status"] for each in seen] == ["waiting", "queued", "sending", "sent", "confirmed"]
        assert [each["amount"] for each in seen] == [0.99985] * 5
        assert [each["fee"] for each in seen] == [0.00015] * 5
        assert [len(each["txids"]) for each in seen] == [0, 0, 0, 1, 1]
        assert {each["address"] for each in seen} == {ALICE_T}
        assert seen[0]["refund_id"] is None
        assert len({each["refund_id"] for each in seen[1:]}) == 1
        state = shown(vera, permission)
        assert (state["remaining_amount"], state["refunded_amount"]) == (0.0, 1.0)

    def test_says_that_an_outcome_is_unknown(self, vera: Api, world: World) -> None:
        permission = world.revoked()
        world.fault("reset_before")

        world.round()

        assert refund(vera, permission)["status"] == "unknown"

    def test_says_why_it_failed(self, vera: Api, world: World) -> None:
        permission = world.revoked()
        world.do("sim_operations", {"fail": {"code": -6, "message": "no notes"}})

        world.round(2)

        found = refund(vera, permission)
        assert found["status"] == "failed"
        assert "no notes" in found["reason"]
        assert found["not_before"] is not None

    def test_says_what_is_too_little(self, vera: Api, world: World) -> None:
        permission = world.revoked(zec="0.0005")

        world.round()

        found = refund(vera, permission)
        assert (found["status"], found["minimum"], found["refund_id"]) == ("below_minimum", 0.001, None)
        assert "below the minimum" in found["reason"]


class TestTheAddress:
    def test_is_the_wallets_own_unless_another_is_given(self, vera: Api, world: World) -> None:
        plain, given = create(vera), create(vera, refund_address=ALICE_T)

        states = [vera.get(path(each["permission_id"])).body for each in (plain, given)]

        assert [each["refund_address"] for each in states] == [ALICE, ALICE_T]
        assert world.transactions() == 0

    def test_changes_with_an_audit_row_and_a_day_of_delay(self, vera: Api, world: World) -> None:
        permission = world.paid()

        answer = change(vera, permission, ALICE_T)

        assert (answer.status, answer.body["refund_address"]) == (200, ALICE_T)
        row = PermissionAudit.objects.get(action="refund_address_changed")
        assert (row.actor, row.details) == (
            f"client:{vera.client_id}",
            {"before": ALICE, "after": ALICE_T},
        )
        permission.refresh_from_db()
        assert permission.refund_not_before is not None

    def test_may_be_one_that_takes_transparent_money_alone(self, vera: Api, world: World) -> None:
        answer = change(vera, world.paid(), ALICE_TEX)

        assert (answer.status, answer.body["refund_address"]) == (200, ALICE_TEX)

    def test_stays_as_it_is_when_given_again(self, vera: Api, world: World) -> None:
        permission = world.paid()
        change(vera, permission, ALICE_T)
        permission.refresh_from_db()
        until, before = permission.refund_not_before, rows()

        answer = change(vera, permission, ALICE_T)

        permission.refresh_from_db()
        assert (answer.status, permission.refund_not_before, rows()) == (200, until, before)

    def test_is_taken_in_capitals_as_the_same_address(self, vera: Api, world: World) -> None:
        permission = world.paid()

        assert change(vera, permission, ALICE.upper()).status == 200
        assert not PermissionAudit.objects.filter(action="refund_address_changed").exists()

    def test_cannot_change_once_the_refund_is_under_way(self, vera: Api, world: World) -> None:
        permission = world.revoked()
        world.round()

        sending = change(vera, permission, ALICE_T)
        world.round()
        sent = change(vera, permission, ALICE_T)

        assert [(each.status, each.code) for each in (sending, sent)] == [(409, "refund_under_way")] * 2

    @pytest.mark.parametrize("address", [MAINNET, SPROUT, "", "somewhere", "0x" + "ab" * 20, 7, None])
    def test_is_refused_where_it_is_none_of_this_network(self, vera: Api, world: World, address: Any) -> None:
        permission = world.create()
        before = rows()

        changed = change(vera, permission, address)
        created = vera.post(PERMISSIONS, permission_body(refund_address=address))

        assert (changed.status, list(changed.fields)) == (400, ["refund_address"])
        assert (created.status, list(created.fields)) == (400, ["refund_address"])
        assert rows() == before

    def test_is_refused_where_it_is_the_services_own(self, vera: Api, world: World) -> None:
        permission, other = world.create(), world.create(MALLORY)
        own = [
            world.settings.ZCASH_SERVICE_WALLET,
            permission.payment_address,
            other.payment_address,
            other.payment_address.upper(),
        ]

        answers = [change(vera, permission, address) for address in own]

        assert [(each.status, each.fields) for each in answers] == [
            (400, {"refund_address": "address_invalid"})
        ] * 4

    def test_is_not_a_strangers_to_change(self, vera: Api, world: World) -> None:
        permission = world.paid()
        mallory = make_api("mallory")

        strange = change(mallory, permission, MALLORY)
        unknown = vera.post(path(UNKNOWN_ID, "/refund_address"), {"refund_address": MALLORY})

        assert (strange.status, unknown.status) == (404, 404)
        assert strange.code == unknown.code
        assert shown(vera, permission)["refund_address"] == ALICE

    def test_needs_a_key_and_its_own_scope(self, vera: Api, world: World) -> None:
        permission = world.paid()
        assert vera.user is not None
        scopes = tuple(each for each in keys.SCOPES if each != "refunds:write")
        lesser = Api(vera.user, keys.create(vera.user, name="lesser", now=clock.now(), scopes=scopes))

        assert change(lesser, permission, MALLORY).status == 403
        assert change(Api(), permission, MALLORY).status == 401
        assert shown(vera, permission)["refund_address"] == ALICE

    def test_takes_no_other_field(self, vera: Api, world: World) -> None:
        permission = world.create()
        body = {"refund_address": ALICE_T, "not_before": "2020-01-01T00:00:00Z"}

        answer = vera.post(path(permission.public_id, "/refund_address"), body)

        assert answer.fields == {"not_before": "unknown_field"}


def test_pays_the_changed_address_after_the_delay(vera: Api, world: World) -> None:
    permission = world.paid()
    change(vera, permission, ALICE_T)
    assert vera.post(path(permission.public_id, "/revoke")).status == 200
    world.round(2)
    waiting = refund(vera, permission)["status"]

    world.hours_pass(24)
    world.round(2)
    world.mine(REFUND_CONFIRMATIONS)
    world.round()

    assert (waiting, refund(vera, permission)["status"]) == ("queued", "confirmed")
    assert world.arrived_zat(ALICE_T) == 99_985_000
