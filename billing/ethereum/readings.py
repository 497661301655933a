"""What the chain says of a wallet, written where the meter reads it: how far it may be charged."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet, Sum

from billing import covering, linked, metering
from billing.ethereum import chains, debts, outcomes, tokens
from billing.ethereum.chains import Token
from billing.ethereum.rpc import Rpc, connect
from billing.ethereum.rules import (
    UNFINISHED_COLLECTION,
    AuthorizationStatus,
    CollectionStatus,
    ceiling,
    cutoff,
)
from billing.models_ethereum import Authorization, Collection
from core.db import operation, require_transaction

# So old may what the chain said be when a session starts.
_FRESH = timedelta(seconds=30)
# So long a reading stands against one of an older block: nodes behind one address lag by less. What the chain
# itself has taken back is believed after that.
_LAG = timedelta(minutes=2)


@dataclass(frozen=True)
class Seen:
    """A reading, and which collections from the same allowance its block has already, whosever."""

    reading: tokens.Reading
    taken_collections: frozenset[int]


def refresh(authorization_id: int, *, now: datetime) -> Authorization:
    """Ask the chain what a wallet has and allows, and move the meter's end accordingly.

    Raises:
        ChainUnavailable: the node is away; nothing was changed.
        TokenUnfit: the token does not answer as ERC-20 asks.
    """
    found = Authorization.objects.get(pk=authorization_id)
    seen = look(connect(chains.chain(found.chain_id)), found)
    with operation():
        locked = covering.lock_current(authorization_id, now=now)
        note(locked, seen, now=now)
    return locked


def refresh_for_start(*, client_id: int, wallet_address: str, now: datetime) -> None:
    """Ask the chain before an Ethereum wallet's session starts, where the last reading is not fresh.

    Nothing else reads for an authorisation that neither runs nor owes. A Zcash wallet starts without the
    chain: what it may fall over to is bounded by the debt ceiling.

    Raises:
        ChainUnavailable: the node is away.
        TokenUnfit: the token does not answer as ERC-20 asks.
    """
    if not linked.is_ethereum(wallet_address):
        return
    wallet = linked.of_wallet(client_id=client_id, wallet_address=wallet_address)
    stale = wallet.filter(status=AuthorizationStatus.ACTIVE, chain_read_at__lt=now - _FRESH)
    for key in stale.values_list("pk", flat=True):
        refresh(key, now=now)


def look(rpc: Rpc, authorization: Authorization) -> Seen:
    """Ask the chain about an authorisation's wallet; nothing is written."""
    reading = tokens.read(
        rpc,
        token=authorization.token_address,
        wallet=authorization.wallet_address,
        spender=authorization.spender,
    )
    return Seen(reading, _taken(rpc, authorization, block_number=reading.block_number))


def note(authorization: Authorization, seen: Seen, *, now: datetime) -> None:
    """Write a reading on a locked, settled authorisation, where it is not older than the last; a step."""
    require_transaction()
    if _is_overtaken(authorization, seen, now=now):
        return
    token = chains.chain(authorization.chain_id).token(authorization.token_address)
    owed_elsewhere = _owed_elsewhere(authorization, seen, now=now)
    authorization.allowance_units = seen.reading.allowance_units
    authorization.balance_units = seen.reading.balance_units
    authorization.chain_read_at, authorization.chain_read_block = now, seen.reading.block_number
    authorization.ceiling_units = _ceiling(authorization, token, now=now)
    bound = cutoff(
        limit_units=authorization.limit_units,
        taken_units=_taken_units(authorization, seen),
        allowance_units=max(0, seen.reading.allowance_units - owed_elsewhere),
        balance_units=max(0, seen.reading.balance_units - owed_elsewhere),
        ceiling_units=authorization.ceiling_units,
    )
    authorization.cutoff_units, authorization.binding = bound.cutoff_units, bound.binding
    authorization.save(
        update_fields=[
            "allowance_units", "balance_units", "chain_read_at", "chain_read_block",
            "ceiling_units", "cutoff_units", "binding",
        ]
    )  # fmt: skip
    metering.note_cutoff(authorization, now=now)


def _is_overtaken(authorization: Authorization, seen: Seen, *, now: datetime) -> bool:
    """Whether a newer block's reading was written already: slow calls and nodes that lag bring older ones."""
    if authorization.chain_read_at is None or authorization.chain_read_block is None:
        return False
    is_older = seen.reading.block_number < authorization.chain_read_block
    return is_older and now - authorization.chain_read_at < _LAG


