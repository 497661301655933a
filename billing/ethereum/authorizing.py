"""Authorisations as viewers make them: asked for, signed, looked up, revoked."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F

from billing import arrears, covering, live, operators
from billing.authorizations import change_status
from billing.ethereum import chains, permits, readings, running, signatures, tokens, typed_data
from billing.ethereum.chains import Chain, Token
from billing.ethereum.errors import (
    AuthorizationConflict,
    AuthorizationGone,
    AuthorizationNotFound,
    ConsentMissing,
    DebtUnpaid,
    EthereumAddressInvalid,
    SignatureInvalid,
    TokenUnfit,
    WrongAuthorizationState,
)
from billing.ethereum.rpc import Rpc, connect
from billing.ethereum.rules import AuthorizationStatus, CollectionStatus
from billing.models_ethereum import Authorization, Collection
from billing.operator_rules import Verb
from billing.operators import Word
from core import idempotency, jsonrows
from core.clock import to_ms
from core.db import constraint, operation
from core.errors import Invalid
from core.idempotency import Receipt
from core.models import User
from core.units import MAX_RATE_UNITS, MAX_UINT256
from sessions_app.rules import EndReason
from zcash.errors import LimitExceeded

_NONCE_BITS = 128
_CLOSED = (AuthorizationStatus.EXPIRED, AuthorizationStatus.REVOKED)
_ONE_ACTIVE = {"billing_authorization_one_active", "billing_authorization_one_active_linked"}


@dataclass(frozen=True)
class Request:
    """What a viewer is asked to sign: smallest units of a token, at most so many an hour, for some days."""

    chain_id: int
    token: str
    wallet_address: str
    limit_units: int
    rate_units_per_hour: int
    duration_days: int
    consent: bool
    linked_wallet_address: str | None = None


def create(
    request: Request, *, client_id: int, now: datetime, receipt: Receipt | None = None
) -> Authorization:
    """Write an authorisation to be signed, after the chain has confirmed that its token is what it seems.

    A repetition with the same receipt returns the authorisation as the first call did.

    Raises:
        EthereumAddressInvalid, ChainUnknown, TokenUnfit, LimitExceeded, ConsentMissing: which field is wrong.
        DebtUnpaid: the wallet owes for an earlier stream.
        ChainUnavailable: the node is away; nothing was written.
        KeyInFlight, KeyReused: see core.idempotency.
    """
    chain, token = _checked(request)
    begun = idempotency.begin(receipt, now=now) if receipt else None
    if begun is not None and begun.result is not None:
        return jsonrows.as_kept(Authorization, begun.result)
    try:
        drafted = _draft(request, chain, token, client_id=client_id, now=now)
        _refuse_debtor(drafted, now=now)
        _refuse_fee(drafted)
        tokens.require_fit(connect(chain), chain, token)
        drafted.permit = _permit(drafted, chain, token)
        with operation():
            drafted.save(force_insert=True)
            if receipt:
                idempotency.store(receipt, jsonrows.kept(drafted), now=now)
    except Exception:
        if receipt and begun:
            idempotency.release(receipt, begun)
        raise
    return drafted


def verify(
    *,
    client_id: int,
    public_id: UUID,
    signature: bytes,
    permit_signature: bytes | None,
    read_clock: Callable[[], datetime],
) -> Authorization:
    """Check the wallet's signature, activate the authorisation, and read what the chain allows.

    A repetition reads the chain again. A signed permit is sent by the collector; the allowance follows.

    Raises:
        AuthorizationNotFound: not this client's.
        AuthorizationGone: it has expired, or was revoked.
        SignatureInvalid: which of the signatures, and what is wrong with it.
        AuthorizationConflict: another one of this wallet, or for this linked wallet, is active.
        DebtUnpaid: the wallet owes for an earlier stream.
        ChainUnavailable: the node is away; nothing was written.
    """
    found = of_client(client_id=client_id, public_id=public_id)
    _refuse_closed(found, now=read_clock())
    chain = chains.chain(found.chain_id)
    rpc, digest = connect(chain), typed_data.digest(found.typed_data)
    signatures.require(
        rpc,
        wallet=found.wallet_address,
        collector=found.collector,
        digest=digest,
        signature=signature,
        field="signature",
    )
    if permit_signature is not None:
        _require_permit(rpc, chain, found, permit_signature)
    seen = readings.look(rpc, found)
    try:
        with operation():
            locked = covering.lock_current(found.pk, now=read_clock())
            _refuse_closed(locked, now=read_clock())
            if locked.status == AuthorizationStatus.PENDING:
                _refuse_debtor(locked, now=read_clock())
            _sign(locked, signature, permit_signature, now=read_clock())
            readings.note(locked, seen, now=read_clock())
    except IntegrityError as error:
        if constraint(error) in _ONE_ACTIVE:
            raise AuthorizationConflict("revoke the wallet's active authorization first") from error
        raise
    return locked


def revoke(*, client_id: int, public_id: UUID, now: datetime) -> Authorization:
    """Withdraw an authorisation for good: its sessions end at this instant. What it owes is still collected.

    Raises:
        AuthorizationNotFound: not this client's.
        AuthorizationGone: it has expired.
    """
    found = of_client(client_id=client_id, public_id=public_id)
    with operation():
        locked = covering.lock_current(found.pk, now=now)
        if locked.status == AuthorizationStatus.REVOKED:
            return locked
        _refuse_closed(locked, now=now)
        at = running.stop_all(locked, now=now, reason=EndReason.AUTHORIZATION_REVOKED)
        change_status(locked, to=AuthorizationStatus.REVOKED, effective_at=at, booked_at=now)
    return locked


def pardonable(public_id: UUID) -> Authorization:
    """Return an authorisation whose debt an operator can pardon.

    Raises:
        AuthorizationNotFound, WrongAuthorizationState: see `pardon`.
    """
    found = Authorization.objects.filter(public_id=public_id).first()
    if found is None:
        raise AuthorizationNotFound
    _require_arrears(found)
    return found


def _require_arrears(found: Authorization) -> None:
    if not arrears.of_wallets(found.wallets, client_id=found.client_id).filter(pk=found.pk).exists():
        raise WrongAuthorizationState("no collection of it has failed: there is nothing to pardon")


def pardon(public_id: UUID, *, word: Word, now: datetime) -> Authorization:
    """Let a viewer go on whose debt could not be collected; it stays owed, and is collected once it can be.

    What fails of later charges blocks again.

    Raises:
        AuthorizationNotFound: there is none.
        WrongAuthorizationState: no collection of it has failed.
    """
    found = pardonable(public_id)
    with operation():
        locked = covering.lock_current(found.pk, now=now)
        _require_arrears(locked)
        details = {"authorization_id": str(public_id), "units": str(locked.debt_units)}
        operators.note(word, Verb.PARDON, now=now, details=details)
        locked.pardoned_units = locked.charged_units
        locked.save(update_fields=["pardoned_units"])
    return locked


def show(*, client_id: int, public_id: UUID, now: datetime) -> Authorization:
    """Return a client's authorisation as it is now, see `live.read_authorization`.

    Raises:
        AuthorizationNotFound: not this client's.
    """
    found = of_client(client_id=client_id, public_id=public_id)
    return live.read_authorization(found.pk, now=now)


def of_client(*, client_id: int, public_id: UUID) -> Authorization:
    """Return a client's authorisation as it was last written.

    Raises:
        AuthorizationNotFound: not this client's.
    """
    found = Authorization.objects.filter(client=client_id, public_id=public_id).first()
    if found is None:
        raise AuthorizationNotFound
    return found


def _checked(request: Request) -> tuple[Chain, Token]:
    if not request.consent:
        raise ConsentMissing(
            "payments on this chain are public; the viewer must agree to that", field="privacy_consent"
        )
    chain = chains.chain(request.chain_id)
    token = chain.token(request.token)
    if not 0 < request.limit_units <= MAX_UINT256:
        raise LimitExceeded("must be above 0 and below 2^256", field="limit")
    if request.limit_units < token.collect_least_units:
        raise LimitExceeded(
            f"must be at least {token.collect_least_units}: less is never collected", field="limit"
        )
    if not 0 < request.rate_units_per_hour <= MAX_RATE_UNITS:
        raise LimitExceeded(f"must be above 0 and at most {MAX_RATE_UNITS}", field="rate_per_hour")
    if not 1 <= request.duration_days <= settings.MAX_PERMISSION_DURATION_DAYS:
        raise LimitExceeded(
            f"must be between 1 and {settings.MAX_PERMISSION_DURATION_DAYS}", field="duration_days"
        )
    if request.wallet_address in (chain.service, chain.treasury, chain.collector, token.address):
        raise EthereumAddressInvalid("this address is the service's own", field="wallet_address")
    return chain, token


def _refuse_debtor(authorization: Authorization, *, now: datetime) -> None:
    """What could not be collected blocks the viewer at this client until it is paid, or pardoned."""
    if owing := arrears.of(authorization):
        raise DebtUnpaid(
            f"the wallet owes for an earlier stream: {arrears.to_do(owing, now=now)}",
            authorization_id=str(owing.public_id),
            debt=str(owing.debt_units),
            asset=owing.asset,
        )


def _refuse_fee(authorization: Authorization) -> None:
    """A token that has kept a fee of this wallet's transfers would do it again."""
    kept = Collection.objects.filter(
        authorization__client=authorization.client_id,
        authorization__wallet_address=authorization.wallet_address,
        authorization__chain_id=authorization.chain_id,
        authorization__token_address=authorization.token_address,
        status=CollectionStatus.CONFIRMED,
        received_units__lt=F("to_units") - F("from_units"),
    )
    if kept.exists():
        raise TokenUnfit("it keeps a fee of each transfer", field="token")


