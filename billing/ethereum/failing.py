"""Collections that fail: the debt is kept and blocks its viewer; client and operator are told."""

from datetime import datetime

import structlog
from django.db.models import F

from billing import covering
from billing.authorizations import change_status
from billing.ethereum import debts, running, statuses
from billing.ethereum.chains import Chain
from billing.ethereum.rules import AuthorizationStatus, CollectionStatus
from billing.models_ethereum import Authorization, Collection
from billing.rules import TransactionStatus
from core import outbox
from core.db import operation, require_transaction
from sessions_app.rules import EndReason

log = structlog.get_logger(__name__)


def without_sending(authorization: Authorization, *, reason: str, now: datetime) -> None:
    """Book a collection that the chain would refuse, or that has come too late; nothing is sent."""
    with operation():
        locked = covering.lock_current(authorization.pk, now=now)
        if not locked.debt_units or locked.collections.filter(status__in=statuses.UNFINISHED).exists():
            return
        failed = Collection.objects.create(
            authorization=locked,
            from_units=locked.collected_units,
            to_units=locked.charged_units,
            status=CollectionStatus.FAILED,
            reason=reason,
            created_at=now,
            finished_at=now,
        )
        book(failed, reason=reason, now=now)


def give_up(chain: Chain, *, now: datetime) -> None:
    """Say of debts too small to be collected that they never will be, once no more can come to them."""
    small = Authorization.objects.filter(
        debts.given_up(chain, now=now), chain_id=chain.chain_id, charged_units__gt=F("collected_units")
    )
    with operation():
        given_up = statuses.give_up(small)
    if given_up:
        log.info("small_debts_given_up", chain=chain.name, transactions=given_up)


def book(collection: Collection, *, reason: str, now: datetime) -> None:
    """Book what follows from a collection that failed; a step."""
    require_transaction()
    statuses.note_transactions(collection, TransactionStatus.FAILED)
    suspend(collection, reason=reason, now=now)
    tell(collection, CollectionStatus.FAILED, reason=reason, now=now)
    log.warning(
        "collection_failed",
        authorization=str(collection.authorization.public_id),
        units=collection.amount_units,
        reason=reason,
        sent=collection.send_id is not None,
    )


def suspend(collection: Collection, *, reason: str, now: datetime) -> None:
    """Suspend the authorisation of a collection: its sessions end `exhausted`, its debt is kept; a step."""
    authorization = covering.lock_current(collection.authorization_id, now=now)
    if authorization.status != AuthorizationStatus.ACTIVE:
        return
    at = running.stop_all(authorization, now=now, reason=EndReason.EXHAUSTED)
    to = AuthorizationStatus.SUSPENDED
    change_status(authorization, to=to, effective_at=at, booked_at=now)
    authorization.suspended_for = reason
    authorization.save(update_fields=["suspended_for"])


def tell(collection: Collection, to: CollectionStatus, *, reason: str, now: datetime) -> None:
    """Tell the client what became of a collection; a step."""
    authorization = collection.authorization
    outbox.emit(
        f"collection.{to}",
        client_id=authorization.client_id,
        subject=authorization.public_id,
        payload={
            "authorization_id": str(authorization.public_id),
            "collection_id": str(collection.public_id),
            "asset": authorization.asset,
            "amount": str(collection.amount_units),
            "reason": reason,
        },
        now=now,
    )
