"""Lagging nodes, restored databases, changed keys: in plain mode no doubt ever becomes a second transfer."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.ethereum import abi, debts, keys, nonces
from billing.ethereum.rpc import is_for_its_fee
from billing.models_ethereum import Authorization, ChainKey, ChainSend, Collection
from billing.operator_models import OperatorAction
from core.models import User
from tests.evm.cutting import answering, silent
from tests.evm.world import ADMIN, RETURNS_NOTHING, SERVICE_KEY, TREASURY, USD, World, viewer

pytestmark = pytest.mark.django_db(transaction=True)
NEW_KEY = "0x" + "52" * 32


@pytest.fixture
def plain(world: World) -> World:
    """Return the world with a token that the service's key itself collects."""
    world.add_token("PLAIN", RETURNS_NOTHING)
    world.configure()
    return world


def owing(world: World, client: User, units: int = USD, *, number: int = 1) -> Authorization:
    authorization = world.active(client, viewer(number), symbol="PLAIN")
    world.stream(authorization, units)
    return authorization


def change_key(world: World) -> None:
    world.key = keys.Key(NEW_KEY)
    world.service = world.key.address
    world.node.fund(world.service)


def pull(world: World, number: int, units: int) -> bytes:
    """Return a call by which the service's key takes so much of a viewer's token."""
    return abi.call(abi.TRANSFER_FROM, viewer(number).address, TREASURY, units)


def states() -> list[str]:
    return list(Collection.objects.order_by("id").values_list("status", flat=True))


def resolve(*arguments: str) -> str:
    told = StringIO()
    call_command("resolvesend", "31337", *arguments, "--reason", "ops: compared with the chain", stdout=told)
    return told.getvalue()


