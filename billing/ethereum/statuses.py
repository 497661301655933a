"""The states of sends, collections and transactions, moved together; all functions are steps."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F, QuerySet

from billing.ethereum.rules import (
    COLLECTION_TRANSITIONS,
    FOLLOWED_CHAIN_SEND,
    UNFINISHED_COLLECTION,
    CollectionStatus,
)
from billing.models import Transaction
from billing.models_ethereum import Authorization, ChainSend, Collection
from billing.rules import TransactionStatus
from core.db import require_transaction

UNFINISHED = [each.value for each in UNFINISHED_COLLECTION]
FOLLOWED = [each.value for each in FOLLOWED_CHAIN_SEND]
_OWED = [
    TransactionStatus.PENDING,
    TransactionStatus.SUBMITTED,
    TransactionStatus.UNKNOWN,
    TransactionStatus.FAILED,
]


def move_collections(send: ChainSend, *, to: CollectionStatus) -> None:
    """Move the unfinished collections of a send, and what they pay, to another unfinished state."""
    require_transaction()
    for collection in Collection.objects.filter(send=send, status__in=UNFINISHED).select_related(
        "authorization"
    ):
        if collection.status == to or to not in COLLECTION_TRANSITIONS[CollectionStatus(collection.status)]:
            continue
        Collection.objects.filter(pk=collection.pk, status=collection.status).update(status=to)
        note_transactions(collection, TransactionStatus(to.value))


def finish(
    collection: Collection,
    *,
    to: CollectionStatus,
    received_units: int | None,
    reason: str,
    now: datetime,
) -> bool:
    """Give an unfinished collection its final state; whether nobody else has."""
    require_transaction()
    changed = Collection.objects.filter(pk=collection.pk, status__in=UNFINISHED)
    return bool(
        changed.update(status=to, received_units=received_units, reason=reason[:500], finished_at=now)
    )


def note_transactions(collection: Collection, status: TransactionStatus) -> None:
    """Write on the ended transactions that a collection pays how far it is."""
    Transaction.objects.filter(
        authorization=collection.authorization_id,
        status__in=_OWED,
        due_units__gt=collection.from_units,
        due_units__lte=collection.to_units,
    ).update(status=status)


def give_up(owing: QuerySet[Authorization]) -> int:
    """Mark as failed what some authorisations' transactions owe for good; return how many were not yet.

    Without a collection that has failed it blocks nobody.
    """
    ended = Transaction.objects.filter(authorization__in=owing, status=TransactionStatus.PENDING)
    return ended.filter(due_units__gt=F("authorization__collected_units")).update(
        status=TransactionStatus.FAILED
    )


def confirm_paid(authorizations: Sequence[Authorization]) -> int:
    """Confirm what of some authorisations' transactions is paid; return how many were."""
    return sum(
        Transaction.objects.filter(
            authorization=each, status__in=_OWED, due_units__lte=each.collected_units
        ).update(status=TransactionStatus.CONFIRMED)
        for each in authorizations
    )
