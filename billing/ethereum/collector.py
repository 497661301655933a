"""The collector's round: follow what was sent, read the chain, send permits, collect what is due."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from django.db.models import Exists, F, OuterRef, Q

from billing import covering
from billing.ethereum import (
    chains,
    debts,
    fees,
    following,
    journal,
    lost,
    nonces,
    readings,
    running,
    statuses,
    tokens,
)
from billing.ethereum.chains import Chain
from billing.ethereum.errors import ChainUnknown, ConfigurationUnfit, TokenUnfit
from billing.ethereum.following import suspend
from billing.ethereum.journal import Draft, Overtaken
from billing.ethereum.keys import Key
from billing.ethereum.rpc import CallReverted, Rpc, connect
from billing.ethereum.rules import LIVING_AUTHORIZATION, AuthorizationStatus, CollectionStatus
from billing.models_ethereum import Authorization, Collection
from billing.rules import TransactionStatus
from core import db
from core.db import operation
from core.errors import DomainError

# What rests is read now and then, so that it starts on what its wallet has and allows today.
_OLD, _MOST_OLD = timedelta(minutes=5), 100

log = structlog.get_logger(__name__)


def run(*, key: Key, read_clock: Callable[[], datetime]) -> dict[str, str]:
    """Go once round every chain; return what is wrong with those that could not be finished, by name.

    One process at a time does a chain; a chain that is away holds up no other.
    """
    wrong = _without_chain()
    for name, reason in wrong.items():
        log.warning("collector_postponed", chain=name, reason=reason)
    for chain in chains.all_chains():
        try:
            with db.alone(f"ethereum collector {chain.chain_id}") as first:
                if first:
                    run_chain(chain, key=key, read_clock=read_clock)
        except DomainError as error:
            log.warning("collector_postponed", chain=chain.name, reason=error.detail)
            wrong[chain.name] = error.detail
    running.stop_debtors(now=read_clock())
    return wrong


def _without_chain() -> dict[str, str]:
    """Return what is wrong with the chains that debts are on and that are not configured any more."""
    configured = [each.chain_id for each in chains.all_chains()]
    owing = Authorization.objects.filter(charged_units__gt=F("collected_units"))
    gone = owing.exclude(chain_id__in=configured).values_list("chain_id", flat=True).distinct()
    return {
        f"chain {each}": "it is not in ETHEREUM_CHAINS_FILE any more, and debts are on it: put it back until "
        "they are collected"
        for each in gone.order_by("chain_id")
    }


def run_chain(chain: Chain, *, key: Key, read_clock: Callable[[], datetime]) -> None:
    """Go once round one chain.

    Raises:
        ChainUnavailable: the node went away; what is in the journal goes on from there.
        ConfigurationUnfit: key, contract or chain are not what the configuration says: nothing was sent.
    """
    rpc = connect(chain)
    _require_fit(rpc, chain, key)
    nonces.require_caught_up(chain, key, chain_nonce=rpc.nonce(key.address))
    following.follow(rpc, chain, key, now=read_clock())
    read_all(rpc, chain, now=read_clock())
    lost.require_none(chain, key)
    owing = debts.due(chain, now=read_clock())
    unfit = _unfit_spenders(rpc, chain, key, owing)
    collectable = [each for each in owing if _spender(each) not in unfit]
    for draft in _drafts(rpc, chain, collectable, now=read_clock()):
        if not _send(rpc, chain, key, draft, now=read_clock()):
            return
    if wrong := [*unfit.values(), *lost.of_old_keys(chain, key)]:
        raise ConfigurationUnfit("; ".join(wrong))


def read_all(rpc: Rpc, chain: Chain, *, now: datetime) -> None:
    """Read the chain for everything that runs, owes, waits for its permit, or has been collected since."""
    collected = Collection.objects.filter(
        authorization=OuterRef("pk"), finished_at__gte=OuterRef("chain_read_at")
    )
    asked = (
        Q(open_transactions__gt=0)
        | Q(charged_units__gt=F("collected_units"))
        | Q(permit_send__status__in=statuses.FOLLOWED)
        | Q(permit_send__finished_at__gte=F("chain_read_at"))
        | Exists(collected)
    )
    living = Authorization.objects.filter(asked, chain_id=chain.chain_id, verified_at__isnull=False)
    active = Authorization.objects.filter(chain_id=chain.chain_id, status=AuthorizationStatus.ACTIVE)
    old = active.filter(chain_read_at__lt=now - _OLD).order_by("chain_read_at")[:_MOST_OLD]
    for found in {each.pk: each for each in [*living.order_by("id"), *old]}.values():
        try:
            chain.token(found.token_address)
            seen = readings.look(rpc, found)
        except (ChainUnknown, TokenUnfit) as error:
            advice = "put it back into ETHEREUM_CHAINS_FILE until its debts are collected"
            log.warning("token_unfit", token=found.token_address, reason=error.detail, advice=advice)
            continue
        with operation():
            readings.note(covering.lock_current(found.pk, now=now), seen, now=now)


def _require_fit(rpc: Rpc, chain: Chain, key: Key) -> None:
    if key.address != chain.service:
        raise ConfigurationUnfit(f"the key is of {key.address}; {chain.name} says {chain.service}")
    if (answered := rpc.chain_id()) != chain.chain_id:
        raise ConfigurationUnfit(f"the node of {chain.name} is of chain {answered}, not {chain.chain_id}")


def _drafts(rpc: Rpc, chain: Chain, owing: Sequence[Authorization], *, now: datetime) -> list[Draft]:
    # What a viewer has revoked gets no allowance any more; whoever owes may still give it.
    permits = Authorization.objects.filter(
        chain_id=chain.chain_id,
        status__in=LIVING_AUTHORIZATION,
        permit_signature__isnull=False,
        permit_send=None,
        expires_at__gt=now,
    ).order_by("id")
    found = [debts.permit(each) for each in permits]
    payable = [each for each in owing if _can_pay(rpc, each, now=now)]
    found += debts.batches([each for each in payable if each.collector])
    return [*found, *(debts.plain(each) for each in payable if not each.collector)]


def _unfit_spenders(
    rpc: Rpc, chain: Chain, key: Key, owing: Sequence[Authorization]
) -> dict[tuple[str, str], str]:
    """Return what is wrong with spenders that do not obey this key; their wallets are not to blame, and wait.

    The configured contract is looked at in any case.
    """
    unfit = dict[tuple[str, str], str]()
    one_of_each = {_spender(each): each for each in owing}
    for spender, authorization in one_of_each.items():
        if authorization.collector is None and authorization.spender != key.address:
            unfit[spender] = (
                f"{chain.name}: viewers who owe have allowed {authorization.spender}, another key"
            )
    contracts = {spender for spender, each in one_of_each.items() if each.collector is not None}
    if chain.collector:
        contracts.add((chain.collector, chain.treasury))
    for collector, treasury in sorted(contracts):
        try:
            tokens.require_collector(rpc, chain, collector, treasury=treasury)
        except ConfigurationUnfit as error:
            unfit[collector, treasury] = error.detail
    return unfit


def _spender(authorization: Authorization) -> tuple[str, str]:
    """Return who takes what an authorisation owes, and for whom."""
    return authorization.spender, authorization.treasury


def _can_pay(rpc: Rpc, authorization: Authorization, *, now: datetime) -> bool:
    """Whether a collection would succeed now; where it would not, it has failed without a transaction.

    The reading of this round tells of allowance and balance; a token asked by the service's own key may
    refuse for reasons of its own.
    """
    debt = authorization.debt_units
    if (authorization.allowance_units or 0) < debt:
        reason = "allowance"
    elif (authorization.balance_units or 0) < debt:
        reason = "balance"
    else:
        reason = "" if authorization.collector else _refusal(rpc, authorization)
    if reason:
        _fail(authorization, reason=reason, now=now)
    return not reason


def _refusal(rpc: Rpc, authorization: Authorization) -> str:
    draft = debts.plain(authorization)
    try:
        answer = rpc.call(draft.to, draft.data, sender=authorization.spender)
    except CallReverted as error:
        return f"token_refused: {error}"[:200]
    # A token may return nothing; one that returns false has moved nothing.
    return "" if not answer or int.from_bytes(answer[:32]) == 1 else "token_refused"


def _fail(authorization: Authorization, *, reason: str, now: datetime) -> None:
    """Book a collection that the chain would refuse."""
    with operation():
        locked = covering.lock_current(authorization.pk, now=now)
        part = debts.piece(locked)
        if part.to_units == part.from_units or locked.collections.filter(status__in=statuses.UNFINISHED):
            return
        failed = Collection.objects.create(
            authorization=locked,
            from_units=part.from_units,
            to_units=part.to_units,
            status=CollectionStatus.FAILED,
            reason=reason,
            created_at=now,
            finished_at=now,
        )
        statuses.note_transactions(failed, TransactionStatus.FAILED)
        suspend(failed, reason=reason, now=now)


def _send(rpc: Rpc, chain: Chain, key: Key, draft: Draft, *, now: datetime) -> bool:
    """Write and hand over one transaction; False where gas is dearer than the operator allows."""
    offered = fees.current(rpc, chain)
    if offered is None:
        log.warning("gas_too_dear", chain=chain.name, advice="collections wait; max_fee_gwei is the cap")
        return False
    try:
        send = journal.write(chain, key, draft, fees=offered, chain_nonce=rpc.nonce(key.address), now=now)
    except Overtaken:
        return True
    journal.hand_over(rpc, send, now=now)
    return True
