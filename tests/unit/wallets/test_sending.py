"""What every wallet sends."""

import pytest

from tests.unit.wallets.world import ALICES_SHIELDED, ALICES_T_ADDRESS, SPENDABLE_DEPTH, ZEC, World
from zcash.node.port import (
    ChainTransaction,
    NodeRefused,
    NodeUnavailable,
    OperationStatus,
    Payment,
    SentTransaction,
)


class TestSending:
    def test_pays_a_shielded_address_with_a_memo(self, world: World) -> None:
        source = world.funded_address()
        height, before_zat = world.wallet.status().height, world.balance_zat()
        operation_id = world.send(
            Payment(ALICES_SHIELDED, 150_000_001, b"refund"), source=source, policy="AllowRevealedAmounts"
        )

        txid = world.sent_txid(operation_id)
        (block_hash,) = world.mine()

        outgoing = world.wallet.outgoing(since_height=height)
        paid = Payment(ALICES_SHIELDED, 150_000_001, b"refund")
        assert outgoing.complete
        assert outgoing.transactions == (SentTransaction(txid, height + 1, False, (paid,)),)
        assert world.wallet.transaction(txid) == ChainTransaction(txid, height + 1, block_hash, 1, False)
        assert 0 < before_zat - world.balance_zat() - 150_000_001 <= 25_000

    def test_pays_several_recipients_in_one_transaction(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        payments = (Payment(ALICES_SHIELDED, ZEC, b"\xff\x00\x01"), Payment(ALICES_T_ADDRESS, 7))

        txid = world.sent_txid(world.send(*payments, source=source))

        outgoing = world.wallet.outgoing(since_height=height)
        world.mine()
        (sent,) = outgoing.transactions
        assert (sent.txid, sent.height, sent.expired, outgoing.complete) == (txid, None, False, True)
        assert {(each.address, each.amount_zat) for each in sent.payments} == {
            (ALICES_SHIELDED, ZEC),
            (ALICES_T_ADDRESS, 7),
        }
        assert world.wallet.transparent_balance(ALICES_T_ADDRESS) == 7

    def test_finds_a_chain_of_payments_out_of_change(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        txids = []
        for amount_zat in (1, 2, 3):
            txids.append(world.sent_txid(world.send(Payment(ALICES_SHIELDED, amount_zat), source=source)))
            world.mine(3)

        outgoing = world.wallet.outgoing(since_height=height)
        later = world.wallet.outgoing(since_height=height + 3)

        assert [each.txid for each in outgoing.transactions] == txids
        assert [each.txid for each in later.transactions] == txids[1:]
        assert outgoing.complete
        assert later.complete

    def test_does_not_call_complete_what_it_cannot_prove(self, world: World) -> None:
        """A payment of all there is gives no change, which is how zcashd's payments are found."""
        source = world.funded_address(amounts=("1.00015",))
        height = world.wallet.status().height
        payment = Payment(ALICES_T_ADDRESS, ZEC)

        txid = world.sent_txid(world.send(payment, source=source))
        world.mine()
        # The operation names it, until the wallet restarts.
        found = world.wallet.outgoing(since_height=height)
        assert [each.txid for each in found.transactions] == [txid]
        world.do("sim_restart")

        assert world.balance_zat() == 0
        blind = world.wallet.outgoing(since_height=height)
        told = world.wallet.outgoing(since_height=height, known_txids=[txid])
        assert blind.complete is (world.dialect == "zallet")
        assert told.complete
        assert [each.txid for each in told.transactions] == [txid]

    def test_calls_nothing_complete_while_the_wallet_rescans(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        txid = world.sent_txid(world.send(Payment(ALICES_SHIELDED, ZEC), source=source))
        world.mine()
        world.do("sim_wallet", {"blank": True})

        outgoing = world.wallet.outgoing(since_height=height)

        assert not outgoing.complete
        assert world.wallet.receipts([source]) == []
        assert world.wallet.transaction(txid) is None

    def test_tells_no_unknown_payment_where_none_was_made(self, world: World) -> None:
        world.funded_address()

        outgoing = world.wallet.outgoing(since_height=world.wallet.status().height)

        assert (outgoing.transactions, outgoing.complete) == ((), True)

    def test_is_sending_until_the_operation_is_over(self, world: World) -> None:
        source = world.funded_address()
        world.do("sim_operations", {"hold": True})
        operation_id = world.send(Payment(ALICES_SHIELDED, ZEC), source=source)
        while_held = (world.wallet.is_sending(), world.wallet.operation(operation_id))

        world.do("sim_operations", {"hold": False})

        is_sending, running = while_held
        assert is_sending
        assert running is not None
        assert (running.status, running.txids) == (OperationStatus.RUNNING, ())
        assert not world.wallet.is_sending()
        assert world.sent_txid(operation_id)

    def test_tells_why_an_operation_failed(self, world: World) -> None:
        source = world.funded_address()
        world.do("sim_operations", {"fail": {"code": -26, "message": "tx-expiring-soon"}})

        operation = world.wallet.operation(world.send(Payment(ALICES_SHIELDED, ZEC), source=source))

        assert operation is not None
        assert operation.status is OperationStatus.FAILED
        assert (operation.error_code, operation.error, operation.txids) == (-26, "tx-expiring-soon", ())

    def test_forgets_operations_at_a_restart_and_finds_the_payment_all_the_same(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        operation_id = world.send(Payment(ALICES_SHIELDED, ZEC), source=source)
        txid = world.sent_txid(operation_id)

        world.do("sim_restart")

        assert world.wallet.operation(operation_id) is None
        assert [each.txid for each in world.wallet.outgoing(since_height=height).transactions] == [txid]

    def test_does_not_know_an_operation_of_another_life(self, world: World) -> None:
        assert world.wallet.operation("opid-00000000-0000-4000-8000-000000000000") is None

    def test_tells_of_a_transaction_that_was_never_sent_out(self, world: World) -> None:
        source = world.funded_address()
        world.do("sim_operations", {"broadcast": False})

        operation = world.wallet.operation(world.send(Payment(ALICES_SHIELDED, ZEC), source=source))

        assert operation is not None
        # zcashd does not tell.
        assert operation.broadcast is (world.dialect == "zcashd")
        world.mine()
        found = world.wallet.transaction(operation.txids[0])
        assert found is not None
        assert found.height is None

    def test_sends_nothing_that_it_does_not_have(self, world: World) -> None:
        source = world.funded_address()
        payment = Payment(ALICES_SHIELDED, 100 * ZEC)

        if world.dialect == "zallet":
            with pytest.raises(NodeRefused) as caught:
                world.send(payment, source=source)
            assert caught.value.rpc_code == -4
        else:
            operation = world.wallet.operation(world.send(payment, source=source))
            assert operation is not None
            assert (operation.status, operation.error_code) == (OperationStatus.FAILED, -6)

    def test_lets_no_other_account_pay(self, world: World) -> None:
        source = world.address_of_another_account()
        world.pay(source, "10")
        world.mine(SPENDABLE_DEPTH)

        with pytest.raises(NodeRefused, match="ZCASH_SERVICE_WALLET"):
            world.send(Payment(ALICES_SHIELDED, ZEC), source=source)

        assert world.do("z_listoperationids") == []

    def test_reveals_no_more_than_it_was_allowed_to(self, world: World) -> None:
        source = world.funded_address()
        payment = Payment(ALICES_T_ADDRESS, ZEC)

        if world.dialect == "zallet":
            with pytest.raises(NodeRefused) as caught:
                world.send(payment, source=source, policy="FullPrivacy")
            assert caught.value.rpc_code == -8
        else:
            operation = world.wallet.operation(world.send(payment, source=source, policy="FullPrivacy"))
            assert operation is not None
            assert (operation.status, operation.error_code) == (OperationStatus.FAILED, -8)

    def test_says_nothing_of_what_was_sent_when_the_answer_was_lost(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        world.do("sim_fault", {"kind": "reset_after", "method": "z_sendmany", "times": 1})

        with pytest.raises(NodeUnavailable):
            world.send(Payment(ALICES_SHIELDED, ZEC), source=source)

        outgoing = world.wallet.outgoing(since_height=height)
        assert [each.payments for each in outgoing.transactions] == [(Payment(ALICES_SHIELDED, ZEC),)]

    def test_sends_nothing_when_the_connection_was_cut_before(self, world: World) -> None:
        source = world.funded_address()
        height = world.wallet.status().height
        world.do("sim_fault", {"kind": "reset_before", "method": "z_sendmany", "times": 1})

        with pytest.raises(NodeUnavailable):
            world.send(Payment(ALICES_SHIELDED, ZEC), source=source)

        outgoing = world.wallet.outgoing(since_height=height)
        assert (outgoing.transactions, outgoing.complete) == ((), True)
