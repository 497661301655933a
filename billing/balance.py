"""What a wallet could stream with: its visible money and what is left of its active permission."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from billing import live
from billing.live import LivePermission
from core.amounts import div_ceil
from zcash import watch
from zcash.addresses import Network
from zcash.addresses import parse as parse_address
from zcash.errors import NoActivePermission
from zcash.node.port import WalletPort


@dataclass(frozen=True)
class Balance:
    """A wallet's capacity at an instant, in zatoshis.

    None means that it cannot be known: a transparent balance without an address index at the node, a
    shielded one without its owner's viewing key. `permission_zat` is what is left of the active permission,
    None without one or where it does not cover the rate.
    """

    wallet_address: str
    transparent_zat: int | None
    shielded_zat: int | None
    permission_zat: int | None
    rate_zat_per_hour: int | None

    @property
    def visible_zat(self) -> int:
        return (self.transparent_zat or 0) + (self.shielded_zat or 0)

    @property
    def is_partial(self) -> bool:
        return self.transparent_zat is None or self.shielded_zat is None

    @property
    def spendable_zat(self) -> int:
        """What streaming could be paid from."""
        return self.visible_zat + (self.permission_zat or 0)

    @property
    def can_stream(self) -> bool:
        """Whether it pays for the shortest session; without a rate, whether there is anything."""
        if self.rate_zat_per_hour is None:
            return self.spendable_zat > 0
        shortest_zat = div_ceil(self.rate_zat_per_hour * settings.MIN_START_SECONDS, 3600)
        return self.spendable_zat >= shortest_zat


def of_wallet(
    wallet_address: str,
    *,
    client_id: int,
    wallet: WalletPort,
    now: datetime,
    rate_zat_per_hour: int | None = None,
) -> Balance:
    """Return what a canonical wallet address could stream with, at a rate in zatoshis per hour.

    Without a rate that of the active permission counts, if there is one.

    Raises:
        NodeUnavailable: the address has a transparent part and the node cannot be asked.
    """
    address = parse_address(wallet_address, network=Network(settings.ZCASH_NETWORK))
    permission = _active(wallet_address, client_id=client_id, now=now)
    if rate_zat_per_hour is None and permission is not None:
        rate_zat_per_hour = permission.permission.rate_zat_per_hour
    return Balance(
        wallet_address=wallet_address,
        transparent_zat=_transparent_zat(
            address.transparent_receiver(Network(settings.ZCASH_NETWORK)), wallet=wallet
        ),
        shielded_zat=0 if address.is_transparent else None,
        permission_zat=_covering_zat(permission, rate_zat_per_hour=rate_zat_per_hour),
        rate_zat_per_hour=rate_zat_per_hour,
    )


def _active(wallet_address: str, *, client_id: int, now: datetime) -> LivePermission | None:
    try:
        return live.of_wallet(client_id=client_id, wallet_address=wallet_address, now=now)
    except NoActivePermission:
        return None


def _transparent_zat(address: str | None, *, wallet: WalletPort) -> int | None:
    if address is None:
        return 0
    watch.pin(watch.ready_status(wallet))
    return wallet.transparent_balance(address)


def _covering_zat(permission: LivePermission | None, *, rate_zat_per_hour: int | None) -> int | None:
    """Return what a permission has left, if its owner agreed to pay the rate."""
    if permission is None or (rate_zat_per_hour or 0) > permission.permission.rate_zat_per_hour:
        return None
    return permission.remaining_zat
