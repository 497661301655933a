"""What zcashd's wallet received, address by address, consistent with one best chain."""

from .answers import MAX_HEIGHT, Record, records
from .chain import Chain, ChainMovedError, Tip, steady
from .port import Receipt
from .rpc import RpcClient

METHOD = "z_listreceivedbyaddress"
_POOLS = frozenset({"transparent", "sapling", "orchard"})


class Scan:
    """One pass over many addresses; block hashes are asked for once as long as the tip stays."""

    def __init__(self, rpc: RpcClient, *, chain: Chain) -> None:
        self._rpc = rpc
        self._chain = chain
        self._tip: Tip | None = None
        self._hashes: dict[int, str] = {}

    def receipts(self, address: str) -> list[Receipt]:
        """Return what one address received, change and outputs of no value left out.

        Raises:
            NodeRefused: -5 when the wallet does not know the address.
            NodeUnavailable: also when the chain moved at every try.
        """
        return steady(lambda: self._receipts(address))

    def _receipts(self, address: str) -> list[Receipt]:
        # The tip is read before the rows and again behind the block hashes: equal, nothing moved between.
        if self._tip is None:
            self._tip = self._chain.tip()
        rows = records(self._rpc.call(METHOD, address, 0), what=METHOD)
        found = [self._receipt(address, row=row, tip=self._tip) for row in rows if not _is_change(row)]
        if any(receipt.height is not None for receipt in found):
            self._refuse_moved_tip(self._tip)
        return [receipt for receipt in found if receipt.amount_zat > 0 and receipt.confirmations >= 0]

    def _receipt(self, address: str, *, row: Record, tip: Tip) -> Receipt:
        confirmations = row.integer("confirmations", low=-MAX_HEIGHT)
        height = self._height(row, confirmations=confirmations, tip=tip) if confirmations > 0 else None
        return Receipt(
            address=address,
            txid=row.hash("txid"),
            pool=row.choice("pool", choices=_POOLS),
            output_index=row.integer("outindex"),
            amount_zat=row.amount_zat(zat="amountZat", zec="amount"),
            height=height,
            block_hash=None if height is None else self._block_hash(height),
            confirmations=confirmations,
            memo=row.memo("memo"),
        )

    def _height(self, row: Record, *, confirmations: int, tip: Tip) -> int:
        height = row.integer("blockheight")
        if height + confirmations - 1 != tip.height:
            self._forget()
            raise ChainMovedError
        return height

    def _block_hash(self, height: int) -> str:
        if height not in self._hashes:
            self._hashes[height] = self._chain.block_hash(height)
        return self._hashes[height]

    def _refuse_moved_tip(self, tip: Tip) -> None:
        if self._chain.tip_hash() != tip.hash:
            self._forget()
            raise ChainMovedError

    def _forget(self) -> None:
        self._tip = None
        self._hashes.clear()


def _is_change(row: Record) -> bool:
    # Absent for addresses of which the wallet has only the viewing key.
    return "change" in row and row.boolean("change")
