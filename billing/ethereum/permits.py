"""Permits (EIP-2612) that viewers have signed: handed in at the service's cost, where that is worth it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from billing.ethereum import abi, signatures
from billing.ethereum.chains import Chain
from billing.ethereum.errors import CallUnanswered
from billing.ethereum.journal import Draft
from billing.ethereum.rpc import CallReverted, Rpc
from billing.ethereum.rules import LIVING_AUTHORIZATION
from billing.models_ethereum import Authorization

_GAS = 300_000
_MOST_A_ROUND = 20
_UNPAID = "an earlier permit of this wallet has brought no payment yet: approve the spender instead"

log = structlog.get_logger(__name__)


def due(rpc: Rpc, chain: Chain, *, now: datetime) -> Iterator[Draft]:
    """Yield the calls that hand in permits: a few in a round, and of one client so many in a day.

    What the token would refuse is not sent: authorisation and log say so.
    """
    waiting = _waiting(chain, now=now)
    if not waiting.exists():
        return
    sent, most = _sent_lately(now=now), settings.ETHEREUM_PERMITS_PER_CLIENT_DAY
    full = [client for client, number in sent.items() if number >= most]
    for each in waiting.exclude(client__in=full)[:_MOST_A_ROUND]:
        if sent.get(each.client_id, 0) >= most:
            continue
        signature = bytes(each.permit_signature or b"")
        try:
            reason = _UNPAID if each.has_unpaid else refusal(rpc, chain, each, signature)  # type: ignore[attr-defined]
        except CallUnanswered as error:
            # A token may ask the wallet, and that may make the node say anything.
            log.warning("permit_waits", authorization=str(each.public_id), reason=error.detail)
            continue
        if reason:
            _refuse(each, reason=reason)
            continue
        sent[each.client_id] = sent.get(each.client_id, 0) + 1
        yield Draft(each.token_address, _call(each, signature), _GAS, permit_of=each.pk)


def refusal(rpc: Rpc, chain: Chain, authorization: Authorization, signature: bytes) -> str | None:
    """Return why the token would refuse a permit now.

    Raises:
        ChainUnavailable: the node is away.
    """
    data = _call(authorization, signature)
    try:
        rpc.call(authorization.token_address, data, sender=chain.service, gas=_GAS)
    except CallReverted as error:
        return f"the token refuses it: {error}"
    return None


def _waiting(chain: Chain, *, now: datetime) -> QuerySet[Authorization]:
    """Return whose permits are needed, and whose wallets have what a first collection takes.

    What a viewer has revoked gets no allowance any more; whoever owes may still give it.
    """
    funded = Q(pk__in=[])
    for token in chain.tokens:
        has_money = Q(balance_units__gte=token.collect_units) | Q(balance_units__gte=F("limit_units"))
        funded |= Q(has_money, token_address=token.address)
    same_wallet = Authorization.objects.filter(
        chain_id=chain.chain_id,
        token_address=OuterRef("token_address"),
        wallet_address=OuterRef("wallet_address"),
    )
    has_paid_since = Exists(same_wallet.filter(pk__gte=OuterRef("pk"), collected_units__gt=0))
    unpaid = same_wallet.filter(~has_paid_since, permit_send__isnull=False)
    waiting = Authorization.objects.filter(
        funded,
        chain_id=chain.chain_id,
        status__in=LIVING_AUTHORIZATION,
        permit_signature__isnull=False,
        permit_send=None,
        permit_refusal="",
        allowance_units__lt=F("limit_units"),
        expires_at__gt=now,
    )
    return waiting.annotate(has_unpaid=Exists(unpaid)).order_by("id")


def _sent_lately(*, now: datetime) -> dict[int, int]:
    """Return how many permits of each client were handed in within a day."""
    lately = Authorization.objects.filter(permit_send__created_at__gt=now - timedelta(days=1))
    return dict(lately.order_by().values_list("client_id").annotate(Count("pk")))


def _refuse(authorization: Authorization, *, reason: str) -> None:
    log.warning("permit_refused", authorization=str(authorization.public_id), reason=reason)
    Authorization.objects.filter(pk=authorization.pk).update(permit_refusal=reason[:500])


def _call(authorization: Authorization, signature: bytes) -> bytes:
    message = (authorization.permit or {})["message"]
    v, r, s = signatures.parts(signature)
    return abi.call(
        abi.PERMIT,
        message["owner"],
        message["spender"],
        int(message["value"]),
        int(message["deadline"]),
        v,
        r,
        s,
    )
