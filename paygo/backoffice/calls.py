"""What each action of the back office calls, and what it says of it afterwards: shells around the domain."""

from collections.abc import Callable, Mapping
from typing import Any

from billing import approvals, extensions, holds, interventions, payouts, refunds, resolutions
from billing.models import Refund
from billing.operator_rules import APPROVERS
from billing.operators import Word
from billing.payout_models import Payout
from core import clock
from core.amounts import zec_text
from core.models import WebhookDelivery, WebhookEndpoint
from paygo.api import keys
from paygo.api.models import ApiKey
from sessions_app.models import StreamingSession
from zcash.models import Deposit, SpendingPermission
from zcash.node import connect


def verify(row: SpendingPermission, word: Word, _: Mapping[str, Any]) -> str:
    credited = interventions.verify(row, word=word, wallet=connect(), read_clock=clock.now)
    return f"The chain was asked. {zec_text(credited)} ZEC were credited."


def verify_deposit(row: Deposit, word: Word, _: Mapping[str, Any]) -> str:
    credited = interventions.verify(
        row.permission, word=word, wallet=connect(), read_clock=clock.now, deposit=row
    )
    return f"The chain was asked. {zec_text(credited)} ZEC were credited."


def hold(row: SpendingPermission, word: Word, _: Mapping[str, Any]) -> str:
    holds.hold(row.pk, word=word, now=clock.now())
    return "The permission is on hold, and its sessions have ended."


def lift(row: SpendingPermission, word: Word, _: Mapping[str, Any]) -> str:
    permission = holds.lift(row.pk, word=word, now=clock.now())
    return f"The hold is lifted: the permission is {permission.status}."


def extend(row: SpendingPermission, word: Word, data: Mapping[str, Any]) -> str:
    permission = extensions.extend(
        row.pk, days=data["days"], last_day=data["expires_at"], word=word, now=clock.now()
    )
    return f"The permission now lasts until {permission.expires_at:%Y-%m-%d %H:%M} UTC."


def revoke(row: SpendingPermission, word: Word, _: Mapping[str, Any]) -> str:
    interventions.revoke(row, word=word, now=clock.now())
    return "The permission is revoked; what is left of it will be refunded."


def refund(row: SpendingPermission, word: Word, _: Mapping[str, Any]) -> str:
    refund = refunds.give_back(row.pk, word=word, now=clock.now())
    return f"A refund of {zec_text(refund.paid_zat)} ZEC is queued."


def end_session(row: StreamingSession, word: Word, _: Mapping[str, Any]) -> str:
    interventions.end_session(row, word=word, now=clock.now())
    return f"Session {row.code} has ended."


def follow_payout(row: Payout, word: Word, _: Mapping[str, Any]) -> str:
    state = interventions.follow_payout(row, word=word, now=clock.now())
    return f"Wallet and chain were asked: the payout is {state}."


def retry_payout(row: Payout, word: Word, _: Mapping[str, Any]) -> str:
    if not payouts.retry(row.pk, now=clock.now(), word=word):
        return "Nothing was queued: the payout has not failed."
    return "The payout is queued again; the next round sends it."


def retry(row: Refund, word: Word, _: Mapping[str, Any]) -> str:
    if not interventions.retry(row, word=word, now=clock.now()):
        return "Nothing was queued: the refund has not failed, or another one of its permission is under way."
    return "The refund is queued again; it goes out once nothing of its last try can be mined any more."


def follow(row: Refund, word: Word, _: Mapping[str, Any]) -> str:
    return (
        f"Wallet and chain were asked: the refund is {interventions.follow(row, word=word, now=clock.now())}."
    )


def approve(row: Refund | Payout, word: Word, data: Mapping[str, Any]) -> str:
    given = approvals.approve(row, address=data["address"], word=word, now=clock.now())
    if given < APPROVERS:
        return f"Approved: {given} of {APPROVERS}. Another operator has to approve it too."
    return "Approved: the next round sends it."


def enable_endpoint(row: WebhookEndpoint, word: Word, _: Mapping[str, Any]) -> str:
    interventions.enable_endpoint(row, word=word, now=clock.now())
    return "It gets events from now on; what it missed can be delivered again."


def redeliver(row: WebhookDelivery, word: Word, _: Mapping[str, Any]) -> str:
    interventions.redeliver(row, word=word, now=clock.now())
    return "The event is sent once more."


def revoke_key(row: ApiKey, word: Word, _: Mapping[str, Any]) -> str:
    keys.revoke_by_operator(row, word=word, now=clock.now())
    return f"{row.prefix} is revoked; calls with it answer 401 from now on."


def _resolved(resolve: Callable[..., None]) -> Callable[[Any, Word, Mapping[str, Any]], str]:
    """Return the call that marks a row, given by its key, as resolved."""

    def call(row: Any, word: Word, _: Mapping[str, Any]) -> str:
        resolve(row.pk, word=word, now=clock.now())
        return "Marked as resolved."

    return call


def resolve_payment(row: Refund | Payout, word: Word, _: Mapping[str, Any]) -> str:
    resolutions.resolve_payment(row, word=word, now=clock.now())
    return "Marked as resolved."


resolve_deposit = _resolved(resolutions.resolve_deposit)
resolve_unmatched = _resolved(resolutions.resolve_unmatched)
resolve_permission = _resolved(resolutions.resolve_permission)
resolve_session = _resolved(resolutions.resolve_session)
resolve_endpoint = _resolved(resolutions.resolve_endpoint)
