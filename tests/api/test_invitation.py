"""What a 402 invites to, member by member."""

import base64
import json
from typing import Any

import pytest

from billing import holds, operators
from core import clock
from tests.api.world import ALICE, PERMISSIONS, SESSIONS, Api, create, create_active, pay, session_body, start
from zcash.models import SpendingPermission
from zcash.node.rpc import RpcClient
from zcash.zip321 import parse_uri

pytestmark = pytest.mark.usefixtures("node")


def refusal(api: Api, **changes: Any) -> dict[str, Any]:
    answer = api.post(SESSIONS, session_body(**changes))
    assert answer.status == 402
    told = json.loads(base64.b64decode(answer.headers["PAYMENT-REQUIRED"]))
    assert told == {
        "x402Version": 2,
        "resource": answer.body["resource"],
        "accepts": answer.body["accepts"],
        "error": answer.body["detail"],
    }
    return dict(answer.body)


def set_price(api: Api, rate: float) -> None:
    assert api.post("/api/v1/vendors/vendor123/prices", {"rate_per_hour": rate}).status == 201


def test_asks_for_a_permission_that_pays_for_an_hour(vera: Api) -> None:
    set_price(vera, 1.5)

    found = refusal(vera)

    assert found["code"] == "permission_required"
    assert found["resource"]["url"] == f"http://127.0.0.1:8080{SESSIONS}"
    assert found["accepts"] == [
        {
            "scheme": "paygo-permission",
            "network": "zcash:regtest",
            "amount": "150000000",
            "asset": "ZEC",
            "payTo": f"http://127.0.0.1:8080{PERMISSIONS}",
            "maxTimeoutSeconds": 86400,
            "extra": {
                "create": {
                    "method": "POST",
                    "url": f"http://127.0.0.1:8080{PERMISSIONS}",
                    "body": {"user_wallet_address": ALICE, "requested_amount": 1.5, "rate_per_hour": 1.5},
                },
                "choose": [],
            },
        }
    ]
    assert vera.post(PERMISSIONS, found["accepts"][0]["extra"]["create"]["body"]).status == 201


def test_names_what_is_missing_of_a_permission_in_a_uri(vera: Api, node: RpcClient) -> None:
    created = create(vera)
    pay(node, created, "4", blocks=3)
    vera.post(f"{PERMISSIONS}/{created['permission_id']}/verify")

    (option,) = refusal(vera)["accepts"]

    (payment,) = parse_uri(option["extra"]["payment_uri"])
    assert (option["scheme"], option["payTo"]) == ("zip321", created["payment_address"])
    assert (option["amount"], payment.amount_zat) == ("600000000", 600_000_000)
    assert payment.address.canonical == created["payment_address"]
    assert 86_300 < option["maxTimeoutSeconds"] <= 86_400


def test_asks_for_nothing_twice_while_a_payment_waits_for_its_blocks(vera: Api, node: RpcClient) -> None:
    created = create(vera)
    pay(node, created, blocks=1)
    vera.post(f"{PERMISSIONS}/{created['permission_id']}/verify")

    (option,) = refusal(vera)["accepts"]

    assert (option["amount"], option["extra"]["payment_uri"]) == ("0", None)


def test_asks_for_an_hour_more_of_what_is_used_up_and_for_nothing_while_it_waits(
    vera: Api, node: RpcClient
) -> None:
    created = create_active(vera, node)
    start(vera)
    vera.post("/api/v1/sandbox/clock", {"advance_seconds": 5 * 3600})

    (option,) = refusal(vera)["accepts"]
    pay(node, created, "2.5", blocks=1)
    vera.post(f"{PERMISSIONS}/{created['permission_id']}/verify")
    (waiting,) = refusal(vera)["accepts"]

    # What the permission allows, as the vendor has no price.
    assert option["amount"] == "250000000"
    assert (waiting["amount"], waiting["extra"]["payment_uri"]) == ("0", None)


def test_invites_to_nothing_where_no_payment_helps(vera: Api, node: RpcClient) -> None:
    create_active(vera, node)
    set_price(vera, 99)

    assert refusal(vera)["accepts"] == []


def test_invites_to_nothing_while_an_operator_holds_the_permission(vera: Api, node: RpcClient) -> None:
    created = create_active(vera, node)
    permission = SpendingPermission.objects.get(public_id=created["permission_id"])
    word = operators.word(operator_id=vera.client_id, name="ops", reason="somebody asked about it")
    holds.hold(permission.pk, word=word, now=clock.now())

    assert refusal(vera)["accepts"] == []


def test_says_no_more_of_other_clients_permissions(vera: Api, mallory: Api, node: RpcClient) -> None:
    created = create(vera)

    found = refusal(mallory)

    assert found["accepts"][0]["scheme"] == "paygo-permission"
    assert created["payment_address"] not in str(found)