def test_a_receipt_that_is_late_is_waited_for(
    plain: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    owing(plain, vera)
    plain.round()
    plain.node.mine(9)

    with answering("eth_getTransactionReceipt", {"result": None}, monkeypatch=monkeypatch):
        for _ in range(3):
            assert plain.round(seconds=601) == {}
    waiting = states()
    plain.settle()

    assert (waiting, states()) == (["submitted"], ["confirmed"])
    assert plain.balance(TREASURY, symbol="PLAIN") == USD
    assert ChainSend.objects.count() == 1


def test_without_the_history_that_would_prove_it_nothing_is_lost(
    plain: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    owing(plain, vera)
    plain.round()
    plain.node.mine(9)

    missing = {"error": {"code": -32000, "message": "pruned"}}
    whole_blocks = answering(
        "eth_getBlockByNumber", missing, to=lambda params: bool(params[1]), monkeypatch=monkeypatch
    )
    with (
        answering("eth_getTransactionReceipt", {"result": None}, monkeypatch=monkeypatch),
        whole_blocks,
    ):
        wrong = plain.round()
        unknown = states()
    plain.round()
    plain.settle()

    assert "resolvesend" in wrong["Local"]
    assert (unknown, states()) == (["unknown"], ["confirmed"])
    assert plain.balance(TREASURY, symbol="PLAIN") == USD


@pytest.mark.parametrize("paid", [USD, USD // 4], ids=["all", "a part"])
def test_a_forgotten_payment_under_its_nonce_is_left_to_an_operator(
    plain: World, vera: User, paid: int
) -> None:
    authorization = owing(plain, vera)
    plain.round()
    # The database of before a restore had sent this; a node that lags has let its nonce be given anew.
    data = abi.call(abi.TRANSFER_FROM, viewer(1).address, TREASURY, paid) + bytes(1)
    tx_hash = plain.send_as_service(nonce=0, to=plain.tokens["PLAIN"], data=data)
    plain.node.mine(9)

    for _ in range(3):
        assert "resolvesend" in plain.round(seconds=601)["Local"]
    assert (states(), plain.balance(TREASURY, symbol="PLAIN")) == (["unknown"], paid)
    tried = resolve("0", "--paid-by", tx_hash, "--dry-run")
    assert tried.endswith("would be paid by it; nothing was changed\n")
    assert not OperatorAction.objects.exists()
    told = resolve("0", "--paid-by", tx_hash)
    said = OperatorAction.objects.get()
    assert (said.verb, said.details["nonce"], said.details["paid_by"]) == ("resolve_send", 0, tx_hash)
    plain.round()
    authorization.refresh_from_db()
    collected = authorization.collected_units
    plain.settle()

    assert told.startswith(f"{paid} units")
    assert collected == paid
    assert plain.balance(TREASURY, symbol="PLAIN") == USD
    assert set(states()) == {"confirmed"}
    assert Authorization.objects.get().status == "active"


def test_an_operator_says_that_nothing_has_paid_it(plain: World, vera: User) -> None:
    owing(plain, vera)
    owing(plain, vera, number=2)
    plain.round()
    first = plain.send_as_service(nonce=0, to=plain.tokens["PLAIN"], data=pull(plain, 3, 0))
    plain.node.mine(9)
    plain.round()

    with pytest.raises(CommandError, match="paid nothing"):
        resolve("0", "--paid-by", first)
    with pytest.raises(CommandError, match="no final"):
        resolve("0", "--paid-by", "0x" + "12" * 32)
    with pytest.raises(CommandError, match="waits for an operator"):
        resolve("1", "--unpaid")
    resolve("0", "--unpaid")
    # The command goes by the database's clock.
    Collection.objects.filter(status="failed").update(finished_at=plain.now)
    plain.round(seconds=601)
    plain.settle()

    assert states() == ["failed", "confirmed", "confirmed"]
    assert plain.balance(TREASURY, symbol="PLAIN") == 2 * USD


def test_of_two_keys_with_the_same_nonce_an_operator_says_which(plain: World, vera: User) -> None:
    old, paid_by = plain.key, []
    for number in (1, 2):
        owing(plain, vera, number=number)
        plain.round()
        other = pull(plain, number, USD) + bytes(1)
        paid_by.append(plain.send_as_service(nonce=0, to=plain.tokens["PLAIN"], data=other))
        plain.node.mine(9)
        plain.round(seconds=601)
        if number == 1:
            change_key(plain)
            plain.configure(by_collector=False)
    assert states() == ["unknown", "unknown"]

    with pytest.raises(CommandError, match=f"by --key: .*{old.address}"):
        resolve("0", "--unpaid")
    with pytest.raises(CommandError, match="waits for an operator"):
        resolve("0", "--unpaid", "--key", TREASURY)
    resolve("0", "--paid-by", paid_by[0], "--key", old.address.lower())
    assert OperatorAction.objects.get().details["key"] == old.address
    # The other one is the only one that waits now.
    resolve("0", "--paid-by", paid_by[1])
    plain.settle()

    assert states() == ["confirmed", "confirmed"]
    assert plain.balance(TREASURY, symbol="PLAIN") == 2 * USD


def test_a_forgotten_try_of_the_same_transaction_is_remembered(plain: World, vera: User) -> None:
    owing(plain, vera)
    plain.round()
    tx_hash = plain.send_as_service(nonce=0, to=plain.tokens["PLAIN"], data=pull(plain, 1, USD))
    plain.node.mine(9)

    plain.settle()

    assert states() == ["confirmed"]
    assert ChainSend.objects.get().mined_hash == tx_hash
    assert plain.balance(TREASURY, symbol="PLAIN") == USD


def test_a_journal_that_forgot_all_sends_nothing_until_an_operator_accepts_it(
    plain: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETHEREUM_KEY", SERVICE_KEY)
    owing(plain, vera)
    plain.send_as_service(nonce=0, to=plain.tokens["PLAIN"], data=pull(plain, 1, USD // 2))
    plain.node.mine()

    wrong = plain.round()
    assert "--adopt-nonce 31337" in wrong["Local"]
    assert not ChainSend.objects.exists()
    with pytest.raises(CommandError, match="--reason"):
        call_command("collect", "--adopt-nonce", "31337")
    call_command("collect", "--adopt-nonce", "31337", "--reason", "ops: deployed by hand", stdout=StringIO())
    with pytest.raises(CommandError, match="knows 1 "):
        call_command("collect", "--adopt-nonce", "31337", "--reason", "ops: again", stdout=StringIO())
    plain.settle()

    assert ChainSend.objects.get().nonce == ChainKey.objects.get().next_nonce == 1
    assert states() == ["confirmed"]


def test_a_node_that_is_behind_what_was_final_is_not_believed(plain: World, vera: User) -> None:
    authorization = owing(plain, vera)
    plain.settle()
    plain.stream(authorization, USD)

    plain.node.ask("anvil_setNonce", plain.service, "0x0")
    wrong = plain.round()

    assert "is behind" in wrong["Local"]
    assert ChainSend.objects.count() == 1


def test_what_an_old_key_has_sent_is_followed_and_never_signed_by_another(plain: World, vera: User) -> None:
    owing(plain, vera)
    plain.round()
    change_key(plain)
    plain.configure(by_collector=False)

    plain.round(seconds=601)
    plain.round(seconds=601)
    sent = ChainSend.objects.get()
    plain.node.mine(2)
    plain.settle()

    assert len(sent.hashes) == 1
    assert states() == ["confirmed"]
    assert plain.balance(TREASURY, symbol="PLAIN") == USD


def test_a_payment_of_an_old_key_that_is_stuck_is_told_and_waits_for_it(plain: World, vera: User) -> None:
    owing(plain, vera)
    plain.round()
    old = plain.key
    change_key(plain)
    plain.configure(by_collector=False)
    told = plain.round(seconds=601)["Local"]
    plain.key, plain.service = old, old.address
    plain.configure(by_collector=False)
    plain.settle()

    assert f"nonce 0 of the earlier key {old.address}" in told
    assert states() == ["confirmed"]
    assert plain.balance(TREASURY, symbol="PLAIN") == USD


def test_what_an_old_key_has_not_got_mined_the_new_one_collects(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    world.round()
    old = ChainSend.objects.get()
    world.node.ask("anvil_dropTransaction", old.hashes[0])
    world.node.ask("anvil_setBalance", world.service, "0x0")
    change_key(world)
    world.do(ADMIN, world.collector, "set_service(address)", world.service)
    world.configure()

    assert world.round(seconds=601) == {}
    let_go = states()
    world.round(seconds=601)
    world.settle()
    # It comes late after all, and takes nothing.
    world.node.fund(old.sender)
    world.settle()

    assert (let_go, states()) == (["failed"], ["failed", "confirmed"])
    assert not ChainSend.objects.filter(status__in=["signed", "sent", "mined"]).exists()
    assert world.balance(TREASURY) == USD
    assert Authorization.objects.get().status == "active"


def test_a_contract_that_somebody_made_under_its_nonce_has_paid_nothing(plain: World, vera: User) -> None:
    owing(plain, vera)
    plain.round()
    plain.send_as_service(nonce=0, to=None, data=bytes.fromhex("00"))
    plain.node.mine(9)

    assert plain.round() == {}
    assert states() == ["failed"]


def test_a_node_that_lags_does_not_take_back_a_doubt(
    plain: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    owing(plain, vera)
    plain.round()
    plain.send_as_service(nonce=0, to=plain.tokens["PLAIN"], data=pull(plain, 3, 0))
    plain.node.mine(9)
    plain.round()
    with answering("eth_getTransactionCount", {"result": "0x0"}, monkeypatch=monkeypatch):
        wrong = plain.round()

    assert "resolvesend" in wrong["Local"]
    assert (states(), ChainSend.objects.get().reason) == (["unknown"], "nonce_taken")


def test_an_allowance_of_an_old_key_is_not_the_wallets_fault(plain: World, vera: User) -> None:
    authorization = owing(plain, vera)
    change_key(plain)
    plain.configure(by_collector=False)

    wrong = plain.round(seconds=601)

    authorization.refresh_from_db()
    assert "another key" in wrong["Local"]
    assert (authorization.status, ChainSend.objects.count(), states()) == ("active", 0, [])


def test_a_database_that_forgot_what_the_contract_took_counts_it_as_paid(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD // 4)
    world.settle()
    world.stream(authorization, USD // 4)
    forgotten = next(debts.batches([authorization]))
    world.send_as_service(nonce=1, to=forgotten.to, data=forgotten.data)
    world.node.mine(2)
    assert world.balance(TREASURY) == USD // 2
    nonces.adopt(world.chain, world.key, chain_nonce=2, reason="ops: restored", now=world.now)
    world.stream(authorization, USD // 2)

    world.settle()

    authorization.refresh_from_db()
    assert (authorization.status, authorization.collected_units) == ("active", USD)
    assert world.balance(TREASURY) == USD
    assert Collection.objects.latest("id").received_units == 3 * USD // 4


def test_a_transaction_that_is_refused_for_want_of_money_is_not_made_dearer(world: World, vera: User) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    world.node.ask("anvil_setBalance", world.service, "0x0")

    for _ in range(4):
        world.round(seconds=121)
    refused = ChainSend.objects.get()
    world.node.fund(world.service)
    world.round(seconds=121)
    taken = ChainSend.objects.get()
    world.round(seconds=121)
    stuck = ChainSend.objects.get()
    world.node.mine(2)
    world.settle()

    assert "funds" in refused.reason.lower()
    assert [len(each.hashes) for each in (refused, taken, stuck)] == [1, 1, 2]
    assert world.balance(TREASURY) == USD


def test_a_transaction_that_is_refused_for_its_fee_is_made_dearer(
    world: World, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorization = world.active(vera, viewer(1))
    world.stream(authorization, USD)
    with silent("eth_sendRawTransaction", after=False, monkeypatch=monkeypatch):
        world.round()
    world.node.ask("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
    world.node.mine()

    world.round(seconds=60)
    refused = ChainSend.objects.get()
    world.round(seconds=61)
    world.node.mine(2)
    world.settle()

    assert (len(refused.hashes), is_for_its_fee(refused.reason)) == (1, True)
    assert len(ChainSend.objects.get().hashes) == 2
    assert world.balance(TREASURY) == USD


@pytest.mark.parametrize(
    ("words", "is_fee"),
    [
        ("replacement transaction underpriced", True),
        ("transaction underpriced: gas tip cap 0, minimum needed 1", True),
        ("max fee per gas less than block base fee", True),
        ("FeeTooLow, MaxFeePerGas too low", True),
        ("insufficient funds for gas * price + value", False),
        ("nonce too low", False),
        ("intrinsic gas too low", False),
        ("exceeds block gas limit", False),
    ],
)
def test_tells_by_the_words_of_nodes_whether_more_gas_money_would_help(words: str, is_fee: bool) -> None:
    assert is_for_its_fee(words) == is_fee


@pytest.mark.parametrize(
    ("more", "kept", "status", "collected"),
    [
        # The wallet has spent what it had left: it owes nothing.
        (0, 0, "active", USD // 2),
        # What it has is enough for the rest.
        (USD // 4, USD // 4, "active", 3 * USD // 4),
        # It is not.
        (USD // 4, USD // 4 - 1, "suspended", 0),
    ],
)
def test_who_has_paid_what_a_database_forgot_is_no_debtor_for_it(
    world: World, vera: User, more: int, kept: int, status: str, collected: int
) -> None:
    authorization = world.active(vera, viewer(1), money=USD)
    world.stream(authorization, USD // 2)
    forgotten = next(debts.batches([authorization]))
    world.send_as_service(nonce=0, to=forgotten.to, data=forgotten.data)
    world.node.mine(2)
    world.stream(authorization, more)
    spent = (ADMIN, USD // 2 - kept)
    world.do(viewer(1).address, world.tokens["USDT"], "transfer(address,uint256)", *spent)
    nonces.adopt(world.chain, world.key, chain_nonce=1, reason="ops: restored", now=world.now)

    world.settle()

    authorization.refresh_from_db()
    assert (authorization.status, authorization.collected_units) == (status, collected)
    assert world.balance(TREASURY) == USD // 2 + (more if status == "active" else 0)