def _draft(request: Request, chain: Chain, token: Token, *, client_id: int, now: datetime) -> Authorization:
    public_id, expires_at = uuid4(), now + timedelta(days=request.duration_days)
    collector = chain.collector_of(token)
    drafted = Authorization(
        public_id=public_id,
        client_id=client_id,
        wallet_address=request.wallet_address,
        linked_wallet_address=request.linked_wallet_address,
        chain_id=chain.chain_id,
        token_address=token.address,
        token_symbol=token.symbol,
        decimals=token.decimals,
        spender=collector or chain.service,
        collector=collector,
        treasury=chain.treasury,
        limit_units=request.limit_units,
        rate_units_per_hour=request.rate_units_per_hour,
        nonce=secrets.randbits(_NONCE_BITS),
        consented_at=now,
        created_at=now,
        expires_at=expires_at,
        collectable_until=expires_at + timedelta(hours=settings.ETHEREUM_COLLECT_GRACE_HOURS),
    )
    name = User.objects.values_list("username", flat=True).get(pk=client_id)
    drafted.typed_data = typed_data.of_promise(promise_of(drafted, reference=f"{name} {public_id}"))
    return drafted


def promise_of(authorization: Authorization, *, reference: str) -> typed_data.Promise:
    """Return what the wallet signs of an authorisation."""
    return typed_data.Promise(
        chain_id=authorization.chain_id,
        collector=authorization.collector,
        service=authorization.spender,
        wallet=authorization.wallet_address,
        token=authorization.token_address,
        limit_units=authorization.limit_units,
        rate_units_per_hour=authorization.rate_units_per_hour,
        expires_s=to_ms(authorization.expires_at) // 1000,
        collectable_until_s=to_ms(authorization.collectable_until) // 1000,
        nonce=authorization.nonce,
        reference=reference,
    )


