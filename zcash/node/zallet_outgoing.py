"""What zallet's account paid to others."""

from collections.abc import Sequence

from .chain import Chain
from .port import Outgoing, Payment, SentTransaction
from .rpc import RpcClient
from .zallet_rows import Row, rows
from .zallet_status import WalletView, consistent
from .zallet_transaction import state


def outgoing(
    rpc: RpcClient, *, chain: Chain, account_uuid: str, since_height: int, known_txids: Sequence[str]
) -> Outgoing:
    """Return what the account paid to others in blocks above a height, and what waits or has expired.

    zallet lists what it has sent, and what it has read from blocks. So something can be missing while it has
    blocks to read, and whenever it does not know a transaction that the caller knows of.

    Raises:
        NodeUnavailable: also when the chain moved at every try.
    """

    def read(view: WalletView) -> Outgoing:
        listed = rows(rpc, account_uuid=account_uuid, from_height=since_height + 1)
        unlisted = set(known_txids) - {row.txid for row in listed}
        is_complete = view.is_complete and all(state(rpc, txid=txid) for txid in unlisted)
        return Outgoing(tuple(sent for row in listed if (sent := _sent(row)).payments), is_complete)

    return consistent(rpc, chain=chain, read=read)


def _sent(row: Row) -> SentTransaction:
    payments = tuple(
        Payment(output.address, output.amount_zat, output.memo)
        for output in row.outputs
        if output.is_from_us and not output.is_to_us and not output.is_change
    )
    return SentTransaction(row.txid, row.height, row.expired, payments)
