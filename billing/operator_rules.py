"""What operators can do by hand, and how many of them a large refund needs: pure."""

from enum import StrEnum


class Verb(StrEnum):
    """What an operator can do by hand."""

    VERIFY = "verify"  # look at the chain now, and credit what is confirmed
    HOLD = "hold"  # suspend a permission
    LIFT = "lift"  # let a held permission go on
    EXTEND = "extend"  # give a permission more days
    REVOKE = "revoke"  # withdraw a permission for good
    END_SESSION = "end_session"
    REFUND = "refund"  # refund what is left, however little
    RETRY = "retry"  # queue a failed refund again, now
    FOLLOW = "follow"  # ask wallet and chain about a refund or payout
    APPROVE = "approve"  # agree to a large refund or payout
    ENABLE = "enable"  # let a webhook endpoint get events again
    REDELIVER = "redeliver"  # send an event to its endpoint once more
    REVOKE_KEY = "revoke_key"  # let an API key open nothing any more
    PAY_TOKENS = "pay_tokens"  # a vendor was paid what he has earned in a token, outside of this service
    CHANGE_ACCOUNT = "change_account"  # make an operator's account, or change it
    SET_TERMS = "set_terms"  # make a vendor, or change his terms: prices, share, where and when he is paid
    EXPLAIN = "explain"  # say what a payment was that nobody knew
    TAKE_BACK = "take_back"  # take back payments that the chain has lost, however many
    PARDON = "pardon"  # let a viewer go on whose debt could not be collected
    RESOLVE_SEND = "resolve_send"  # say what became of a collection
    RESOLVE = "resolve"  # nothing more is to be done about it


# Nobody sends a large refund alone.
APPROVERS = 2
LONGEST_REASON = 500
SHORTEST_REASON = 4
