"""What zallet's account received, consistent with one block of the node's best chain."""

from collections.abc import Callable, Sequence

from zcash.addresses import Address, AddressError, Network, parse

from .answers import unexpected
from .chain import Chain, ChainMovedError
from .port import Receipt
from .rpc import RpcClient
from .zallet_rows import METHOD, Output, Row, rows
from .zallet_status import WalletView, consistent

# From an address as the wallet lists it to the one to report, None for one that was not asked for.
Naming = Callable[[str], str | None]


class Receipts:
    """Reads the receipts of one account."""

    def __init__(self, rpc: RpcClient, *, chain: Chain, account_uuid: str, network: Network) -> None:
        self._rpc = rpc
        self._chain = chain
        self._account_uuid = account_uuid
        self._network = network

    def since(self, height: int) -> list[Receipt]:
        """Return what the account received from a height on, unmined included, change and expired left out.

        Raises:
            NodeUnavailable: also when the chain moved at every try.
        """
        network = self._network
        return self._consistent(
            height, naming=lambda listed: _listed_address(listed, network=network).canonical
        )

    def of(self, addresses: Sequence[str], *, since_height: int) -> list[Receipt]:
        """Return what these addresses, or any receiver of theirs, received from a height on."""
        naming = _asked_for(addresses, network=self._network)
        return self._consistent(since_height, naming=naming)

    def _consistent(self, height: int, *, naming: Naming) -> list[Receipt]:
        def read(view: WalletView) -> list[Receipt]:
            listed = rows(self._rpc, account_uuid=self._account_uuid, from_height=height)
            return _Reading(self._chain, view=view, naming=naming).receipts(listed)

        return consistent(self._rpc, chain=self._chain, read=read)


class _Reading:
    """One list of rows made into receipts; each block's hash is asked for once."""

    def __init__(self, chain: Chain, *, view: WalletView, naming: Naming) -> None:
        self._chain = chain
        self._tip_height = view.tip.height
        self._naming = naming
        self._hashes: dict[int, str] = {}

    def receipts(self, listed: list[Row]) -> list[Receipt]:
        return [
            self._receipt(row, output, address=address)
            for row in listed
            for output in row.outputs
            if _is_payment(row, output) and (address := self._naming(output.address)) is not None
        ]

    def _receipt(self, row: Row, output: Output, *, address: str) -> Receipt:
        return Receipt(
            address=address,
            txid=row.txid,
            pool=output.pool,
            output_index=output.index,
            amount_zat=output.amount_zat,
            height=row.height,
            block_hash=None if row.height is None else self._block_hash(row.height),
            confirmations=0 if row.height is None else self._tip_height - row.height + 1,
            memo=output.memo,
            is_own=row.is_own,
        )

    def _block_hash(self, height: int) -> str:
        if height > self._tip_height:
            raise ChainMovedError
        if height not in self._hashes:
            self._hashes[height] = self._chain.block_hash(height)
        return self._hashes[height]


def _is_payment(row: Row, output: Output) -> bool:
    # Without an address it was received by a key of the account that is never handed out.
    is_received = output.is_to_us and not output.is_change and bool(output.address)
    return is_received and output.amount_zat > 0 and not row.expired


def _listed_address(listed: str, *, network: Network) -> Address:
    try:
        return parse(listed, network=network)
    except AddressError as error:
        unexpected(f"{METHOD}.to_address", f"is {error}")


def _asked_for(addresses: Sequence[str], *, network: Network) -> Naming:
    parsed = {text: parse(text, network=network) for text in addresses}
    by_text = {address.canonical: text for text, address in parsed.items()}
    by_receiver = {receiver: text for text, address in parsed.items() for receiver in address.receivers}

    def naming(listed: str) -> str | None:
        if listed in by_text:
            return by_text[listed]
        # A public output is listed under its t-address, not under the unified address that holds it.
        receivers = _listed_address(listed, network=network).receivers
        return next((by_receiver[each] for each in receivers if each in by_receiver), None)

    return naming
