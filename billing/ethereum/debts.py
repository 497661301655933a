"""What is owed and due to be collected, and how it is put into transactions."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, Subquery

from billing.ethereum import abi, statuses, typed_data
from billing.ethereum.chains import Chain
from billing.ethereum.errors import ChainUnknown
from billing.ethereum.journal import Draft, Piece
from billing.ethereum.rules import AuthorizationStatus, CollectionStatus
from billing.models_ethereum import Authorization, Collection

# With so much gas for each wallet a transaction of so many stays below what a chain allows one (EIP-7825).
MOST_PIECES = 50
# What is used is what is paid. The contract gives a wallet and its token 300,000 at most, and asks before
# each whether so much is left: the base is for the last one.
_PIECE_GAS, _BASE_GAS, _PLAIN_GAS = 325_000, 500_000, 300_000
_BEFORE_THE_END = timedelta(hours=1)
_RETRY = timedelta(minutes=10)
# Why a collection failed whose transaction was undone as a whole: who is to blame shows when each is alone.
TRY_ALONE = "batch_reverted"
_FINISHED = [CollectionStatus.CONFIRMED, CollectionStatus.FAILED]


def due(chain: Chain, *, now: datetime) -> list[Authorization]:
    """Return the authorisations of a chain whose debts are to be collected now, oldest first.

    A debt is due at the token's threshold, when nothing runs any more, and before authorisation, allowance
    or balance end; what has failed is tried again every few minutes. Nothing is taken after the instant until
    which the viewer has allowed it: the contract would refuse that, and without one PayGo does.
    """
    unfinished = Collection.objects.filter(authorization=OuterRef("pk"), status__in=statuses.UNFINISHED)
    owing = Authorization.objects.filter(
        ~Exists(unfinished), chain_id=chain.chain_id, charged_units__gt=F("collected_units")
    )
    return [each for each in owing.order_by("id") if _is_due(each, chain, now=now)]


def _is_due(authorization: Authorization, chain: Chain, *, now: datetime) -> bool:
    if authorization.collectable_until <= now:
        return False
    if authorization.status == AuthorizationStatus.SUSPENDED or not authorization.open_transactions:
        return not _failed_lately(authorization, now=now)
    try:
        token = chain.token(authorization.token_address)
    except ChainUnknown:
        # The round's reading has said so, and what to do.
        return False
    return (
        authorization.debt_units >= token.collect_units
        or authorization.expires_at - now <= _BEFORE_THE_END
        or authorization.remaining_units <= token.collect_units
    )


def _failed_lately(authorization: Authorization, *, now: datetime) -> bool:
    return authorization.collections.filter(
        ~Q(reason=TRY_ALONE), status=CollectionStatus.FAILED, finished_at__gt=now - _RETRY
    ).exists()


def piece(authorization: Authorization) -> Piece:
    """Return all that an authorisation owes."""
    return Piece(authorization.pk, authorization.collected_units, authorization.charged_units)


def plain(authorization: Authorization) -> Draft:
    """Return the transferFrom of what an authorisation owes."""
    data = abi.call(
        abi.TRANSFER_FROM, authorization.wallet_address, authorization.treasury, authorization.debt_units
    )
    return Draft(authorization.token_address, data, _PLAIN_GAS, (piece(authorization),))


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
        # What has paid before was checked then: the contract remembers.
        if not each.collected_units:
            signatures.append(bytes(each.signature or b""))
        charges.append(_charge(each, signature=0 if each.collected_units else len(signatures)))
    data = abi.call(abi.COLLECT, first.token_address, charges, signatures)
    gas = gas_of(len(authorizations))
    return Draft(str(first.collector), data, gas, tuple(piece(each) for each in authorizations))


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


def permit(authorization: Authorization) -> Draft:
    """Return the call that hands a signed permit (EIP-2612) to its token."""
    from billing.ethereum.signatures import parts

    message = (authorization.permit or {})["message"]
    v, r, s = parts(bytes(authorization.permit_signature or b""))
    data = abi.call(
        abi.PERMIT,
        message["owner"],
        message["spender"],
        int(message["value"]),
        int(message["deadline"]),
        v,
        r,
        s,
    )
    return Draft(authorization.token_address, data, _PLAIN_GAS, permit_of=authorization.pk)
