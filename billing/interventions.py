"""What else operators do by hand: look at the chain, end, refund, retry, resolve. Each is one operation."""

from collections.abc import Callable
from datetime import datetime

from billing import engine, funding, operators, refunds, rounds
from billing.models import Refund
from billing.operator_rules import Verb
from billing.operators import Word
from core.db import operation
from sessions_app.models import StreamingSession
from zcash import queries, watch
from zcash.models import Deposit, SpendingPermission
from zcash.node.port import WalletPort


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
    """Ask wallet and chain what became of the sends that are not final; return the refund's state then."""
    with operation():
        operators.note(word, Verb.FOLLOW, permission=refund.permission, refund=refund, now=now)
    rounds.refund_round()
    refund.refresh_from_db()
    return refund.status


def retry(refund: Refund, *, word: Word, now: datetime) -> bool:
    """Queue a failed refund again, to be sent by the next round; False: it has not failed."""
    return refunds.retry(refund.pk, now=now, word=word)


def resolve(
    permission_id: int,
    *,
    word: Word,
    now: datetime,
    deposit: Deposit | None = None,
    session: StreamingSession | None = None,
    refund: Refund | None = None,
) -> None:
    """Write down that nothing more is to be done about a case: it leaves its queue until it changes again."""
    with operation():
        permission = queries.lock(permission_id)
        operators.note(
            word,
            Verb.RESOLVE,
            permission=permission,
            deposit=deposit,
            session=session,
            refund=refund,
            now=now,
        )