def _permit(drafted: Authorization, chain: Chain, token: Token) -> dict[str, Any] | None:
    return tokens.permit_document(
        connect(chain),
        chain,
        token,
        owner=drafted.wallet_address,
        spender=drafted.spender,
        value=drafted.limit_units,
        deadline_s=to_ms(drafted.expires_at) // 1000,
    )


def _require_permit(rpc: Rpc, chain: Chain, authorization: Authorization, signature: bytes) -> None:
    if authorization.permit is None:
        raise Invalid("the token takes no permits: approve the spender instead", field="permit_signature")
    digest = typed_data.digest(authorization.permit)
    signatures.require_of_key(
        wallet=authorization.wallet_address, digest=digest, signature=signature, field="permit_signature"
    )
    # One that the collector has had already may have been handed in: it is good once.
    known = authorization.permit_signature is not None
    if not known and (reason := permits.refusal(rpc, chain, authorization, signature)):
        raise SignatureInvalid(reason, field="permit_signature")


def _sign(
    authorization: Authorization, signature: bytes, permit_signature: bytes | None, *, now: datetime
) -> None:
    """Activate a locked authorisation that waits for its signature; another repetition changes nothing."""
    changed = []
    if permit_signature is not None and authorization.permit_signature is None:
        authorization.permit_signature = permit_signature
        changed.append("permit_signature")
    if authorization.status == AuthorizationStatus.PENDING:
        authorization.signature, authorization.verified_at, authorization.settled_at = signature, now, now
        changed += ["signature", "verified_at", "settled_at"]
    authorization.save(update_fields=changed)
    if authorization.status == AuthorizationStatus.PENDING:
        change_status(authorization, to=AuthorizationStatus.ACTIVE, effective_at=now, booked_at=now)


def _refuse_closed(authorization: Authorization, *, now: datetime) -> None:
    if authorization.status in _CLOSED or authorization.expires_at <= now:
        raise AuthorizationGone(f"it is {authorization.status}: make a new one")
