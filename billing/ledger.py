"""The ledger: every movement of money, posted in the transaction of its cause.

A transfer names the account that gives and the one that gets, so it cannot be unbalanced; it is never
changed. What streaming uses is charged when its transaction becomes final, by the statement that closes it
(`ledger_sql.POSTED`); everything else is posted here, by the step that moves it.
"""

from collections.abc import Sequence
from datetime import datetime

from billing import ledger_sql
from billing.ledger_models import Transfer
from billing.ledger_rules import LEFT, MOVES, ZEC, Account, Kind
from billing.models import Refund
from billing.models_ethereum import Collection
from billing.payout_models import Payout
from billing.rules import RefundStatus
from core import db
from zcash.models import Deposit, SpendingPermission

# Paid, the network's fee, returned unmined, cancelled.
_REFUND_KINDS = (Kind.REFUND_PAID, Kind.REFUND_FEE, Kind.REFUND_RETURNED, Kind.REFUND_CANCELLED)
_PAYOUT_KINDS = (Kind.PAYOUT_PAID, Kind.PAYOUT_FEE, Kind.PAYOUT_RETURNED, Kind.PAYOUT_CANCELLED)


def charge(closed: Sequence[int], *, booked_at: datetime) -> None:
    """Post the charges of transactions, by primary key, that were just made final one by one; a step."""
    db.require_transaction()
    db.row(ledger_sql.POST_CLOSED, {"closed": list(closed), "booked_at": booked_at})


def charge_units(closed: Sequence[int], *, booked_at: datetime) -> None:
    """Post what authorisations were charged for transactions that were just made final; a step."""
    db.require_transaction()
    db.row(ledger_sql.POST_CLOSED_UNITS, {"closed": list(closed), "booked_at": booked_at})


def collected(found: Collection, *, received_units: int, now: datetime) -> None:
    """Post a collection that is final: what arrived at the treasury, and what the token kept; a step."""
    owner, asset = found.authorization_id, found.authorization.asset
    kept_units = found.amount_units - received_units
    parts = ((Kind.COLLECTION, received_units), (Kind.COLLECTION_LOSS, kept_units))
    _post(
        [_move(kind, units, to=owner, cause=found.pk, now=now, asset=asset) for kind, units in parts if units]
    )


def deposit(found: Deposit, *, repaid_zat: int, now: datetime) -> None:
    """Post a credited deposit, and what of it repays an earlier loss; a step."""
    owner = found.permission_id
    transfers = [_move(Kind.DEPOSIT, found.amount_zat, to=owner, cause=found.pk, now=now)]
    if repaid_zat:
        transfers.append(_move(Kind.LOSS_COVERED, repaid_zat, of=owner, cause=owner, now=now))
    _post(transfers)


def reversal(found: Deposit, *, shortfall_zat: int, now: datetime) -> None:
    """Post a deposit that was taken back, and what of it was not there any more; a step."""
    owner = found.permission_id
    transfers = [_move(Kind.REVERSAL, found.amount_zat, of=owner, cause=found.pk, now=now)]
    if shortfall_zat:
        transfers.insert(0, _move(Kind.LOSS, shortfall_zat, to=owner, cause=owner, now=now))
    _post(transfers)


def loss_covered(permission: SpendingPermission, *, covered_zat: int, now: datetime) -> None:
    """Post what a permission's own money covered of the loss that a reversal left; a step."""
    if covered_zat:
        _post([_move(Kind.LOSS_COVERED, covered_zat, of=permission.pk, cause=permission.pk, now=now)])


def refund_queued(refund: Refund, *, now: datetime) -> None:
    """Post what left a permission for a refund; a step."""
    owner = refund.permission_id
    _post([_move(Kind.REFUND, refund.amount_zat, of=owner, to=refund.pk, cause=refund.pk, now=now)])


def payout_queued(payout: Payout, *, now: datetime) -> None:
    """Post what left a vendor's account for a payout; a step."""
    owner = payout.vendor_id
    _post([_move(Kind.PAYOUT, payout.amount_zat, of=owner, to=payout.pk, cause=payout.pk, now=now)])


def token_paid(*, vendor_id: int, asset: str, units: int, word_id: int, now: datetime) -> None:
    """Post what a vendor was paid in a token, as an operator says; a step."""
    _post([_move(Kind.CHAIN_PAYOUT, units, of=vendor_id, cause=word_id, now=now, asset=asset)])


def outgoing_moved(row: Refund | Payout, *, before: RefundStatus, now: datetime) -> None:
    """Post what a refund's or payout's new state means: it left, came back, or was cancelled; a step."""
    if isinstance(row, Payout):
        (paid, fee, returned, cancelled), owner = _PAYOUT_KINDS, row.vendor_id
    else:
        (paid, fee, returned, cancelled), owner = _REFUND_KINDS, row.permission_id
    of, has_left = row.pk, row.status in LEFT
    if has_left and before not in LEFT:
        _post(
            [
                _move(paid, row.paid_zat, of=of, cause=of, now=now),
                _move(fee, row.fee_zat, of=of, cause=of, now=now),
            ]
        )
    elif before in LEFT and not has_left:
        _post([_move(returned, row.amount_zat, to=of, cause=of, now=now)])
    elif row.status == RefundStatus.CANCELLED:
        _post([_move(cancelled, row.amount_zat, of=of, to=owner, cause=of, now=now)])


def outgoing_reduced(row: Refund | Payout, *, rest_zat: int, now: datetime) -> None:
    """Post what of a waiting refund or payout goes back to where it came from; a step."""
    if isinstance(row, Payout):
        kind, owner = Kind.PAYOUT_CANCELLED, row.vendor_id
    else:
        kind, owner = Kind.REFUND_CANCELLED, row.permission_id
    _post([_move(kind, rest_zat, of=row.pk, to=owner, cause=row.pk, now=now)])


def withdrawn(foreign_id: int, *, amount_zat: int, now: datetime) -> None:
    """Post what the operator has taken out of the wallet by a transaction of his own; a step."""
    _post([_move(Kind.WITHDRAWAL, amount_zat, cause=foreign_id, now=now)])


def balance(account: Account, *, of: int = 0, asset: str = ZEC) -> int:
    """Return what an account has got less what it has given, in the asset's smallest units."""
    (units,) = db.row(ledger_sql.BALANCE, {"account": account, "of": of, "asset": asset})
    return int(units)


def totals() -> dict[tuple[Account, str], int]:
    """Return what all accounts of a kind have got less what they have given, by kind and asset."""
    return {(Account(account), asset): int(units) for account, asset, units in db.rows(ledger_sql.TOTALS)}


def _move(
    kind: Kind, units: int, *, of: int = 0, to: int = 0, cause: int, now: datetime, asset: str = ZEC
) -> Transfer:
    debit, credit = MOVES[kind]
    return Transfer(
        kind=kind,
        debit=debit,
        debit_of=of,
        credit=credit,
        credit_of=to,
        asset=asset,
        amount_units=units,
        cause_id=cause,
        at=now,
        booked_at=now,
    )


def _post(transfers: Sequence[Transfer]) -> None:
    db.require_transaction()
    Transfer.objects.bulk_create(transfers)
