"""The simulated node's addresses, without HTTP, as zcashd gives them."""

from typing import Any

import pytest

from tests.unit.simnode.client import (
    MAINNET,
    P2SH_ADDRESS,
    STRANGER,
    T_ADDRESS,
    TEX_ADDRESS,
    Client,
    RefusedError,
)
from zcash.addresses import (
    SAPLING,
    Kind,
    Network,
    parse,
)

MAX_INDEX = 2**88 - 1


@pytest.mark.parametrize(
    "receivers", [["sapling"], ["orchard"], ["p2pkh", "sapling"], ["sapling", "orchard"], []]
)
def test_gives_an_address_of_the_receivers_asked_for(rpc: Client, receivers: list[str]) -> None:
    answer = rpc("z_getaddressforaccount", 0, receivers)

    assert set(answer) == {"account", "diversifier_index", "receiver_types", "address"}
    assert answer["receiver_types"] == (receivers or ["p2pkh", "sapling", "orchard"])
    address = parse(answer["address"], network=Network.REGTEST)
    assert address.kind is Kind.UNIFIED
    assert len(address.receivers) == len(answer["receiver_types"])


def test_gives_the_same_address_for_the_same_index(rpc: Client) -> None:
    first = rpc("z_getaddressforaccount", 0, ["sapling", "orchard"])

    index = first["diversifier_index"]
    assert rpc("z_getaddressforaccount", 0, ["sapling", "orchard"], index) == first
    assert rpc("z_getaddressforaccount", 0, ["orchard", "sapling"], index) == first
    assert rpc("z_listaccounts") == [
        {"account": 0, "addresses": [{"diversifier": index, "ua": first["address"]}]}
    ]


def test_refuses_other_receivers_at_a_used_index(rpc: Client) -> None:
    index = rpc("z_getaddressforaccount", 0, ["sapling"])["diversifier_index"]

    with pytest.raises(RefusedError, match="already generated with different receiver types") as refusal:
        rpc("z_getaddressforaccount", 0, ["orchard"], index)
    assert refusal.value.code == -4


def test_goes_on_to_the_next_unused_index(rpc: Client) -> None:
    taken = rpc("z_getaddressforaccount", 0, ["orchard"], 1)

    indices = [rpc("z_getaddressforaccount", 0, ["orchard"])["diversifier_index"] for _ in range(3)]

    assert taken["diversifier_index"] == 1
    assert indices == [0, 2, 3]


def test_the_next_index_is_never_one_that_was_handed_out(rpc: Client) -> None:
    wallet = rpc.node.wallet
    taken = [index for index in range(20) if wallet.has_index(0, index, typecodes={SAPLING})]
    for index in taken:
        rpc("z_getaddressforaccount", 0, ["sapling"], index)

    fresh = rpc("z_getaddressforaccount", 0, ["sapling"])["diversifier_index"]

    assert fresh >= 20
    assert rpc("z_getaddressforaccount", 0, ["orchard"])["diversifier_index"] not in taken


def test_about_half_of_the_indices_have_no_sapling_address(rpc: Client) -> None:
    indices = range(MAX_INDEX - 199, MAX_INDEX + 1)
    invalid = [index for index in indices if not rpc.node.wallet.has_index(0, index, typecodes={SAPLING})]

    for index in indices:
        if index not in invalid:
            assert rpc("z_getaddressforaccount", 0, ["sapling"], index)["diversifier_index"] == index
    with pytest.raises(RefusedError, match=f"no address at diversifier index {invalid[0]}.") as refusal:
        rpc("z_getaddressforaccount", 0, ["sapling"], invalid[0])
    assert refusal.value.code == -4
    assert 60 < len(invalid) < 140


@pytest.mark.parametrize("index", [-1, MAX_INDEX + 1, 2**100, 10**60])
def test_refuses_an_index_beyond_88_bits(rpc: Client, index: int) -> None:
    assert rpc.refused("z_getaddressforaccount", 0, ["orchard"], index) in (-8, -3)


def test_refuses_a_transparent_receiver_beyond_31_bits(rpc: Client) -> None:
    assert rpc.refused("z_getaddressforaccount", 0, ["p2pkh", "orchard"], 2**31) == -4
    assert rpc("z_getaddressforaccount", 0, ["p2pkh", "orchard"], 2**31 - 1)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ([0, ["p2pkh"]], -8),
        ([0, ["p2sh"]], -8),
        ([0, ["sprout", "sapling"]], -8),
        ([-1], -8),
        ([2**31 - 1], -8),
        ([1], -4),
    ],
)
def test_refuses_an_address_that_zcashd_would_not_give(rpc: Client, params: list[Any], code: int) -> None:
    assert rpc.refused("z_getaddressforaccount", *params) == code


def test_adds_accounts_with_addresses_of_their_own(rpc: Client) -> None:
    account = rpc("z_getnewaccount")["account"]

    assert account == 1
    first = rpc("z_getaddressforaccount", 0, ["orchard"], 5)["address"]
    assert first != rpc("z_getaddressforaccount", 1, ["orchard"], 5)["address"]


def test_splits_a_unified_address_into_its_receivers(rpc: Client) -> None:
    receivers = rpc("z_listunifiedreceivers", rpc.new_address("p2pkh", "sapling", "orchard"))

    kinds = {name: parse(text, network=Network.REGTEST).kind for name, text in receivers.items()}
    assert kinds == {"p2pkh": Kind.P2PKH, "sapling": Kind.SAPLING, "orchard": Kind.UNIFIED}
    assert rpc.refused("z_listunifiedreceivers", STRANGER) == -5


def test_validates_addresses_of_every_kind(rpc: Client) -> None:
    mine = rpc.new_address("p2pkh", "sapling")
    receivers = rpc("z_listunifiedreceivers", mine)

    kinds = {text: rpc("z_validateaddress", text) for text in (mine, STRANGER, T_ADDRESS, P2SH_ADDRESS)}

    assert [each["address_type"] for each in kinds.values()] == ["unified", "sapling", "p2pkh", "p2sh"]
    assert all(each["isvalid"] for each in kinds.values())
    assert rpc("z_validateaddress", receivers["sapling"])["ismine"] is True
    assert kinds[STRANGER]["ismine"] is False
    assert "ismine" not in kinds[mine]
    for invalid in ("", "nonsense", MAINNET, TEX_ADDRESS, mine + "q", "x" * 100_000):
        assert rpc("z_validateaddress", invalid) == {"isvalid": False}


def test_validates_transparent_addresses_alone_by_the_older_call(rpc: Client) -> None:
    assert rpc("validateaddress", T_ADDRESS)["scriptPubKey"] == f"76a914{'00' * 20}88ac"
    assert rpc("validateaddress", P2SH_ADDRESS)["isscript"] is True
    assert rpc("validateaddress", STRANGER) == {"isvalid": False}
