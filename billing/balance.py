"""What a wallet could stream with: its visible money and what is left of its active permission."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from billing import known_balances, live
from billing.known_balances import KnownBalance
from billing.live import LivePermission
from core.amounts import div_ceil, zec
from core.clock import cut
from zcash import watch
from zcash.addresses import Network
from zcash.addresses import parse as parse_address
from zcash.errors import NoActivePermission
from zcash.node.port import NodeRefused, NodeUnavailable, WalletPort


@dataclass(frozen=True)
class Balance:
    """A wallet's capacity at an instant, in zatoshis.

    None means that it cannot be known: a transparent balance without an address index at the node, a
    shielded one without its owner's viewing key. `permission_zat` is what is left of the active permission,
    None without one or where it does not cover the rate. `as_of` is when the chain was asked for the
    transparent balance, None where the address has no transparent part to ask for.
    """

    wallet_address: str
    transparent_zat: int | None
    shielded_zat: int | None
    permission_zat: int | None
    rate_zat_per_hour: int | None
    as_of: datetime | None

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

    Without a rate that of the active permission counts, if there is one. The chain's answer is at most
    BALANCE_CACHE_SECONDS old; what is left of the permission is never from a cache.

    Raises:
        NodeUnavailable, NodeRefused: the address has a transparent part and the node cannot be asked; the
            context has the last known balance (`cached`), if there is one of the last hour.
    """
    network = Network(settings.ZCASH_NETWORK)
    address = parse_address(wallet_address, network=network)
    permission = _active(wallet_address, client_id=client_id, now=now)
    if rate_zat_per_hour is None and permission is not None:
        rate_zat_per_hour = permission.permission.rate_zat_per_hour
    transparent_zat, as_of = _transparent(address.transparent_receiver(network), wallet=wallet, now=now)
    return Balance(
        wallet_address=wallet_address,
        transparent_zat=transparent_zat,
        shielded_zat=0 if address.is_transparent else None,
        permission_zat=_covering_zat(permission, rate_zat_per_hour=rate_zat_per_hour),
        rate_zat_per_hour=rate_zat_per_hour,
        as_of=as_of,
    )


def _active(wallet_address: str, *, client_id: int, now: datetime) -> LivePermission | None:
    try:
        return live.of_wallet(client_id=client_id, wallet_address=wallet_address, now=now)
    except NoActivePermission:
        return None


def _transparent(
    address: str | None, *, wallet: WalletPort, now: datetime
) -> tuple[int | None, datetime | None]:
    """Return a t-address's public balance in zatoshis and when the chain was asked for it."""
    if address is None:
        return 0, None
    known = known_balances.recall(address, now=now)
    if known and now - known.as_of < timedelta(seconds=settings.BALANCE_CACHE_SECONDS):
        return known.transparent_zat, known.as_of
    try:
        found_zat = _ask_chain(address, wallet=wallet)
    except (NodeUnavailable, NodeRefused) as error:
        if known:
            error.context["cached"] = _stale(known)
        raise
    # The instant before the question: the balance is at least as fresh as it says.
    as_of = cut(now)
    if found_zat is not None:
        known_balances.remember(address, KnownBalance(found_zat, as_of))
    return found_zat, as_of


def _ask_chain(address: str, *, wallet: WalletPort) -> int | None:
    watch.pin(watch.ready_status(wallet))
    return wallet.transparent_balance(address)


def _stale(known: KnownBalance) -> dict[str, object]:
    return {"transparent_balance": zec(known.transparent_zat), "as_of": known.as_of, "stale": True}


def _covering_zat(permission: LivePermission | None, *, rate_zat_per_hour: int | None) -> int | None:
    """Return what a permission has left, if its owner agreed to pay the rate."""
    if permission is None or (rate_zat_per_hour or 0) > permission.permission.rate_zat_per_hour:
        return None
    return permission.remaining_zat
