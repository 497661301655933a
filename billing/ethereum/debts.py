"""What is owed and due to be collected, and how it is put into transactions."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from billing.ethereum import abi, statuses, typed_data
from billing.ethereum.chains import Chain
from billing.ethereum.errors import ChainUnknown
from billing.ethereum.journal import Draft, Piece
from billing.ethereum.rules import TOO_LATE, UNDONE_BY_REORG, CollectionStatus
from billing.models_ethereum import Authorization, Collection

# What is used is what is paid. The contract gives a wallet and its token 300,000 at most, and asks before
# each whether so much is left: the base is for the last one.
_PIECE_GAS, _BASE_GAS, PLAIN_GAS = 325_000, 500_000, 300_000
# What a chain allows one transaction (EIP-7825), and what a call of the contract takes at most.
_MOST_GAS, _MOST_CHARGES = 2**24, 50
MOST_PIECES = min(_MOST_CHARGES, (_MOST_GAS - _BASE_GAS) // _PIECE_GAS)
_BEFORE_THE_END = timedelta(hours=1)
# A debt that fails is tried again after ten minutes, then after twice as long each time, up to 21 hours.
_RETRY, _MOST_DOUBLINGS = timedelta(minutes=10), 7
# Why a collection failed whose transaction was undone as a whole: who is to blame shows when each is alone.
TRY_ALONE = "batch_reverted"
# Why one failed before anything was sent; what is missing shows in the next reading.
MISSING = ("allowance", "balance")
_FINISHED = [CollectionStatus.CONFIRMED, CollectionStatus.FAILED]


def due(chain: Chain, *, now: datetime) -> list[Authorization]:
    """Return the authorisations of a chain whose debts are to be collected now, oldest first.

    A debt that is worth its gas is due at the token's threshold, when nothing runs any more, and before
    authorisation, allowance or balance end: once no more than it is left. What has failed is tried again: as
    soon as the wallet has and allows what was missing, else ever more rarely, so that no wallet burns the
    service's gas for ever.
    """
    owing = list(_owing(chain).filter(collectable_until__gt=now).filter(worth_its_gas(chain) | has_failed()))
    failures = _failures(owing)
    return [each for each in owing if _is_due(each, failures.get(each.pk, []), chain, now=now)]


def overdue(chain: Chain, *, now: datetime) -> list[Authorization]:
    """Return whose debts can be collected no more, and are not booked as failed for that yet.

    The contract would refuse them, and without one PayGo does: the viewer has allowed it until then only.
    """
    told = Collection.objects.filter(authorization=OuterRef("pk"), reason=TOO_LATE)
    late = _owing(chain).filter(~Exists(told), collectable_until__lte=now)
    return list(late.filter(worth_its_gas(chain) | has_failed()))


def _owing(chain: Chain) -> QuerySet[Authorization]:
    unfinished = Collection.objects.filter(authorization=OuterRef("pk"), status__in=statuses.UNFINISHED)
    return Authorization.objects.filter(
        ~Exists(unfinished), chain_id=chain.chain_id, charged_units__gt=F("collected_units")
    ).order_by("id")


def worth_its_gas(chain: Chain) -> Q:
    """Return, for a query of authorisations, whether so much is owed as the operator has collected at all.

    Of a token that is configured no more nobody knows; the round says what to do.
    """
    worth = ~Q(token_address__in=[each.address for each in chain.tokens])
    for token in chain.tokens:
        least = F("collected_units") + token.collect_least_units
        worth |= Q(token_address=token.address, charged_units__gte=least)
    return worth


def given_up(chain: Chain, *, now: datetime) -> Q:
    """Return, for a query of authorisations, whether what they owe is not worth its gas and never will be."""
    return ~worth_its_gas(chain) & ~has_failed() & Q(collectable_until__lte=now)


def has_failed() -> Exists:
    """Return, for a query of authorisations, whether a collection of what is still owed has failed."""
    return Exists(_failed().filter(authorization=OuterRef("pk")))


def _failed() -> QuerySet[Collection]:
    return Collection.objects.filter(
        status=CollectionStatus.FAILED, from_units=F("authorization__collected_units")
    )


def _failures(authorizations: Sequence[Authorization]) -> dict[int, list[Collection]]:
    """Return the failed collections of what is still owed, of each authorisation, in their order."""
    found: dict[int, list[Collection]] = {}
    for failed in _failed().filter(authorization__in=[each.pk for each in authorizations]).order_by("id"):
        found.setdefault(failed.authorization_id, []).append(failed)
    return found


def _is_due(
    authorization: Authorization, failures: Sequence[Collection], chain: Chain, *, now: datetime
) -> bool:
    try:
        token = chain.token(authorization.token_address)
    except ChainUnknown:
        # The round's reading has said so, and what to do.
        return False
    if _waits(authorization, failures, now=now):
        return False
    return (
        not authorization.open_transactions
        or authorization.debt_units >= token.collect_units
        or authorization.expires_at - now <= _BEFORE_THE_END
        # Near an end what is left is halved each time: a few collections, however small they may be.
        or authorization.remaining_units <= authorization.debt_units
    )


def _waits(authorization: Authorization, failures: Sequence[Collection], *, now: datetime) -> bool:
    """Whether a debt has failed so lately, or so often, that it is not tried now."""
    counted = [each for each in failures if each.reason != TRY_ALONE]
    if not counted:
        return False
    last = counted[-1]
    if last.reason in MISSING:
        return missing(authorization) is not None
    tries = sum(each.reason not in MISSING for each in counted)
    wait = _RETRY * 2 ** min(tries - 1, _MOST_DOUBLINGS)
    return last.finished_at is None or last.finished_at > now - wait


def missing(authorization: Authorization) -> str | None:
    """Return what the wallet lacks for its debt by the last reading of the chain."""
    read = (authorization.allowance_units, authorization.balance_units)
    for name, units in zip(MISSING, read, strict=True):
        if (units or 0) < authorization.debt_units:
            return name
    return None


def piece(authorization: Authorization) -> Piece:
    """Return all that an authorisation owes."""
    return Piece(authorization.pk, authorization.collected_units, authorization.charged_units)


def plain(authorization: Authorization) -> Draft:
    """Return the transferFrom of what an authorisation owes."""
    data = abi.call(
        abi.TRANSFER_FROM, authorization.wallet_address, authorization.treasury, authorization.debt_units
    )
    return Draft(authorization.token_address, data, PLAIN_GAS, (piece(authorization),))


def batches(authorizations: Sequence[Authorization]) -> Iterator[Draft]:
    """Return the calls of the collector that collect what is owed: one token each, and no wallet twice."""
    alone = to_try_alone(authorizations)
    yield from (_batch([each]) for each in authorizations if each.pk in alone)
    waiting = [each for each in authorizations if each.pk not in alone]
    while waiting:
        first, batch, later = waiting[0], list[Authorization](), list[Authorization]()
        for each in waiting:
            same = (each.collector, each.token_address) == (first.collector, first.token_address)
            wallets = {other.wallet_address for other in batch}
            fits = same and len(batch) < MOST_PIECES and each.wallet_address not in wallets
            (batch if fits else later).append(each)
        yield _batch(batch)
        waiting = later


def to_try_alone(authorizations: Sequence[Authorization]) -> set[int]:
    """Return which authorisations' last collection was undone with all of its transaction."""
    last = Collection.objects.filter(authorization=OuterRef("pk"), status__in=_FINISHED).order_by("-id")
    found = Authorization.objects.filter(pk__in=[each.pk for each in authorizations])
    undone = found.annotate(last_reason=Subquery(last.values("reason")[:1])).filter(last_reason=TRY_ALONE)
    return set(undone.values_list("pk", flat=True))


