"""What else operators do by hand: look at the chain, end, retry, send again. Each is one operation."""

from collections.abc import Callable
from datetime import datetime

from billing import engine, funding, operators, refunds, rounds
from billing.models import Refund
from billing.operator_rules import Verb
from billing.operators import Word
from billing.payout_models import Payout
from billing.rules import RefundStatus
from core.db import operation
from core.errors import Conflict
from core.models import WebhookDelivery, WebhookEndpoint
from core.webhooks import endpoints
from sessions_app.models import StreamingSession
from zcash import watch
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import WalletPort

# The wallet has been asked to pay it, and it is not final.
UNDER_WAY = (RefundStatus.SENDING, RefundStatus.SENT, RefundStatus.UNKNOWN)


def verify(
    permission: SpendingPermission,
    *,
    word: Word,
    wallet: WalletPort,
    read_clock: Callable[[], datetime],
    deposit: Deposit | None = None,
) -> int:
    """Look at a permission's address now, in whatever state it is; return the zatoshis credited.

    Raises:
        NodeUnavailable: the node is away; nothing was credited.
    """
    with operation():
        operators.note(word, Verb.VERIFY, permission=permission, deposit=deposit, now=read_clock())
    watch.look(permission, wallet=wallet, now=read_clock())
    return funding.credit(permission.pk, now=read_clock())


def end_session(session: StreamingSession, *, word: Word, now: datetime) -> None:
    """End a session, paused or not, now; one that has ended meanwhile stays as it is."""
    engine.end(session.code, client_id=session.client_id, now=now, word=word)


def revoke(permission: SpendingPermission, *, word: Word, now: datetime) -> None:
    """Withdraw a permission for good; what is left of it is refunded.

    Raises:
        PermissionGone: it has ended already.
    """
    funding.revoke(
        client_id=permission.client_id, public_id=permission.public_id, now=now, actor=word.actor, word=word
    )


def follow(refund: Refund, *, word: Word, now: datetime) -> str:
    """Ask wallet and chain what became of the sends that are not final; return the refund's state then.

    Raises:
        Conflict: nothing of it is under way.
    """
    with operation():
        locked = Refund.objects.select_for_update(no_key=True).select_related("permission").get(pk=refund.pk)
        _require_under_way(locked)
        operators.note(word, Verb.FOLLOW, permission=locked.permission, refund=locked, now=now)
    return _state_after_a_round(locked)


def follow_payout(payout: Payout, *, word: Word, now: datetime) -> str:
    """Ask wallet and chain what became of the sends that are not final; return the payout's state then.

    Raises:
        Conflict: nothing of it is under way.
    """
    with operation():
        locked = Payout.objects.select_for_update(no_key=True).get(pk=payout.pk)
        _require_under_way(locked)
        operators.note(word, Verb.FOLLOW, payout=locked, now=now)
    return _state_after_a_round(locked)


def enable_endpoint(endpoint: WebhookEndpoint, *, word: Word, now: datetime) -> None:
    """Let a webhook endpoint that failed, or was switched off, get events again from now on.

    Raises:
        EndpointNotFound: it was deleted.
        Conflict: it gets events and takes them.
    """
    with operation():
        locked = endpoints.lock(endpoint.public_id)
        if locked.is_enabled and locked.failing_since is None:
            raise Conflict("the endpoint gets events, and takes them")
        endpoints.switch_on(locked)
        operators.note(word, Verb.ENABLE, endpoint=locked, now=now, details={"url": locked.url})


def redeliver(delivery: WebhookDelivery, *, word: Word, now: datetime) -> None:
    """Send the event of a delivery to its endpoint once more.

    Raises:
        DeliveryNotFound: its endpoint was deleted.
        EndpointDisabled: enable it first.
    """
    with operation():
        again = endpoints.send_again(delivery.public_id, now=now)
        details = {"delivery_id": str(delivery.public_id), "by": str(again.public_id)}
        operators.note(word, Verb.REDELIVER, endpoint=again.endpoint, now=now, details=details)


def retry(refund: Refund, *, word: Word, now: datetime) -> bool:
    """Queue a failed refund again, to be sent by the next round; False: it has not failed."""
    return refunds.retry(refund.pk, now=now, word=word)


def _require_under_way(row: Refund | Payout) -> None:
    if row.status not in UNDER_WAY:
        raise Conflict(f"it is {row.status}: nothing of it is under way")


def _state_after_a_round(row: Refund | Payout) -> str:
    rounds.refund_round()
    row.refresh_from_db()
    return row.status
