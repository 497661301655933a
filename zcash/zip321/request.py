"""One requested payment, the rules that hold for it however it is written, and the one failure."""

from dataclasses import dataclass

from core.amounts import MAX_ZAT, MAX_ZEC
from zcash.addresses import ORCHARD, Address

MAX_MEMO_BYTES = 512
# Some sixty payments with full memos; a QR code holds less than 3,000 characters. ZIP-321 sets no limit.
MAX_URI_CHARACTERS = 65_536

_ASSET_ID_BYTES = 66


class UriError(ValueError):
    """A payment request that ZIP-321 does not allow: what is wrong, in which parameter, and where.

    `reason` is a stable slug. `parameter` is as the URI writes it (`amount.1`), empty for the URI as a whole;
    `position` is where it starts, counted from 0, None where there is no URI yet.
    """

    def __init__(
        self, problem: str, *, reason: str, parameter: str = "", position: int | None = None
    ) -> None:
        where = parameter or "the URI"
        if position is not None:
            where += f" at character {position}"
        super().__init__(f"{where}: {problem}")
        self.problem = problem
        self.reason = reason
        self.parameter = parameter
        self.position = position


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What one address is to be paid; an amount of None is the payer's to choose.

    `memo` travels to the payee, `label` and `message` are for the payer's eyes. With an `asset_id` (ZIP-227)
    the amount is of that asset, in the same decimals, and not ZEC.

    Raises:
        UriError: the parts do not go together.
    """

    address: Address
    amount_zat: int | None = None
    memo: bytes | None = None
    label: str | None = None
    message: str | None = None
    asset_id: bytes | None = None

    def __post_init__(self) -> None:
        """Check the rules that bind parts to each other."""
        if self.amount_zat is not None:
            _check_amount(self.amount_zat, address=self.address)
        if self.memo is not None:
            _check_memo(self.memo, address=self.address)
        if self.asset_id is not None:
            _check_asset(self.asset_id, address=self.address)


def _check_amount(amount_zat: int, *, address: Address) -> None:
    if not 0 <= amount_zat <= MAX_ZAT:
        raise UriError(f"an amount is between 0 and {MAX_ZEC} ZEC", reason="amount_range", parameter="amount")
    # An empty output is possible only where it can carry a memo.
    if amount_zat == 0 and address.is_transparent:
        raise UriError("a transparent address is paid nothing", reason="amount_zero", parameter="amount")


def _check_memo(memo: bytes, *, address: Address) -> None:
    if address.is_transparent:
        raise UriError("a transparent address takes no memo", reason="memo_transparent", parameter="memo")
    if len(memo) > MAX_MEMO_BYTES:
        problem = f"a memo has at most {MAX_MEMO_BYTES} bytes, not {len(memo)}"
        raise UriError(problem, reason="memo_length", parameter="memo")


def _check_asset(asset_id: bytes, *, address: Address) -> None:
    if len(asset_id) != _ASSET_ID_BYTES:
        raise UriError(f"an asset has {_ASSET_ID_BYTES} bytes", reason="asset_encoding", parameter="asset_id")
    if all(receiver.typecode != ORCHARD for receiver in address.receivers):
        problem = "only an address with an Orchard receiver is paid in assets"
        raise UriError(problem, reason="asset_receiver", parameter="asset_id")
