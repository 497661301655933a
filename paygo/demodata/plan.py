"""Who asks for what, pays how much, and streams when: drawn by a seeded generator, without a database."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from zcash.addresses import Network, encode_p2pkh, encode_sapling

ZEC = 100_000_000


@dataclass(frozen=True)
class Channel:
    """A vendor of a client; its price is in zatoshis an hour."""

    client: str
    slug: str
    name: str
    price_zat: int


@dataclass(frozen=True)
class Stream:
    """One session: where, since when, for how long; `is_open` ones still run."""

    channel: Channel
    starts_at: datetime
    lasts: timedelta
    is_open: bool = False


@dataclass(frozen=True)
class Life:
    """One permission from its beginning: what is asked, what is paid, what is streamed, how it ends."""

    client: str
    wallet_address: str
    asked_at: datetime
    amount_zat: int
    paid_zat: int
    rate_zat: int
    days: int
    streams: tuple[Stream, ...]
    revoked_at: datetime | None


CHANNELS = (
    Channel("nordlicht", "aurora-live", "Aurora Live", 12_000_000),
    Channel("nordlicht", "fjord-films", "Fjord Films", 20_000_000),
    Channel("nordlicht", "kids-and-moose", "Kids & Moose", 6_000_000),
    Channel("cinema-one", "matinee", "Matinée", 25_000_000),
    Channel("cinema-one", "late-night", "Late Night", 30_000_000),
    Channel("cinema-one", "shorts", "Shorts", 8_000_000),
    Channel("radiowave", "jazz-cellar", "Jazz Cellar", 4_000_000),
    Channel("radiowave", "morning-show", "Morning Show", 3_000_000),
    Channel("radiowave", "concert-hall", "Concert Hall", 10_000_000),
)
CLIENTS = tuple(dict.fromkeys(each.client for each in CHANNELS))
_AMOUNTS = (25_000_000, 50_000_000, ZEC, 2 * ZEC, 3 * ZEC)
_RATE = 30_000_000
# Of a hundred: never paid, paid in part, withdrawn before their time.
_UNPAID, _PARTLY, _REVOKED = 9, 3, 8
# How many watch in each hour of the day (UTC).
_HOURS = (2, 1, 1, 1, 1, 1, 2, 4, 4, 3, 3, 4, 5, 5, 4, 4, 5, 7, 10, 13, 14, 12, 8, 4)
_STREAMS = (1, 2, 3, 4, 5, 7)


def draw(*, permissions: int, days: int, now: datetime, seed: str, network: Network) -> Iterator[Life]:
    """Yield lives in the order in which they begin; the business grows over the days."""
    dice = Random(seed)  # noqa: S311  # it decides nothing but a demonstration
    begin = now - timedelta(days=days)
    span = timedelta(days=days) - timedelta(hours=1)
    for asked_at in sorted(_evening(begin + span * dice.random() ** 0.7, dice) for _ in range(permissions)):
        yield _life(min(asked_at, now - timedelta(minutes=50)), now=now, dice=dice, network=network)


def _life(asked_at: datetime, *, now: datetime, dice: Random, network: Network) -> Life:
    client = dice.choices(CLIENTS, weights=(5, 4, 2))[0]
    amount_zat = dice.choice(_AMOUNTS)
    drawn = dice.randrange(100)
    paid_zat = 0 if drawn < _UNPAID else amount_zat // 3 if drawn < _UNPAID + _PARTLY else amount_zat
    days = dice.choice((7, 14, 30, 30))
    streams = _streams(client, asked_at, days=days, now=now, dice=dice) if paid_zat == amount_zat else ()
    ends = [each.starts_at + each.lasts for each in streams if not each.is_open]
    is_revoked = dice.randrange(100) < _REVOKED and ends and not any(each.is_open for each in streams)
    return Life(
        client=client,
        wallet_address=_wallet(dice, network),
        asked_at=asked_at,
        amount_zat=amount_zat,
        paid_zat=paid_zat,
        rate_zat=_RATE,
        days=days,
        streams=streams,
        revoked_at=max(ends) + timedelta(minutes=20) if is_revoked else None,
    )


def _streams(
    client: str, asked_at: datetime, *, days: int, now: datetime, dice: Random
) -> tuple[Stream, ...]:
    channels = [each for each in CHANNELS if each.client == client]
    drawn: list[Stream] = []
    at = asked_at + timedelta(minutes=dice.randint(6, 40))
    for _ in range(dice.choice(_STREAMS)):
        lasts = timedelta(seconds=round(dice.lognormvariate(8.2, 0.7)))
        # In the last hours some still run.
        is_open = at + lasts >= now - timedelta(minutes=2)
        if at >= now - timedelta(minutes=2) or at >= asked_at + timedelta(days=days):
            break
        drawn.append(Stream(dice.choice(channels), at, lasts, is_open))
        if is_open:
            break
        later = at + lasts + timedelta(hours=dice.uniform(2, 60))
        at = max(_evening(later, dice), at + lasts + timedelta(minutes=1))
    return tuple(drawn)


def _evening(moment: datetime, dice: Random) -> datetime:
    """Move a moment of the day towards the hours in which people watch."""
    (hour,) = dice.choices(range(24), weights=_HOURS)
    return moment.replace(hour=hour, minute=dice.randrange(60), second=dice.randrange(60), microsecond=0)


def _wallet(dice: Random, network: Network) -> str:
    if dice.randrange(4):
        return encode_sapling(dice.randbytes(43), network=network)
    return encode_p2pkh(dice.randbytes(20), network=network)
