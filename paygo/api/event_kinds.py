"""The kinds of events that a client can be told of, each with what it says."""

from collections.abc import Mapping

KINDS: Mapping[str, str] = {
    "permission.created": "A spending permission waits for its payment.",
    "permission.activated": "A permission pays for sessions from now on.",
    "permission.queued": "A permission is paid and waits behind the wallet's active one.",
    "permission.exhausted": "A permission has nothing left.",
    "permission.expired": "A permission is past its last day.",
    "permission.revoked": "A permission was withdrawn.",
    "permission.suspended": "A permission is on hold.",
    "permission.lapsed": "A permission was not paid within its window.",
    "permission.extended": "A permission lasts longer than before.",
    "permission.refund_address_changed": "Unused money goes to another address.",
    "deposit.seen": "A payment was seen; it does not count yet.",
    "deposit.gone": "A payment that was seen can never be mined.",
    "deposit.confirmed": "A payment has its confirmations and counts.",
    "deposit.reversed": "A credited payment has left the chain.",
    "session.started": "A session streams.",
    "session.paused": "A session is paused and costs nothing.",
    "session.resumed": "A paused session streams again.",
    "session.grant_changed": "A session may stream for less time than was said before.",
    "session.ended": "A session has ended; `end_reason` says why.",
    "refund.queued": "Unused money is on its way back.",
    "refund.sending": "The wallet was asked to pay a refund.",
    "refund.sent": "A refund was sent.",
    "refund.confirmed": "A refund is final.",
    "refund.failed": "A refund was not sent; it is tried again.",
    "refund.cancelled": "A refund was taken back: the money is the permission's again.",
    "refund.unknown": "Whether a refund was sent is not known yet; it is never sent twice.",
    "webhook.disabled": "Nothing is sent to a webhook endpoint any more; `reason` says why.",
}
