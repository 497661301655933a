"""Spending permissions over HTTP: create, show, verify, revoke, and the one of a wallet."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import clock
from core.models import ReceiptRow
from paygo.api.permission_bodies import (
    CreatedPermission,
    PermissionState,
    VerifiedPermission,
    WalletPermission,
)
from tests.api.world import (
    ALICE,
    BOB,
    CAROL_U,
    PERMISSIONS,
    UNKNOWN_ID,
    Api,
    create,
    create_active,
    hours_pass,
    pay,
    permission_body,
    rows,
    start,
)
from zcash.models import PermissionAudit, SpendingPermission
from zcash.node.rpc import RpcClient

pytestmark = pytest.mark.usefixtures("node")

CALLS = [
    ("POST", PERMISSIONS),
    ("GET", f"{PERMISSIONS}/{UNKNOWN_ID}"),
    ("POST", f"{PERMISSIONS}/{UNKNOWN_ID}/verify"),
    ("POST", f"{PERMISSIONS}/{UNKNOWN_ID}/revoke"),
    ("GET", f"{PERMISSIONS}/wallet/{ALICE}"),
]


def path(created: dict[str, Any], verb: str = "") -> str:
    return f"{PERMISSIONS}/{created['permission_id']}{verb}"


def test_answers_a_creation_with_what_to_pay_and_where(vera: Api) -> None:
    answer = vera.post(PERMISSIONS, permission_body(duration_days=30))

    assert answer.status == 201
    assert answer.body.keys() == CreatedPermission().fields.keys()
    assert answer.headers["Location"] == path(answer.body)
    assert answer.body["max_streaming_hours"] == 4.0
    assert answer.body["amount_to_pay"] == 10.0
    assert answer.body["expires_at"].endswith("Z")
    address = answer.body["payment_address"]
    assert answer.body["payment_uri"] == f"zcash:{address}?amount=10"
    saved = SpendingPermission.objects.get(public_id=answer.body["permission_id"])
    assert (saved.client_id, saved.wallet_address, saved.status) == (vera.client_id, ALICE, "pending")
    assert (saved.expires_at - saved.created_at).days == 30


def test_gives_every_permission_an_address_of_its_own(vera: Api) -> None:
    first, second = create(vera), create(vera)

    assert first["payment_address"] != second["payment_address"]


@pytest.mark.parametrize(("changes", "shown"), [({}, None), ({"max_sessions": 1}, 1)])
def test_shows_how_many_sessions_may_run_at_once(
    vera: Api, node: RpcClient, changes: dict[str, int], shown: int | None
) -> None:
    created = create_active(vera, node, **changes)

    answers = [created, vera.get(path(created)).body, vera.get(f"{PERMISSIONS}/wallet/{ALICE}").body]

    assert [each["max_sessions"] for each in answers] == [shown] * 3


@pytest.mark.parametrize(
    ("written", "zat"),
    [("10", 10**9), ("10.00000000", 10**9), ("0.00000001", 1), ("1e1", 10**9), ('"2.5"', 25 * 10**7)],
)
def test_takes_an_amount_exactly(vera: Api, written: str, zat: int) -> None:
    content = f'{{"user_wallet_address": "{ALICE}", "requested_amount": {written}, "rate_per_hour": 2.5}}'

    answer = vera.call("POST", PERMISSIONS, content)

    assert answer.status == 201
    assert SpendingPermission.objects.get().requested_zat == zat
    assert Decimal(str(answer.body["amount_to_pay"])) == Decimal(zat).scaleb(-8)


def test_tells_the_whole_supply_to_the_last_zatoshi(vera: Api) -> None:
    content = (
        f'{{"user_wallet_address": "{ALICE}", "requested_amount": 20999999.99999999, "rate_per_hour": 1}}'
    )

    answer = vera.call("POST", PERMISSIONS, content)

    assert answer.body["amount_to_pay"] == 20999999.99999999
    assert SpendingPermission.objects.get().requested_zat == 2_099_999_999_999_999


def test_stores_a_unified_address_in_capitals_as_the_same_address(vera: Api) -> None:
    create(vera, user_wallet_address=CAROL_U.upper())

    assert SpendingPermission.objects.get().wallet_address == CAROL_U


def test_replays_a_creation_with_the_same_key(vera: Api, node: RpcClient) -> None:
    first = vera.post(PERMISSIONS, permission_body(), idempotency_key="order-1")
    pay(node, first.body)
    assert vera.post(path(first.body, "/verify")).status == 200

    again = vera.post(PERMISSIONS, permission_body(requested_amount=10), idempotency_key="order-1")

    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Location"] == first.headers["Location"]
    assert SpendingPermission.objects.count() == 1


def test_keeps_the_keys_of_two_clients_apart(vera: Api, mallory: Api) -> None:
    first = vera.post(PERMISSIONS, permission_body(), idempotency_key="order-1")
    second = mallory.post(PERMISSIONS, permission_body(), idempotency_key="order-1")

    assert second.status == 201
    assert second.body["permission_id"] != first.body["permission_id"]


def test_refuses_a_key_with_another_body(vera: Api) -> None:
    vera.post(PERMISSIONS, permission_body(), idempotency_key="order-1")
    before = rows()

    answer = vera.post(PERMISSIONS, permission_body(requested_amount=11), idempotency_key="order-1")

    assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert rows() == before


def test_lets_a_repetition_wait_for_the_call_in_flight(vera: Api) -> None:
    vera.post(PERMISSIONS, permission_body(), idempotency_key="order-1")
    ReceiptRow.objects.update(result=None, lease_until=clock.now() + timedelta(seconds=30))

    answer = vera.post(PERMISSIONS, permission_body(), idempotency_key="order-1")

    assert (answer.status, answer.code) == (409, "idempotency_key_in_flight")
    assert SpendingPermission.objects.count() == 1


@pytest.mark.parametrize("key", ["", "with space", "a" * 256, "\u00e9"])
def test_refuses_an_idempotency_key_that_is_none(vera: Api, key: str) -> None:
    answer = vera.post(PERMISSIONS, permission_body(), idempotency_key=key)

    assert answer.status == 400
    assert answer.fields == {"Idempotency-Key": "invalid"}


def test_creates_nothing_while_the_node_is_away(vera: Api, settings: Any) -> None:
    settings.ZCASH_RPC_URL = "http://127.0.0.1:1"
    before = rows()

    answer = vera.post(PERMISSIONS, permission_body(), idempotency_key="order-1")

    assert (answer.status, answer.code) == (503, "node_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "127.0.0.1:1" not in str(answer.body)
    assert rows() == before


def test_waits_for_money_then_for_confirmations_then_is_active(vera: Api, node: RpcClient) -> None:
    created = create(vera)

    unpaid = vera.post(path(created, "/verify"))
    node.call("sim_pay", created["payment_address"], 10)
    unconfirmed = vera.post(path(created, "/verify"))
    node.call("generate", 3)
    confirmed = vera.post(path(created, "/verify"), {})

    assert (unpaid.status, unconfirmed.status, confirmed.status) == (202, 202, 200)
    assert [each.body["status"] for each in (unpaid, unconfirmed, confirmed)] == [
        "pending",
        "pending",
        "active",
    ]
    assert unpaid.body["payment"] == {
        "required": 10.0,
        "received": 0.0,
        "confirmed": 0.0,
        "missing": 10.0,
        "confirmations": 0,
        "required_confirmations": 3,
        "quarantined": False,
    }
    assert (unconfirmed.body["payment"]["received"], unconfirmed.body["payment"]["missing"]) == (10.0, 0.0)
    assert confirmed.body["payment"]["confirmed"] == 10.0
    assert confirmed.body["payment"]["confirmations"] == 3
    assert (confirmed.body["remaining_amount"], confirmed.body["remaining_hours"]) == (10.0, 4.0)
    assert confirmed.body.keys() == VerifiedPermission().fields.keys()


def test_says_what_is_missing_of_a_part_payment(vera: Api, node: RpcClient) -> None:
    created = create(vera)
    pay(node, created, "4.5")

    answer = vera.post(path(created, "/verify"))

    assert answer.status == 202
    assert answer.body["payment"]["missing"] == 5.5
    assert answer.body["payment"]["confirmed"] == 4.5
    assert answer.body["remaining_amount"] == 4.5


def test_queues_a_second_permission_of_the_wallet(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    second = create(vera)
    pay(node, second)

    answer = vera.post(path(second, "/verify"))

    assert (answer.status, answer.body["status"]) == (200, "queued")


def test_credits_nothing_while_the_node_is_away(vera: Api, node: RpcClient, settings: Any) -> None:
    created = create(vera)
    pay(node, created)
    settings.ZCASH_RPC_URL = "http://127.0.0.1:1"
    before = rows()

    answer = vera.post(path(created, "/verify"))

    assert (answer.status, answer.code) == (503, "node_unavailable")
    assert rows() == before


def test_shows_a_permission_as_it_is_at_this_moment(vera: Api, node: RpcClient) -> None:
    created = create_active(vera, node)
    start(vera)
    hours_pass(1)

    answer = vera.get(path(created))

    assert answer.status == 200
    assert answer.body.keys() == PermissionState().fields.keys()
    assert answer.body["status"] == "active"
    assert answer.body["remaining_amount"] == pytest.approx(7.5, abs=0.05)
    assert answer.body["used_hours"] == pytest.approx(1.0, abs=0.05)
    assert answer.body["open_sessions"] == 1
    assert not PermissionAudit.objects.filter(action="settled").exists()


def test_has_used_nothing_of_a_permission_that_is_not_paid(vera: Api) -> None:
    created = create(vera)

    body = vera.get(path(created)).body

    assert (body["status"], body["remaining_amount"], body["used_hours"]) == ("pending", 0.0, 0.0)


def test_lets_an_expiry_in_the_past_happen_before_it_answers(vera: Api, node: RpcClient) -> None:
    created = create_active(vera, node, duration_days=1)
    hours_pass(25)

    assert vera.get(path(created)).body["status"] == "expired"


def test_refuses_to_verify_what_has_expired(vera: Api, node: RpcClient) -> None:
    created = create_active(vera, node, duration_days=1)
    hours_pass(25)
    vera.get(path(created))

    answer = vera.post(path(created, "/verify"))

    assert (answer.status, answer.code) == (410, "permission_gone")


def test_finds_the_active_permission_of_a_wallet_in_any_spelling(vera: Api, node: RpcClient) -> None:
    created = create_active(vera, node, user_wallet_address=CAROL_U)

    answer = vera.get(f"{PERMISSIONS}/wallet/{CAROL_U.upper()}")

    assert answer.status == 200
    assert answer.body.keys() == WalletPermission().fields.keys()
    assert answer.body["id"] == created["permission_id"]
    assert answer.body["user_wallet_address"] == CAROL_U
    assert (answer.body["approved_amount"], answer.body["max_streaming_hours"]) == (10.0, 4.0)
    assert answer.body["used_streaming_hours"] == 0.0


def test_has_no_active_permission_for_a_wallet_that_paid_nothing(vera: Api) -> None:
    create(vera)

    answer = vera.get(f"{PERMISSIONS}/wallet/{ALICE}")

    assert (answer.status, answer.code) == (404, "no_active_permission")


def test_revokes_once_and_answers_the_same_again(vera: Api, node: RpcClient) -> None:
    created = create_active(vera, node)
    session = start(vera)

    first = vera.post(path(created, "/revoke"))
    second = vera.post(path(created, "/revoke"))

    assert (first.status, first.body["status"]) == (200, "revoked")
    assert (second.status, second.body) == (200, first.body)
    shown = vera.get(f"/api/v1/sessions/{session['session_code']}").body
    assert (shown["status"], shown["end_reason"]) == ("ended", "permission_revoked")
    assert PermissionAudit.objects.get(action="revoked").actor == f"client:{vera.client_id}"


def test_refuses_to_revoke_what_has_expired(vera: Api, node: RpcClient) -> None:
    created = create_active(vera, node, duration_days=1)
    hours_pass(25)

    answer = vera.post(path(created, "/revoke"))

    assert (answer.status, answer.code) == (410, "permission_gone")


@pytest.mark.parametrize(("method", "at"), CALLS)
def test_needs_a_key(nobody: Api, db: None, method: str, at: str) -> None:
    answer = nobody.call(method, at)

    assert (answer.status, answer.code) == (401, "authentication_required")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("call", [("GET", ""), ("POST", "/verify"), ("POST", "/revoke")])
def test_hides_a_permission_from_another_client(
    vera: Api, mallory: Api, node: RpcClient, call: tuple[str, str]
) -> None:
    created = create_active(vera, node)
    before = rows()

    others = mallory.call(call[0], path(created, call[1]))
    unknown = mallory.call(call[0], f"{PERMISSIONS}/{UNKNOWN_ID}{call[1]}")

    assert (others.status, others.code) == (404, "permission_not_found")
    ids = ("instance", "request_id")
    assert {k: v for k, v in others.body.items() if k not in ids} == {
        k: v for k, v in unknown.body.items() if k not in ids
    }
    assert rows() == before


def test_hides_the_permission_of_a_wallet_from_another_client(
    vera: Api, mallory: Api, node: RpcClient
) -> None:
    create_active(vera, node)

    assert mallory.get(f"{PERMISSIONS}/wallet/{ALICE}").code == "no_active_permission"


@pytest.mark.parametrize(
    "text", ["1", "nonsense", "{" + UNKNOWN_ID + "}", UNKNOWN_ID.replace("-", ""), "%00"]
)
@pytest.mark.parametrize("call", [("GET", ""), ("POST", "/verify"), ("POST", "/revoke")])
def test_names_a_permission_id_that_is_none(vera: Api, call: tuple[str, str], text: str) -> None:
    answer = vera.call(call[0], f"{PERMISSIONS}/{text}{call[1]}")

    assert answer.status == 400
    assert answer.fields == {"permission_id": "invalid"}


@pytest.mark.parametrize(
    ("verb", "method"), [("", "PUT"), ("/verify", "GET"), ("/revoke", "DELETE"), ("", "OPTIONS")]
)
def test_refuses_a_method_that_the_path_does_not_have(vera: Api, verb: str, method: str) -> None:
    answer = vera.call(method, f"{PERMISSIONS}/{UNKNOWN_ID}{verb}")

    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert "OPTIONS" not in answer.headers["Allow"]
    assert answer.headers["Allow"]


@pytest.mark.parametrize("verb", ["/verify", "/revoke"])
def test_refuses_a_field_where_none_is_needed(vera: Api, verb: str) -> None:
    created = create(vera)

    answer = vera.post(path(created, verb), {"txid": "ab" * 32})

    assert answer.fields == {"txid": "unknown_field"}


def test_finds_a_transparent_wallet_too(vera: Api, node: RpcClient) -> None:
    create_active(vera, node, user_wallet_address=BOB)

    assert vera.get(f"{PERMISSIONS}/wallet/{BOB}").status == 200


@pytest.mark.parametrize(
    "address", ["alice", "alice@", "@x.example", "a b@x.example", 1, None, "", "a@b.example\n"]
)
def test_refuses_what_is_no_mail_address(vera: Api, address: Any) -> None:
    answer = vera.post(PERMISSIONS, permission_body(notify_email=address))

    assert (answer.status, list(answer.fields)) == (400, ["notify_email"])


def test_keeps_whom_to_tell_by_mail_and_shows_it_to_nobody(vera: Api, node: RpcClient) -> None:
    created = create(vera, notify_email="alice@viewers.example")

    permission = SpendingPermission.objects.get(public_id=created["permission_id"])
    assert permission.notify_email == "alice@viewers.example"
    shown = vera.get(f"{PERMISSIONS}/{created['permission_id']}").body
    assert "alice@viewers.example" not in f"{created} {shown}"
