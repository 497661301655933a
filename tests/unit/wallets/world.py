"""A wallet on its simulated node, and what happens to it."""

from typing import Any

from zcash.addresses import Network, encode_p2pkh, encode_sapling
from zcash.node import connect
from zcash.node.port import (
    IndexUnusable,
    OperationStatus,
    Payment,
    PrivacyPolicy,
    WalletAddress,
    WalletPort,
)
from zcash.node.rpc import RpcClient
from zcash.simnode import SimNode

ZEC = 100_000_000
# What answers has time to on a busy machine; where nothing comes in time a test waits less.
PATIENCE_SECONDS, TIMEOUT_SECONDS = 30.0, 1.0
# As deep as zallet wants others' money before it spends it.
SPENDABLE_DEPTH = 10
ALICES_SHIELDED = encode_sapling(b"alice" + bytes(38), network=Network.REGTEST)
ALICES_T_ADDRESS = encode_p2pkh(b"a" * 20, network=Network.REGTEST)


class World:
    """A simulated node, the configured driver on it, and everybody else."""

    def __init__(self, simnode: SimNode, *, dialect: str, control: RpcClient) -> None:
        self.simnode = simnode
        self.dialect = dialect
        self._control = control

    @property
    def wallet(self) -> WalletPort:
        return connect()

    def do(self, method: str, *params: object) -> Any:
        return self._control.call(method, *params)

    def mine(self, blocks: int = 1) -> list[str]:
        hashes: list[str] = self.do("generate", blocks)
        return hashes

    def pay(self, address: str, amount: str = "1", memo: bytes = b"") -> str:
        return str(self.do("sim_pay", address, amount, memo.hex()))

    def address(self, *, start: int = 2**61) -> WalletAddress:
        for index in range(start, start + 64):
            try:
                return self.wallet.new_address(index)
            except IndexUnusable:
                continue
        raise AssertionError("64 indices in a row without an address")

    def address_of_another_account(self) -> str:
        self.do("z_getnewaccount", *(["another"] if self.dialect == "zallet" else []))
        address: str = self.do("z_getaddressforaccount", 1)["address"]
        return address

    def funded_address(self, *, amounts: tuple[str, ...] = ("10",)) -> str:
        """The service's own address, with notes deep enough to be spent."""
        address = self.address().address
        for amount in amounts:
            self.pay(address, amount)
        self.mine(SPENDABLE_DEPTH)
        return address

    def send(self, *payments: Payment, source: str, policy: str = "AllowRevealedRecipients") -> str:
        return self.wallet.send(payments, source=source, policy=PrivacyPolicy(policy))

    def sent_txid(self, operation_id: str) -> str:
        operation = self.wallet.operation(operation_id)
        assert operation is not None
        assert operation.status is OperationStatus.SUCCEEDED
        (txid,) = operation.txids
        return txid

    def balance_zat(self) -> int:
        account: Any = 0
        pools = self.do("z_getbalanceforaccount", account, 1)["pools"]
        return sum(pool["valueZat"] for pool in pools.values())