def _batch(authorizations: Sequence[Authorization]) -> Draft:
    first = authorizations[0]
    charges, signatures = [], list[bytes]()
    for each in authorizations:
        is_shown = shows_signature(each)
        if is_shown:
            signatures.append(bytes(each.signature or b""))
        charges.append(_charge(each, signature=len(signatures) if is_shown else 0))
    data = abi.call(abi.COLLECT, first.token_address, charges, signatures)
    gas = gas_of(len(authorizations))
    return Draft(str(first.collector), data, gas, tuple(piece(each) for each in authorizations))


def shows_signature(authorization: Authorization) -> bool:
    """Whether the contract needs a signature: of what has paid before it remembers one, but for a reorg."""
    if not authorization.collected_units:
        return True
    return authorization.collections.filter(reason=UNDONE_BY_REORG).exists()


def gas_of(wallets: int) -> int:
    """Return the gas that a call of the collector is given: enough where each wallet burns all it gets."""
    return _BASE_GAS + _PIECE_GAS * wallets


def _charge(authorization: Authorization, *, signature: int) -> tuple[object, ...]:
    return (
        authorization.wallet_address,
        authorization.limit_units,
        int(authorization.typed_data["message"]["collectableUntil"]),
        typed_data.terms_hash(authorization.typed_data),
        authorization.charged_units,
        signature,
    )
