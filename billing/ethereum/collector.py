"""The collector's round: follow what was sent, read the chain, collect what is due, hand in permits."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import datetime, timedelta

import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import Exists, F, OuterRef, Q

from billing import covering
from billing.ethereum import (
    abi,
    chains,
    debts,
    deep_reorgs,
    failing,
    fees,
    following,
    journal,
    lost,
    nonces,
    permits,
    readings,
    running,
    signatures,
    statuses,
    tokens,
    typed_data,
)
from billing.ethereum.chains import Chain
from billing.ethereum.errors import (
    CallUnanswered,
    ChainUnavailable,
    ChainUnknown,
    ConfigurationUnfit,
    SignatureInvalid,
    TokenUnfit,
)
from billing.ethereum.fees import Fees
from billing.ethereum.journal import Draft, Overtaken
from billing.ethereum.keys import Key
from billing.ethereum.rpc import CallReverted, Rpc, connect
from billing.ethereum.rules import TOO_LATE, AuthorizationStatus
from billing.models_ethereum import Authorization, Collection
from core.db import operation
from core.errors import Busy, DomainError

# What rests is read now and then, so that it starts on what its wallet has and allows today.
_OLD, _MOST_OLD = timedelta(minutes=5), 100
# What the contract lets a token use to move what one wallet owes (TRANSFER_GAS of PayGoCollector.vy).
_TRANSFER_GAS = 200_000
# What concerns every row: the chain's node, its configuration, the database. The round ends.
_OF_ALL_ROWS = (ChainUnavailable, ConfigurationUnfit, OperationalError, InterfaceError)

log = structlog.get_logger(__name__)


def run(*, key: Key, read_clock: Callable[[], datetime]) -> dict[str, str]:
    """Go once round every chain; return what is wrong with those that could not be finished, by name."""
    wrong: dict[str, str] = {}
    for chain in chains.all_chains():
        if reason := run_alone(chain, key=key, read_clock=read_clock):
            wrong[chain.name] = reason
    wrong |= across_chains(read_clock=read_clock)
    return wrong


def run_alone(chain: Chain, *, key: Key, read_clock: Callable[[], datetime]) -> str | None:
    """Go once round one chain, unless another process does just now; return what is wrong with it.

    Whatever that is, it holds up no other chain: only an outage of the database is raised.
    """
    try:
        with nonces.alone(chain) as first:
            if first:
                run_chain(chain, key=key, read_clock=read_clock)
    except DomainError as error:
        log.warning("collector_postponed", chain=chain.name, reason=error.detail)
        return error.detail
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("collector_failed", chain=chain.name, advice="the other chains go on; report this")
        return f"{type(error).__name__}: {error}"
    return None


def across_chains(*, read_clock: Callable[[], datetime]) -> dict[str, str]:
    """End what viewers stream who owe on any chain; return what is wrong with chains that are not there."""
    running.stop_debtors(now=read_clock())
    return _without_chain()


def _without_chain() -> dict[str, str]:
    """Return what is wrong with the chains that debts are on and that are not configured any more."""
    configured = [each.chain_id for each in chains.all_chains()]
    owing = Authorization.objects.filter(charged_units__gt=F("collected_units"))
    gone = owing.exclude(chain_id__in=configured).values_list("chain_id", flat=True).distinct()
    wrong = {
        f"chain {each}": "it is not in ETHEREUM_CHAINS_FILE any more, and debts are on it: put it back until "
        "they are collected"
        for each in gone.order_by("chain_id")
    }
    for name, reason in wrong.items():
        log.warning("collector_postponed", chain=name, reason=reason)
    return wrong


def run_chain(chain: Chain, *, key: Key, read_clock: Callable[[], datetime]) -> None:
    """Go once round one chain.

    Raises:
        ChainUnavailable: the node went away; what is in the journal goes on from there.
        ConfigurationUnfit: key, contract or chain are not what the configuration says: nothing was sent.
    """
    for late in debts.overdue(chain, now=read_clock()):
        with _holding_up_no_other(authorization=late.public_id):
            failing.without_sending(late, reason=TOO_LATE, now=read_clock())
    failing.give_up(chain, now=read_clock())
    rpc = connect(chain)
    _require_fit(rpc, chain, key)
    deep_reorgs.look(rpc, chain, key)
    nonces.require_caught_up(chain, key, chain_nonce=rpc.nonce(key.address))
    following.follow(rpc, chain, key, now=read_clock())
    unread = read_all(rpc, chain, now=read_clock())
    lost.require_none(chain, key)
    owing = [each for each in debts.due(chain, now=read_clock()) if each.pk not in unread]
    unfit = _unfit_spenders(rpc, chain, key, owing)
    collectable = [each for each in owing if _spender(each) not in unfit]
    for draft in _drafts(rpc, chain, collectable, read_clock=read_clock):
        offered = fees.current(rpc, chain)
        if offered is None:
            log.warning("gas_too_dear", chain=chain.name, advice="collections wait; max_fee_gwei is the cap")
            return
        with _holding_up_no_other(to=draft.to):
            _send(rpc, chain, key, draft, offered, now=read_clock())
    if wrong := [*unfit.values(), *lost.of_old_keys(chain, key)]:
        raise ConfigurationUnfit("; ".join(wrong))


@contextmanager
def _holding_up_no_other(**what: object) -> Iterator[None]:
    """Let whatever is wrong with one authorisation or transaction be told, and tried again next round."""
    try:
        yield
    except CallUnanswered as error:
        # It is an outage, too, but may be of what one viewer's contract makes the node say.
        log.warning("collector_left_out", reason=error.detail, **what)
    except _OF_ALL_ROWS:
        raise
    except Busy as error:
        log.warning("collector_left_out", reason=error.detail, **what)
    except Exception:
        log.exception("collector_left_out", **what)


def read_all(rpc: Rpc, chain: Chain, *, now: datetime) -> set[int]:
    """Read the chain for everything that runs, owes, waits for its permit, or has been collected since.

    Return which of it could not be read, or written; what is held now would hold up those it is sent with.
    """
    unread = set()
    for found in _to_read(chain, now=now):
        unread.add(found.pk)
        with _holding_up_no_other(authorization=found.public_id):
            _read(rpc, chain, found, now=now)
            unread.discard(found.pk)
    return unread


def _to_read(chain: Chain, *, now: datetime) -> list[Authorization]:
    """Return what is read in this round; who rests, or has failed to pay, is read every few minutes."""
    collected = Collection.objects.filter(
        authorization=OuterRef("pk"), send__isnull=False, finished_at__gte=OuterRef("chain_read_at")
    )
    owing = Q(debts.worth_its_gas(chain), charged_units__gt=F("collected_units"), collectable_until__gt=now)
    asked = (
        Q(open_transactions__gt=0)
        | (owing & ~debts.has_failed())
        | Q(permit_send__status__in=statuses.FOLLOWED)
        | Q(permit_send__finished_at__gte=F("chain_read_at"))
        | Exists(collected)
    )
    signed = Authorization.objects.filter(chain_id=chain.chain_id, verified_at__isnull=False)
    resting = Q(status=AuthorizationStatus.ACTIVE) | owing
    old = signed.filter(resting, chain_read_at__lt=now - _OLD).order_by("chain_read_at")
    found = [*signed.filter(asked).order_by("id")]
    # Each token's apart: where one cannot be read its wallets stay the oldest for ever.
    configured = [each.address for each in chain.tokens]
    for of_one in [Q(token_address=each) for each in configured] + [~Q(token_address__in=configured)]:
        found += old.filter(of_one)[:_MOST_OLD]
    return list({each.pk: each for each in found}.values())


def _read(rpc: Rpc, chain: Chain, authorization: Authorization, *, now: datetime) -> None:
    try:
        chain.token(authorization.token_address)
        seen = readings.look(rpc, authorization)
    except (ChainUnknown, TokenUnfit) as error:
        advice = "put it back into ETHEREUM_CHAINS_FILE until its debts are collected"
        log.warning("token_unfit", token=authorization.token_address, reason=error.detail, advice=advice)
        return
    with operation():
        readings.note(covering.lock_current(authorization.pk, now=now), seen, now=now)


def _require_fit(rpc: Rpc, chain: Chain, key: Key) -> None:
    if key.address != chain.service:
        raise ConfigurationUnfit(f"the key is of {key.address}; {chain.name} says {chain.service}")
    if (answered := rpc.chain_id()) != chain.chain_id:
        raise ConfigurationUnfit(f"the node of {chain.name} is of chain {answered}, not {chain.chain_id}")


def _drafts(
    rpc: Rpc, chain: Chain, owing: Sequence[Authorization], *, read_clock: Callable[[], datetime]
) -> Iterator[Draft]:
    """Yield what is to be sent: what brings money before what costs some."""
    payable = []
    for each in owing:
        with _holding_up_no_other(authorization=each.public_id):
            if _is_payable(rpc, each, now=read_clock()):
                payable.append(each)
    yield from debts.batches([each for each in payable if each.collector])
    yield from (debts.plain(each) for each in payable if not each.collector)
    yield from permits.due(rpc, chain, now=read_clock())


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


def _is_payable(rpc: Rpc, authorization: Authorization, *, now: datetime) -> bool:
    """Whether a collection would succeed now; where it would not, it has failed without a transaction.

    The reading of this round tells of allowance and balance; the rest a simulation does.
    """
    reason = _fault(rpc, authorization)
    if reason and (remembered := _as_the_contract_remembers(rpc, authorization)):
        # A restored database has forgotten it: what is sent will say so, and take the rest at most.
        reason = _fault(rpc, remembered)
    if reason:
        failing.without_sending(authorization, reason=reason, now=now)
    return not reason


def _fault(rpc: Rpc, authorization: Authorization) -> str | None:
    if authorization.debt_units <= 0:
        return None
    return debts.missing(authorization) or _refusal(rpc, authorization)


def _as_the_contract_remembers(rpc: Rpc, authorization: Authorization) -> Authorization | None:
    """Return an authorisation with what its contract has taken of it, where that is more than is known."""
    if authorization.collector is None:
        return None
    question = abi.call(abi.COLLECTED_IN_ALL, typed_data.digest(authorization.typed_data))
    taken = int.from_bytes(rpc.call(authorization.collector, question)[:32])
    if taken <= authorization.collected_units:
        return None
    remembered = copy(authorization)
    remembered.collected_units = taken
    return remembered


def _refusal(rpc: Rpc, authorization: Authorization) -> str | None:
    """Return why the chain would refuse a collection: the same call, alone, by whoever will make it."""
    if reason := _unsigned(rpc, authorization):
        return reason
    draft = debts.plain(authorization)
    gas = _TRANSFER_GAS if authorization.collector else draft.gas
    try:
        answer = rpc.call(draft.to, draft.data, sender=authorization.spender, gas=gas)
    except CallReverted as error:
        return f"token_refused: {error}"[:200]
    # A token may return nothing; one that returns false has moved nothing.
    return None if not answer or int.from_bytes(answer[:32]) == 1 else "token_refused"


def _unsigned(rpc: Rpc, authorization: Authorization) -> str | None:
    """Return that the contract would take a signature for none: a contract wallet may change its mind."""
    if authorization.collector is None or not debts.shows_signature(authorization):
        return None
    try:
        signatures.require(
            rpc,
            wallet=authorization.wallet_address,
            collector=authorization.collector,
            digest=typed_data.digest(authorization.typed_data),
            signature=bytes(authorization.signature or b""),
            field="signature",
        )
    except SignatureInvalid:
        return "not_signed"
    return None


def _send(rpc: Rpc, chain: Chain, key: Key, draft: Draft, offered: Fees, *, now: datetime) -> None:
    """Write and hand over one transaction, unless what it is about has changed meanwhile."""
    try:
        send = journal.write(chain, key, draft, fees=offered, chain_nonce=rpc.nonce(key.address), now=now)
    except Overtaken:
        return
    journal.hand_over(rpc, send, now=now)
