"""The accounts of the ledger and what moves money between them."""

from enum import StrEnum

from billing.rules import RefundStatus

ZEC = "ZEC"


class Account(StrEnum):
    """What money can be in the books; those that are somebody's name a row of his table besides."""

    WALLET = "wallet"  # asset: what the service's own wallet holds
    PERMISSION = "permission"  # owed to a viewer; of: a spending permission
    REFUND = "refund"  # owed to a viewer, on its way; of: a refund
    VENDOR = "vendor"  # owed to a vendor; of: a vendor
    PAYOUT = "payout"  # owed to a vendor, on its way; of: a payout
    AUTHORIZATION = "authorization"  # asset: owed by a wallet on an EVM chain; of: an authorisation
    TREASURY = "treasury"  # asset: tokens that were collected
    FEES = "fees"  # income of the platform
    OWNER = "owner"  # equity: what the operator took out of the wallet by hand
    LOSSES = "losses"  # expense: what was streamed of payments that left the chain


class Kind(StrEnum):
    """Why money moves; the comment says which row `cause_id` names."""

    DEPOSIT = "deposit"  # a deposit
    REVERSAL = "reversal"  # a deposit
    LOSS = "loss"  # a permission
    LOSS_COVERED = "loss_covered"  # a permission
    CHARGE = "charge"  # a transaction that became final
    FEE = "fee"  # the same transaction
    CHAIN_CHARGE = "chain_charge"  # a transaction that became final
    CHAIN_PAYOUT = "chain_payout"  # what an operator has said of it (OperatorAction)
    COLLECTION = "collection"  # a collection
    COLLECTION_LOSS = "collection_loss"  # the same: what the token kept for itself
    REFUND = "refund"  # a refund
    REFUND_CANCELLED = "refund_cancelled"
    REFUND_PAID = "refund_paid"
    REFUND_FEE = "refund_fee"
    REFUND_RETURNED = "refund_returned"
    PAYOUT = "payout"  # a payout
    PAYOUT_CANCELLED = "payout_cancelled"
    PAYOUT_PAID = "payout_paid"
    PAYOUT_FEE = "payout_fee"
    PAYOUT_RETURNED = "payout_returned"
    WITHDRAWAL = "withdrawal"  # a transaction of the account that nobody here had asked for


_A, _K = Account, Kind

# From which account (debit) to which (credit): a transfer is its own pair, so no entry can be unbalanced.
MOVES: dict[Kind, tuple[Account, Account]] = {
    _K.DEPOSIT: (_A.WALLET, _A.PERMISSION),
    _K.REVERSAL: (_A.PERMISSION, _A.WALLET),
    _K.LOSS: (_A.LOSSES, _A.PERMISSION),
    _K.LOSS_COVERED: (_A.PERMISSION, _A.LOSSES),
    _K.CHARGE: (_A.PERMISSION, _A.VENDOR),
    _K.FEE: (_A.VENDOR, _A.FEES),
    _K.CHAIN_CHARGE: (_A.AUTHORIZATION, _A.VENDOR),
    _K.CHAIN_PAYOUT: (_A.VENDOR, _A.TREASURY),
    _K.COLLECTION: (_A.TREASURY, _A.AUTHORIZATION),
    _K.COLLECTION_LOSS: (_A.LOSSES, _A.AUTHORIZATION),
    _K.REFUND: (_A.PERMISSION, _A.REFUND),
    _K.REFUND_CANCELLED: (_A.REFUND, _A.PERMISSION),
    _K.REFUND_PAID: (_A.REFUND, _A.WALLET),
    _K.REFUND_FEE: (_A.REFUND, _A.WALLET),
    # Its transaction was never mined: payment and fee are here again.
    _K.REFUND_RETURNED: (_A.WALLET, _A.REFUND),
    _K.PAYOUT: (_A.VENDOR, _A.PAYOUT),
    _K.PAYOUT_CANCELLED: (_A.PAYOUT, _A.VENDOR),
    _K.PAYOUT_PAID: (_A.PAYOUT, _A.WALLET),
    _K.PAYOUT_FEE: (_A.PAYOUT, _A.WALLET),
    _K.PAYOUT_RETURNED: (_A.WALLET, _A.PAYOUT),
    _K.WITHDRAWAL: (_A.OWNER, _A.WALLET),
}

# Each at most once for its cause.
ONCE = (
    _K.CHARGE,
    _K.FEE,
    _K.CHAIN_CHARGE,
    _K.CHAIN_PAYOUT,
    _K.COLLECTION,
    _K.COLLECTION_LOSS,
    _K.WITHDRAWAL,
)

# What the platform owes to others. The wallet has to hold all of it.
OWED = (_A.PERMISSION, _A.REFUND, _A.VENDOR, _A.PAYOUT)

# A refund, or a payout, has left the wallet in these states.
LEFT = (RefundStatus.SENT, RefundStatus.CONFIRMED)
