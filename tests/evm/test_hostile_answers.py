"""What a viewer's contract makes the node say, and a node that says what cannot be: whom it concerns."""

from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from web3 import HTTPProvider

from billing.ethereum import abi, readings, typed_data
from billing.ethereum.errors import CallUnanswered, ChainUnavailable
from billing.models_ethereum import Authorization, Collection
from core.models import User
from tests.evm.cutting import answering
from tests.evm.test_permits import permitted
from tests.evm.world import TREASURY, USD, World, viewer

pytestmark = pytest.mark.django_db(transaction=True)


def refused(words: str) -> dict[str, Any]:
    return {"error": {"code": -32000, "message": words}}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("return data out of bounds", "suspended"),
        ("gas uint64 overflow", "suspended"),
        ("write protection", "suspended"),
        ("max call depth exceeded", "suspended"),
        ("insufficient balance for transfer", "suspended"),
        # In words that nobody knows: whose fault it is stays open, and its debt is tried again.
        ("the moon is full", "active"),
    ],
)
def test_what_a_wallet_makes_the_node_say_holds_up_no_other(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch, words: str, status: str
) -> None:
    hostile, honest = world.active_contract(vera, viewer(77)), world.active(vera, viewer(1))
    world.stream(hostile, USD)
    world.stream(honest, USD)

    def is_asked(params: Any) -> bool:
        return bool(params[0]["to"] == hostile.wallet_address)

    with answering("eth_call", refused(words), monkeypatch=monkeypatch, to=is_asked):
        world.settle()

    hostile.refresh_from_db()
    assert (hostile.status, hostile.collected_units) == (status, 0)
    assert world.balance(TREASURY) == USD


def test_a_token_that_one_call_finds_out_of_order_holds_up_no_other(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_token("ODD", 0)
    world.configure()
    odd, honest = world.active(vera, viewer(2), symbol="ODD"), world.active(vera, viewer(1))
    world.stream(odd, USD)
    world.stream(honest, USD)

    def is_asked(params: Any) -> bool:
        return bool(params[0]["to"] == world.tokens["ODD"])

    with answering("eth_call", refused("the moon is full"), monkeypatch=monkeypatch, to=is_asked):
        world.settle()
        assert world.balance(TREASURY) == USD
        with pytest.raises(CallUnanswered) as caught:
            readings.refresh(odd.pk, now=world.now)
    world.settle()

    # The API answers it as it does a node that is away.
    assert (isinstance(caught.value, ChainUnavailable), caught.value.code) == (True, "chain_unavailable")
    assert world.balance(TREASURY, symbol="ODD") == USD


def test_a_permit_that_the_node_cannot_try_holds_up_no_other(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = permitted(world, vera, 1), permitted(world, vera, 2)

    def is_of_first(params: Any) -> bool:
        selector = "0x" + abi.call(abi.PERMIT, *(["0x" + "0" * 40] * 2), 0, 0, 27, b"", b"").hex()[:8]
        return bool(
            params[0]["data"].startswith(selector) and viewer(1).address[2:].lower() in params[0]["data"]
        )

    with answering("eth_call", refused("the moon is full"), monkeypatch=monkeypatch, to=is_of_first):
        world.settle()
    told = [Authorization.objects.get(pk=each.pk).permit_status for each in (first, second)]
    world.settle()

    first.refresh_from_db()
    assert (told, first.permit_status) == (["waiting", "confirmed"], "confirmed")


def test_an_outage_ends_the_round(world: World, vera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    world.stream(world.active(vera, viewer(1)), USD)

    with answering("eth_call", {"result": "moon"}, monkeypatch=monkeypatch):
        assert "moon" in world.round()["Local"]

    assert not Collection.objects.exists()


def test_what_no_database_takes_in_a_revert_is_left_out(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    transfer = "0x" + abi.call(abi.TRANSFER_FROM, authorization.wallet_address, TREASURY, USD).hex()
    answer = {"error": {"code": 3, "message": "execution reverted: a\x00b\ud800c\x1b[2J"}}

    with answering(
        "eth_call", answer, monkeypatch=monkeypatch, to=lambda params: params[0]["data"] == transfer
    ):
        assert world.round() == {}

    assert Collection.objects.get().reason == "token_refused: execution reverted: a b c [2J"
    assert Authorization.objects.get().status == "suspended"


@pytest.mark.parametrize(
    ("name", "has_permit"),
    [("Test dollars", True), ("T\0", False), ("T" * 101, False)],
    ids=["as it is", "with a NUL", "too long"],
)
def test_a_token_whose_name_no_database_takes_is_allowed_by_approval(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch, name: str, has_permit: bool
) -> None:
    token, wallet = world.tokens["USDT"], viewer(1).address
    domain = {"chain_id": world.chain_id, "token": token, "name": name, "version": "1"}
    document = typed_data.of_permit(**domain, owner=wallet, spender=wallet, value=1, nonce=0, deadline_s=1)
    answers = {
        abi.NAME: abi.encode(["string"], name),
        abi.VERSION: abi.encode(["string"], "1"),
        abi.DOMAIN_SEPARATOR: typed_data.domain_separator(document),
    }

    with ExitStack() as lies:
        for call, answer in answers.items():
            data = "0x" + abi.call(call).hex()
            is_it = partial(_asks, data=data)
            lies.enter_context(
                answering("eth_call", {"result": "0x" + answer.hex()}, monkeypatch=monkeypatch, to=is_it)
            )
        permit = world.asked(vera, viewer(1)).permit

    assert (permit is not None) == has_permit


def _asks(params: Any, *, data: str) -> bool:
    return bool(params[0]["data"] == data)


@pytest.mark.parametrize(
    "number", [hex(2**63), hex(2**256 - 1), hex(2**256), "-0x1", "0x", "ten", "", None, 7, -1, True, [], {}]
)
def test_a_block_of_a_number_that_cannot_be_is_an_outage(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch, number: object
) -> None:
    authorization = world.active(vera, viewer(1))
    ask = HTTPProvider.make_request

    def lie(self: Any, method: Any, params: Any) -> Any:
        answer: Any = ask(self, method, ["latest", False] if method == "eth_getBlockByNumber" else params)
        if method == "eth_getBlockByNumber":
            answer["result"]["number"] = number
        return answer

    monkeypatch.setattr(HTTPProvider, "make_request", lie)

    with pytest.raises(ChainUnavailable, match="the node answers"):
        readings.refresh(authorization.pk, now=world.now)
