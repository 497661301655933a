"""Sending over scripted servers, as zcashd and zallet share it: what is asked, and what is concluded."""

import pytest

from tests.unit.zallet.stack import (
    ACCOUNT,
    ADDRESS,
    OTHER_ACCOUNT,
    OTHER_ADDRESS,
    OTHER_TXID,
    OURS_T,
    STRANGERS,
    TXID,
    Stack,
    refuse,
)
from zcash.node.port import (
    NodeNotReady,
    NodeRefused,
    NodeUnavailable,
    Operation,
    OperationStatus,
    Payment,
    PrivacyPolicy,
)
from zcash.node.zallet import ZalletWallet


@pytest.fixture(autouse=True)
def _accounts(stack: Stack) -> None:
    stack.wallet.answers["z_listaccounts"] = [
        {"account_uuid": OTHER_ACCOUNT, "addresses": [{"ua": OTHER_ADDRESS}]},
        {"account_uuid": ACCOUNT, "addresses": [{"ua": ADDRESS}]},
    ]


class TestSending:
    def test_asks_for_one_transaction_to_all(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.wallet.answers["z_sendmany"] = "opid-1"
        payments = [Payment(STRANGERS, 1, b"\x00hi"), Payment(OURS_T, 2_100_000_000_000_000)]

        operation_id = wallet.send(payments, source=ADDRESS, policy=PrivacyPolicy.RECIPIENTS)

        assert operation_id == "opid-1"
        recipients = [
            {"address": STRANGERS, "amount": "0.00000001", "memo": "006869"},
            {"address": OURS_T, "amount": "21000000.00000000"},
        ]
        assert stack.wallet.calls == [
            ("z_listaccounts", True),
            ("z_sendmany", ADDRESS, recipients, None, None, "AllowRevealedRecipients"),
        ]

    def test_looks_once_whose_the_address_to_pay_from_is(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.wallet.answers["z_sendmany"] = "opid-1"

        for _ in range(3):
            wallet.send([Payment(STRANGERS, 1)], source=ADDRESS, policy=PrivacyPolicy.FULL)

        assert (stack.wallet.count("z_listaccounts"), stack.wallet.count("z_sendmany")) == (1, 3)

    @pytest.mark.parametrize("source", [OTHER_ADDRESS, STRANGERS, "", "ANY_TADDR"])
    def test_does_not_pay_from_another_account(self, stack: Stack, wallet: ZalletWallet, source: str) -> None:
        stack.wallet.answers["z_sendmany"] = "opid-1"

        with pytest.raises(NodeRefused, match=r"ZCASH_SERVICE_WALLET.*ZCASH_ACCOUNT") as caught:
            wallet.send([Payment(STRANGERS, 1)], source=source, policy=PrivacyPolicy.FULL)

        assert not isinstance(caught.value, NodeUnavailable)
        assert "ZCASH" not in caught.value.detail
        assert stack.wallet.count("z_sendmany") == 0

    @pytest.mark.parametrize(
        ("answer", "error"),
        [(refuse(-32603), NodeRefused), (refuse(-28), NodeNotReady), ("nonsense", NodeNotReady)],
    )
    def test_is_sure_that_nothing_was_sent_while_it_cannot_tell_whose_the_address_is(
        self, stack: Stack, wallet: ZalletWallet, answer: object, error: type[Exception]
    ) -> None:
        stack.wallet.answers |= {"z_sendmany": "opid-1", "z_listaccounts": answer}

        with pytest.raises(error):
            wallet.send([Payment(STRANGERS, 1)], source=ADDRESS, policy=PrivacyPolicy.FULL)

        assert stack.wallet.count("z_sendmany") == 0

    @pytest.mark.parametrize("answer", [None, "", 5, ["opid-1"], "opid 1", "x" * 101])
    def test_does_not_know_whether_it_sent_without_an_operations_id(
        self, stack: Stack, wallet: ZalletWallet, answer: object
    ) -> None:
        stack.wallet.answers["z_sendmany"] = answer

        with pytest.raises(NodeUnavailable, match="z_sendmany") as caught:
            wallet.send([Payment(STRANGERS, 1)], source=ADDRESS, policy=PrivacyPolicy.FULL)

        assert not isinstance(caught.value, NodeNotReady)

    @pytest.mark.parametrize(
        ("code", "error"), [(-4, NodeRefused), (-8, NodeRefused), (-10, NodeNotReady), (-2, NodeNotReady)]
    )
    def test_passes_on_that_nothing_was_sent(
        self, stack: Stack, wallet: ZalletWallet, code: int, error: type[Exception]
    ) -> None:
        stack.wallet.answers["z_sendmany"] = refuse(code)

        with pytest.raises(error):
            wallet.send([Payment(STRANGERS, 1)], source=ADDRESS, policy=PrivacyPolicy.FULL)

    @pytest.mark.parametrize(
        ("fields", "operation"),
        [
            ({"status": "queued"}, Operation("opid-1", OperationStatus.RUNNING)),
            ({"status": "executing"}, Operation("opid-1", OperationStatus.RUNNING)),
            (
                {"status": "success", "result": {"txid": TXID, "txids": [TXID], "broadcast": True}},
                Operation("opid-1", OperationStatus.SUCCEEDED, (TXID,)),
            ),
            (
                {"status": "success", "result": {"txids": [TXID, OTHER_TXID], "broadcast": False}},
                Operation("opid-1", OperationStatus.SUCCEEDED, (TXID, OTHER_TXID), broadcast=False),
            ),
            (
                {"status": "success", "result": {"txid": TXID}},
                Operation("opid-1", OperationStatus.SUCCEEDED, (TXID,)),
            ),
            (
                {"status": "failed", "error": {"code": -4, "message": "m" * 5000}},
                Operation("opid-1", OperationStatus.FAILED, error_code=-4, error="m" * 300),
            ),
            ({"status": "cancelled"}, Operation("opid-1", OperationStatus.FAILED, error="cancelled")),
        ],
        ids=lambda value: repr(value)[:50],
    )
    def test_reads_how_far_an_operation_is(
        self, stack: Stack, wallet: ZalletWallet, fields: dict[str, object], operation: Operation
    ) -> None:
        stack.wallet.answers["z_getoperationstatus"] = [{"id": "opid-1", "creation_time": 5} | fields]

        assert wallet.operation("opid-1") == operation
        assert stack.wallet.calls == [("z_getoperationstatus", ["opid-1"])]

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            {},
            [{"id": "opid-2", "status": "queued"}],
            [{"id": "opid-1", "status": "queued"}] * 2,
            [{"id": "opid-1", "status": "done"}],
            [{"id": "opid-1", "status": "success"}],
            [{"id": "opid-1", "status": "success", "result": {}}],
            [{"id": "opid-1", "status": "success", "result": {"txids": []}}],
            [{"id": "opid-1", "status": "success", "result": {"txids": ["x"]}}],
            [{"id": "opid-1", "status": "success", "result": {"txid": TXID, "broadcast": "yes"}}],
            [{"id": "opid-1", "status": "failed", "error": "x"}],
            [{"id": "opid-1", "status": "failed", "error": {"code": "x", "message": "x"}}],
            [{"id": "opid-1", "status": "failed", "error": {"code": -4}}],
        ],
        ids=repr,
    )
    def test_concludes_nothing_from_an_operation_that_cannot_be_trusted(
        self, stack: Stack, wallet: ZalletWallet, answer: object
    ) -> None:
        stack.wallet.answers["z_getoperationstatus"] = answer

        with pytest.raises(NodeUnavailable, match="z_getoperationstatus"):
            wallet.operation("opid-1")

    def test_does_not_know_a_forgotten_operation(self, stack: Stack, wallet: ZalletWallet) -> None:
        stack.wallet.answers["z_getoperationstatus"] = []

        assert wallet.operation("opid-1") is None

    @pytest.mark.parametrize("busy", ["queued", "executing", None])
    def test_is_sending_while_any_operation_is_not_over(
        self, stack: Stack, wallet: ZalletWallet, busy: str | None
    ) -> None:
        stack.wallet.answers["z_listoperationids"] = lambda status: ["opid-1"] if status == busy else []

        assert wallet.is_sending() is (busy is not None)

    @pytest.mark.parametrize("answer", [None, "opid-1", [5], {}])
    def test_does_not_call_a_wallet_idle_that_cannot_be_understood(
        self, stack: Stack, wallet: ZalletWallet, answer: object
    ) -> None:
        stack.wallet.answers["z_listoperationids"] = answer

        with pytest.raises(NodeUnavailable, match="z_listoperationids"):
            wallet.is_sending()
