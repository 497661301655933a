"""The wallet: accounts and the diversified addresses that were asked of them (ZIP-32, ZIP-316)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from zcash.addresses import ORCHARD, P2PKH, SAPLING, Network, Receiver, encode_unified

NETWORK = Network.REGTEST
# ZIP-32: a diversifier index has 88 bits; BIP-44 leaves a transparent child index 31.
MAX_INDEX = 2**88 - 1
MAX_TRANSPARENT_INDEX = 2**31 - 1

RECEIVER_TYPES = {"p2pkh": P2PKH, "sapling": SAPLING, "orchard": ORCHARD}
_RECEIVER_BYTES = {P2PKH: 20, SAPLING: 43, ORCHARD: 43}


@dataclass(frozen=True, slots=True)
class WalletAddress:
    """A unified address of an account."""

    account: int
    index: int
    receivers: tuple[Receiver, ...]
    text: str

    @property
    def typecodes(self) -> frozenset[int]:
        """The typecodes of its receivers."""
        return frozenset(receiver.typecode for receiver in self.receivers)


class Wallet:
    """Accounts of one seed. The receivers are digests of seed, account and index: no points of a curve."""

    def __init__(self, *, seed: bytes) -> None:
        self.seed = seed
        self.accounts: list[dict[int, WalletAddress]] = []
        self._by_text: dict[str, WalletAddress] = {}
        self._by_receiver: dict[Receiver, WalletAddress] = {}
        self._internal: dict[Receiver, int] = {}
        self._next_index: list[int] = []

    def add_account(self) -> int:
        """Add an account and return its number."""
        account = len(self.accounts)
        self.accounts.append({})
        self._next_index.append(0)
        self._internal |= {self.internal_receiver(account, each): account for each in _RECEIVER_BYTES}
        return account

    def add_address(self, account: int, index: int, *, typecodes: Iterable[int]) -> WalletAddress:
        """Derive an address that is the wallet's from now on; the index must be unused and have one."""
        receivers = tuple(self._receiver(account, index, typecode) for typecode in sorted(typecodes))
        text = encode_unified(receivers, network=NETWORK)
        address = WalletAddress(account, index, receivers, text)
        self.accounts[account][index] = self._by_text[text] = address
        self._by_receiver.update((receiver, address) for receiver in receivers)
        return address

    def address(self, text: str) -> WalletAddress | None:
        """Return the wallet's address with this canonical text."""
        return self._by_text.get(text)

    def owner(self, receiver: Receiver) -> WalletAddress | None:
        """Return the wallet's address that has this receiver; an internal one is in no address."""
        return self._by_receiver.get(receiver)

    def account_of(self, receiver: Receiver) -> int | None:
        """Return the account that a receiver belongs to, internal ones included."""
        owner = self.owner(receiver)
        return owner.account if owner else self._internal.get(receiver)

    def is_internal(self, receiver: Receiver) -> bool:
        """Return whether a receiver is one that an account sends its change to."""
        return receiver in self._internal

    def internal_receiver(self, account: int, typecode: int) -> Receiver:
        """Return where an account sends its change of a kind; transparent: what waits to be paid on."""
        return self._receiver(account, 0, typecode, purpose=b"internal")

    def receivers(self, account: int) -> list[Receiver]:
        """Return all receivers of an account, internal ones last."""
        external = [each for address in self.accounts[account].values() for each in address.receivers]
        return external + [self.internal_receiver(account, typecode) for typecode in _RECEIVER_BYTES]

    def has_index(self, account: int, index: int, *, typecodes: Iterable[int]) -> bool:
        """Return whether an address exists at an index: for Sapling only about every second has one."""
        if P2PKH in typecodes and index > MAX_TRANSPARENT_INDEX:
            return False
        return SAPLING not in typecodes or self._digest(account, index, SAPLING, purpose=b"valid")[0] < 0x80

    def next_index(self, account: int, *, typecodes: Iterable[int]) -> int:
        """Return the lowest index that was never handed out and has an address."""
        used = self.accounts[account]
        while self._next_index[account] in used:
            self._next_index[account] += 1
        index = self._next_index[account]
        while index in used or not self.has_index(account, index, typecodes=typecodes):
            index += 1
        return index

    def _receiver(self, account: int, index: int, typecode: int, *, purpose: bytes = b"receiver") -> Receiver:
        data = self._digest(account, index, typecode, purpose=purpose)
        return Receiver(typecode, data[: _RECEIVER_BYTES[typecode]])

    def _digest(self, account: int, index: int, typecode: int, *, purpose: bytes) -> bytes:
        path = account.to_bytes(4, "big") + index.to_bytes(11, "big") + bytes([typecode])
        return hashlib.blake2b(path, key=self.seed, person=purpose).digest()
