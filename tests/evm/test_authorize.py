"""Authorising over the API, against a real chain: what is asked, what is signed, what is refused."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from billing import engine, privacy
from billing.engine import StartRequest
from billing.ethereum import collector, typed_data
from billing.ethereum.rules import CollectionStatus
from billing.models_ethereum import Authorization, Collection
from core import clock
from tests.api.world import Answer, Api, make_api
from tests.evm.world import ADMIN, USD, World, deploy, sign, viewer

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/ethereum/authorizations"


@pytest.fixture
def api(world: World) -> Api:
    # The API's clock is the real one.
    world.node.ask("evm_setNextBlockTimestamp", hex(int(clock.now().timestamp())))
    world.node.mine()
    return make_api("vera-tv")


def ask(world: World, **changes: Any) -> dict[str, Any]:
    values = {
        "chain_id": 31337,
        "wallet_address": viewer(1).address,
        "token": world.tokens["USDT"],
        "limit": str(20 * USD),
        "rate_per_hour": str(USD),
        "privacy_consent": True,
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def asked(api: Api, world: World, **changes: Any) -> dict[str, Any]:
    answer = api.post(PATH, ask(world, **changes))
    assert answer.status == 201, answer.body
    return answer.body


def verify(api: Api, body: dict[str, Any], signature: bytes, **more: str) -> Answer:
    path = f"{PATH}/{body['authorization_id']}/verify"
    return api.post(path, {"signature": "0x" + signature.hex(), **more})


def test_a_viewer_signs_and_approves_and_the_answer_says_what_binds(api: Api, world: World) -> None:
    who = viewer(1)
    body = asked(api, world)
    world.give(who.address, 5 * USD)

    early = verify(api, body, sign(body["typed_data"], who))
    world.node.fund(who.address)
    world.node.transact(who.address, body["approve_to"], bytes.fromhex(body["approve_data"][2:]))
    ready = verify(api, body, sign(body["typed_data"], who))

    assert (early.status, early.body["spendable"], early.body["binding"]) == (202, "0", "allowance")
    assert (ready.status, ready.body["spendable"], ready.body["binding"]) == (
        200,
        str(2 * USD),
        "debt_ceiling",
    )
    assert (ready.body["allowance"], ready.body["balance"]) == (str(20 * USD), str(5 * USD))
    assert {each["privacy_note"] for each in (body, early.body, ready.body)} == {privacy.NOTE}


def test_a_repetition_is_answered_what_was_to_be_signed_even_when_it_was(api: Api, world: World) -> None:
    first = api.post(PATH, ask(world), idempotency_key="one")
    assert verify(api, first.body, sign(first.body["typed_data"], viewer(1))).status == 202

    again = api.post(PATH, ask(world), idempotency_key="one")

    assert (again.status, again.body) == (first.status, first.body)


def test_a_permit_stands_in_for_an_approval_and_the_collector_pays_its_gas(api: Api, world: World) -> None:
    who = viewer(1)
    body = asked(api, world)
    world.give(who.address, 5 * USD)
    permit = "0x" + sign(body["permit_typed_data"], who).hex()

    first = verify(api, body, sign(body["typed_data"], who), permit_signature=permit)
    assert collector.run(key=world.key, read_clock=clock.now) == {}
    world.node.mine(2)
    assert collector.run(key=world.key, read_clock=clock.now) == {}

    shown = api.get(f"{PATH}/{body['authorization_id']}").body
    assert (first.status, first.body["allowance"]) == (202, "0")
    assert (shown["allowance"], shown["spendable"]) == (str(20 * USD), str(2 * USD))


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("limit", "0", "invalid"),
        ("limit", str(2**256), "limit_exceeded"),
        ("limit", 5, "invalid"),
        ("limit", "999", "limit_exceeded"),
        ("rate_per_hour", str(10**30 + 1), "limit_exceeded"),
        ("wallet_address", viewer(1).address.lower(), "ethereum_address_invalid"),
        ("wallet_address", viewer(1).address.swapcase().replace("0X", "0x"), "ethereum_address_invalid"),
        ("wallet_address", "0x" + "0" * 40, "ethereum_address_invalid"),
        ("wallet_address", "0x12", "ethereum_address_invalid"),
        ("token", viewer(9).address, "token_unknown"),
        ("chain_id", 1, "token_unknown"),
        ("privacy_consent", False, "consent_required"),
        ("duration_days", 0, "limit_exceeded"),
        ("linked_wallet_address", "t1nothing", "address_invalid"),
    ],
)
def test_names_the_field_that_it_refuses(api: Api, world: World, field: str, value: Any, code: str) -> None:
    answer = api.post(PATH, ask(world, **{field: value}))

    assert (answer.status, answer.fields) == (400, {field: code})
    assert not Authorization.objects.exists()


def test_refuses_a_token_that_is_no_contract_or_has_other_decimals(api: Api, world: World) -> None:
    world.tokens["NONE"] = viewer(8).address
    world.add_token("ODD", 0, decimals=18)
    world.configure()

    for symbol in ("NONE", "ODD"):
        answer = api.post(PATH, ask(world, token=world.tokens[symbol]))
        assert (answer.status, answer.fields) == (400, {"token": "token_unfit"})


def test_refuses_a_collector_that_is_no_contract_or_another_services(api: Api, world: World) -> None:
    addresses = ["address"] * 3
    foreign = deploy(world.node, "PayGoCollector", addresses, viewer(7).address, ADMIN, ADMIN, sender=ADMIN)

    for wrong in (viewer(6).address, foreign):
        world.configure(collector=wrong)
        answer = api.post(PATH, ask(world))
        assert (answer.status, answer.fields) == (400, {"token": "token_unfit"})
        assert wrong in str(answer.body)


def test_refuses_signatures_that_are_not_this_wallets_under_this_document(api: Api, world: World) -> None:
    who, body = viewer(1), asked(api, world)
    other = asked(api, world)["typed_data"]
    document = body["typed_data"]
    good = sign(document, who)
    s = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - int.from_bytes(good[32:64])
    wrong = {
        "signer": sign(document, viewer(2)),
        "malleable": good[:32] + s.to_bytes(32) + bytes([55 - good[64]]),
        "short": good[:64],
        "long": good + b"\0",
        "chain": sign({**document, "domain": {**document["domain"], "chainId": 1}}, who),
        "service": sign({**document, "domain": {**document["domain"], "verifyingContract": ADMIN}}, who),
        "of another authorization": sign(other, who),
        "limit": sign({**document, "message": {**document["message"], "limit": "1"}}, who),
        "zeros": bytes(65),
    }

    for name, signature in wrong.items():
        answer = verify(api, body, signature)
        assert (answer.status, answer.fields) == (400, {"signature": "signature_invalid"}), name
    assert set(Authorization.objects.values_list("status", flat=True)) == {"pending"}


def test_a_contract_wallet_signs_by_its_owner(api: Api, world: World) -> None:
    wallet = deploy(world.node, "TestWallet", ["address"], viewer(1).address, sender=ADMIN)
    body = asked(api, world, wallet_address=wallet)

    wrong = verify(api, body, sign(body["typed_data"], viewer(2)))
    right = verify(api, body, sign(body["typed_data"], viewer(1)))

    assert (wrong.status, wrong.fields) == (400, {"signature": "signature_invalid"})
    assert (right.status, right.body["status"]) == (202, "active")


def test_refuses_a_permit_that_the_wallet_has_not_signed(api: Api, world: World) -> None:
    who, body = viewer(1), asked(api, world)
    permit, document = body["permit_typed_data"], body["typed_data"]
    more = {**permit, "message": {**permit["message"], "value": str(2**256 - 1)}}
    wrong = {
        "signer": sign(permit, viewer(2)),
        "value": sign(more, who),
        "document": sign(document, who),
        "short": sign(permit, who)[:64],
    }

    for name, signature in wrong.items():
        answer = verify(api, body, sign(document, who), permit_signature="0x" + signature.hex())
        assert (answer.status, answer.fields) == (400, {"permit_signature": "signature_invalid"}), name
    assert Authorization.objects.get().status == "pending"


def test_refuses_a_signature_after_the_last_day(api: Api, world: World) -> None:
    body = asked(api, world)
    now = clock.now()
    Authorization.objects.update(
        created_at=now - timedelta(days=2),
        expires_at=now - timedelta(seconds=1),
        collectable_until=now + timedelta(days=1),
    )

    answer = verify(api, body, sign(body["typed_data"], viewer(1)))

    assert (answer.status, answer.code) == (410, "authorization_gone")
    assert api.get(f"{PATH}/{body['authorization_id']}").body["status"] == "expired"


# Runtime code that answers EIP-1271's yes (1626ba7e) times a condition, which leaves 1 or 0 on the stack.
_YES = "631626ba7e60e01b{condition}025f5260205ff3"


def contract_that_says_yes(world: World, *, condition: str) -> str:
    wallet = viewer(77).address
    world.node.ask("anvil_setCode", wallet, "0x" + _YES.format(condition=condition))
    return wallet


def test_a_contract_wallet_is_asked_as_the_collector_will_ask(api: Api, world: World) -> None:
    # It answers yes to the collector alone: to whoever else asks, no.
    condition = f"3373{world.collector[2:].lower()}14"
    wallet = contract_that_says_yes(world, condition=condition)

    answer = verify(api, asked(api, world, wallet_address=wallet), b"\1")

    assert (answer.status, answer.body["status"]) == (202, "active")


@pytest.mark.parametrize(("gas", "status"), [(100_100, 400), (99_900, 202)])
def test_a_contract_wallet_has_the_gas_that_the_collector_will_give(
    api: Api, world: World, gas: int, status: int
) -> None:
    # It answers yes where more than so much gas is left at its start.
    wallet = contract_that_says_yes(world, condition=f"62{gas:06x}5a11")
    world.give(wallet, 5 * USD)
    body = asked(api, world, wallet_address=wallet)

    answer = verify(api, body, b"\1" * 65)

    assert answer.status == status
    if status == 400:
        assert answer.fields == {"signature": "signature_invalid"}
        return
    # And so it is on the chain: what verified here is collected there.
    world.approve(wallet, 5 * USD)
    world.now = clock.now()
    verify(api, body, b"\1" * 65)
    start = StartRequest(wallet, "vendor123")
    code = engine.start(start, client_id=api.user.pk, now=world.now).session_code
    world.now += timedelta(hours=1)
    engine.end(code, client_id=api.user.pk, now=world.now)
    world.settle()
    assert Collection.objects.get().status == CollectionStatus.CONFIRMED


def test_a_second_one_of_a_wallet_waits_for_the_end_of_the_first(api: Api, world: World) -> None:
    who = viewer(1)
    first, second = asked(api, world), asked(api, world)
    verify(api, first, sign(first["typed_data"], who))

    refused = verify(api, second, sign(second["typed_data"], who))
    revoked = api.post(f"{PATH}/{first['authorization_id']}/revoke")
    again = verify(api, first, sign(first["typed_data"], who))
    taken = verify(api, second, sign(second["typed_data"], who))

    assert (refused.status, refused.code) == (409, "authorization_conflict")
    assert (revoked.status, revoked.body["status"]) == (200, "revoked")
    assert (again.status, again.code) == (410, "authorization_gone")
    assert taken.body["status"] == "active"


def test_a_repeated_request_makes_no_second_one(api: Api, world: World) -> None:
    body = ask(world)
    first = api.post(PATH, body, **{"Idempotency-Key": "k1"})
    second = api.post(PATH, body, **{"Idempotency-Key": "k1"})

    assert (first.status, second.status) == (201, 201)
    assert first.body["authorization_id"] == second.body["authorization_id"]
    assert Authorization.objects.count() == 1


@pytest.mark.parametrize(
    "said",
    [
        "",
        "not JSON",
        "[]",
        '{"jsonrpc": "2.0", "id": 1, "result": null}',
        '{"jsonrpc": "2.0", "id": 1, "result": "0xzz"}',
        '{"jsonrpc": "2.0", "id": 1, "result": 31337}',
        '{"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "limit exceeded"}}',
        '{"jsonrpc": "2.0", "id": 1}',
    ],
)
def test_garbage_of_the_node_is_503_and_writes_nothing(
    api: Api, world: World, httpserver: HTTPServer, said: str
) -> None:
    httpserver.expect_request("/").respond_with_data(said, content_type="application/json")
    body = asked(api, world)
    world.configure(url=httpserver.url_for("/"))

    created = api.post(PATH, ask(world, wallet_address=viewer(2).address))
    verified = verify(api, body, sign(body["typed_data"], viewer(1)))

    assert (created.status, created.code) == (503, "chain_unavailable")
    assert (verified.status, verified.code) == (503, "chain_unavailable")
    assert Authorization.objects.get().status == "pending"


def test_silence_of_the_node_is_503(api: Api, world: World, settings: Settings) -> None:
    body = asked(api, world)
    settings.ETHEREUM_RPC_TIMEOUT_SECONDS = 0.5
    # Nobody listens at this address of the test's own machine.
    world.configure(url="http://127.0.0.1:9")

    assert verify(api, body, sign(body["typed_data"], viewer(1))).status == 503
    assert api.post(PATH, ask(world, wallet_address=viewer(2).address)).status == 503
    assert Authorization.objects.get().status == "pending"


def test_an_answer_that_never_ends_is_503_at_the_time_out(
    api: Api, world: World, settings: Settings, httpserver: HTTPServer
) -> None:
    settings.ETHEREUM_RPC_TIMEOUT_SECONDS = 0.5
    body = asked(api, world)
    stopped = threading.Event()

    def drip(_: Request) -> Response:
        # A byte each tenth of a second, for a minute: each comes in time.
        return Response((b" " for _ in range(600) if not stopped.wait(0.1)), content_type="application/json")

    httpserver.expect_request("/").respond_with_handler(drip)
    world.configure(url=httpserver.url_for("/"))
    started = time.monotonic()
    try:
        answer = verify(api, body, sign(body["typed_data"], viewer(1)))
    finally:
        stopped.set()

    assert (answer.status, answer.code) == (503, "chain_unavailable")
    assert time.monotonic() - started < 20


def test_the_signed_document_names_client_authorization_and_consent(api: Api, world: World) -> None:
    terms = asked(api, world)["typed_data"]["message"]["terms"]

    assert terms["reference"].startswith("vera-tv ")
    assert terms["consent"] == typed_data.CONSENT
