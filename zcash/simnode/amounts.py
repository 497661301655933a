"""Money at the RPC's edge: ZEC with 8 decimals outside, zatoshis inside."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from .errors import Code, RpcError

ZAT_PER_ZEC = 100_000_000
MAX_ZAT = 21_000_000 * ZAT_PER_ZEC

_MAX_TEXT = 32


@dataclass(frozen=True, slots=True)
class Zec:
    """An amount that is written into an answer as a JSON number in ZEC."""

    zat: int

    def __str__(self) -> str:
        sign = "-" if self.zat < 0 else ""
        whole, rest = divmod(abs(self.zat), ZAT_PER_ZEC)
        return f"{sign}{whole}.{rest:08d}"


def amount_zat(value: object) -> int:
    """Return the zatoshis in a ZEC amount given as a JSON number or a decimal string.

    Raises:
        RpcError: -3: not an amount, not above 0, above the supply, or more than 8 decimals.
    """
    amount = _decimal(value)
    # The bounds come first: an exponent of a million costs time as soon as it is computed with.
    if not amount.is_finite() or not 0 < amount <= MAX_ZAT // ZAT_PER_ZEC:
        raise RpcError(Code.TYPE, "Amount out of range")
    zat = int(amount.scaleb(8))
    if Decimal(zat).scaleb(-8) != amount:
        raise RpcError(Code.TYPE, "Invalid amount")
    return zat


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, str):
        raise RpcError(Code.TYPE, "Amount is not a number or string")
    try:
        if len(value) > _MAX_TEXT or not value.isascii() or "_" in value:
            raise InvalidOperation
        return Decimal(value)
    except InvalidOperation:
        raise RpcError(Code.TYPE, "Invalid amount") from None