def _ceiling(authorization: Authorization, token: Token, *, now: datetime) -> int:
    """Return how much may be owed by an authorisation: by what its wallet has paid in this token so far.

    What its viewer owes by others counts against it, whoever's they are: no number of them makes it more.
    """
    others = _others(authorization)
    owing = _owing(authorization, now=now)
    by_wallet = Q(wallet_address=authorization.wallet_address)
    paid = others.filter(by_wallet).aggregate(paid=Sum("collected_units"))["paid"] or 0
    whole = ceiling(
        first_units=token.first_debt_units,
        most_units=token.most_debt_units,
        paid_units=int(paid) + authorization.collected_units,
    )
    by_viewer = Q(linked_wallet_address=authorization.linked_wallet_address, client=authorization.client_id)
    is_linked = authorization.linked_wallet_address is not None
    return max(0, whole - _debt(owing.filter(by_wallet | by_viewer if is_linked else by_wallet)))


def _others(authorization: Authorization) -> QuerySet[Authorization]:
    same_token = Authorization.objects.filter(
        chain_id=authorization.chain_id, token_address=authorization.token_address
    )
    return same_token.exclude(pk=authorization.pk)


def _owing(authorization: Authorization, *, now: datetime) -> QuerySet[Authorization]:
    """Return the other authorisations that still owe: what is given up for being small counts no more."""
    given_up = debts.given_up(chains.chain(authorization.chain_id), now=now)
    return _others(authorization).filter(~given_up, charged_units__gt=F("collected_units"))


def _debt(owing: QuerySet[Authorization]) -> int:
    return int(owing.aggregate(owed=Sum(F("charged_units") - F("collected_units")))["owed"] or 0)


def _owed_elsewhere(authorization: Authorization, seen: Seen, *, now: datetime) -> int:
    """Return what other authorisations will take from the allowance and balance of a reading."""
    same_spender = _same_spender(authorization)
    theirs = Collection.objects.filter(authorization__in=_others(authorization).filter(same_spender))
    taken = theirs.filter(pk__in=seen.taken_collections, status__in=UNFINISHED_COLLECTION)
    owed = _debt(_owing(authorization, now=now).filter(same_spender))
    return owed - _units(taken) + _units(_confirmed_after(theirs, seen))


def _same_spender(authorization: Authorization) -> Q:
    return Q(wallet_address=authorization.wallet_address, spender=authorization.spender)


def _confirmed_after(collections: QuerySet[Collection], seen: Seen) -> QuerySet[Collection]:
    """Return what another process has seen confirmed, in a later block, while a reading was on its way."""
    return collections.filter(
        status=CollectionStatus.CONFIRMED, send__block_number__gt=seen.reading.block_number
    )


def _units(collections: QuerySet[Collection]) -> int:
    return int(collections.aggregate(units=Sum(F("to_units") - F("from_units")))["units"] or 0)


def _taken(rpc: Rpc, authorization: Authorization, *, block_number: int) -> frozenset[int]:
    same_allowance = Q(pk=authorization.pk) | Q(
        pk__in=_others(authorization).filter(_same_spender(authorization))
    )
    unfinished = Collection.objects.filter(
        authorization__in=Authorization.objects.filter(same_allowance), status__in=UNFINISHED_COLLECTION
    ).select_related("send", "authorization")
    taken = set()
    for collection in unfinished:
        for tx_hash in collection.sent.hashes:
            receipt = rpc.receipt(tx_hash)
            if not receipt or receipt.block_number > block_number:
                continue
            # A node may still know the receipt of a block that a reorg has taken away.
            in_chain = rpc.block_hash(receipt.block_number) == receipt.block_hash
            if in_chain and outcomes.of(collection, receipt).paid:
                taken.add(collection.pk)
    return frozenset(taken)


def _taken_units(authorization: Authorization, seen: Seen) -> int:
    """Return how much of the running total the reading's block has moved.

    What was confirmed is in that block as well, but for what another process has seen confirmed while this
    reading was on its way. What was sent since is not.
    """
    ends = Collection.objects.filter(
        authorization=authorization, pk__in=seen.taken_collections, status__in=UNFINISHED_COLLECTION
    ).values_list("to_units", flat=True)
    own = Collection.objects.filter(authorization=authorization)
    later = _confirmed_after(own, seen).values_list("from_units", flat=True)
    return max([min([authorization.collected_units, *later]), *ends])
