"""Whether an output on the chain is the payment that was asked for."""

import pytest

from billing.matching import is_same, pays
from tests.refunding import ALICE, ALICE_T, ALICE_TEX, ALICE_U, MALLORY, REGTEST
from zcash.addresses import P2PKH, SAPLING, Receiver, encode_p2pkh, encode_sapling, encode_unified
from zcash.node.port import Payment, SentTransaction

MEMO = b"PayGo refund"
TWO_RECEIVERS = encode_unified(
    [Receiver(P2PKH, b"carol".ljust(20, b"\3")), Receiver(SAPLING, b"carol".ljust(43, b"\3"))],
    network=REGTEST,
)
ITS_SAPLING = encode_sapling(b"carol".ljust(43, b"\3"), network=REGTEST)
ITS_PUBLIC = encode_p2pkh(b"carol".ljust(20, b"\3"), network=REGTEST)
TEX_AS_T = encode_p2pkh(b"alice-tex".ljust(20, b"\1"), network=REGTEST)


def transaction(*payments: Payment) -> SentTransaction:
    return SentTransaction("ab" * 32, 1, expired=False, payments=payments)


@pytest.mark.parametrize(
    ("output", "payment"),
    [
        (Payment(ALICE, 7, MEMO), Payment(ALICE, 7, MEMO)),
        (Payment(ITS_SAPLING, 7, MEMO), Payment(TWO_RECEIVERS, 7, MEMO)),
        (Payment(ITS_PUBLIC, 7), Payment(TWO_RECEIVERS, 7, MEMO)),
        (Payment(TEX_AS_T, 7), Payment(ALICE_TEX, 7)),
        (Payment(ALICE, 7), Payment(ALICE, 7, MEMO)),
    ],
    ids=["equal", "one receiver", "the public receiver", "tex as its t-address", "memo not told"],
)
def test_takes_an_output_for_its_payment(output: Payment, payment: Payment) -> None:
    assert is_same(output, payment)


@pytest.mark.parametrize(
    ("output", "payment"),
    [
        (Payment(ALICE, 8, MEMO), Payment(ALICE, 7, MEMO)),
        (Payment(MALLORY, 7, MEMO), Payment(ALICE, 7, MEMO)),
        (Payment(ALICE, 7, b"other"), Payment(ALICE, 7, MEMO)),
        (Payment("", 7), Payment(ALICE_T, 7)),
        (Payment("no address", 7), Payment(ALICE_U, 7)),
    ],
    ids=["amount", "recipient", "memo", "no recipient", "unreadable recipient"],
)
def test_takes_no_other_output_for_it(output: Payment, payment: Payment) -> None:
    assert not is_same(output, payment)


def test_wants_an_output_for_each_payment() -> None:
    twice = [Payment(ALICE_T, 7), Payment(ALICE_T, 7)]

    assert not pays(transaction(Payment(ALICE_T, 7)), twice)
    assert pays(transaction(Payment(ALICE_T, 7), Payment(ALICE_T, 7)), twice)


def test_lets_a_transaction_pay_more_than_was_asked_for() -> None:
    assert pays(transaction(Payment(MALLORY, 1), Payment(ALICE, 7)), [Payment(ALICE, 7)])


def test_a_transaction_without_outputs_pays_nothing() -> None:
    assert not pays(transaction(), [Payment(ALICE, 7)])
