"""A debt that could not be collected, and who pays meanwhile."""

from datetime import datetime, timedelta

import pytest

from billing import engine, live
from billing.engine import StartRequest
from billing.errors import AuthorizationSuspended
from billing.ethereum import running
from billing.ethereum.rules import AuthorizationStatus, CollectionStatus
from billing.models import Transaction
from billing.models_ethereum import Authorization, Collection
from core import db
from core.errors import PaymentRequired
from core.models import User
from sessions_app.rules import EndReason
from tests.factories import (
    ALICE,
    ALICE_ETHEREUM,
    NOW,
    USD,
    ZEC,
    make_active_permission,
    make_authorization,
    make_client,
    make_vendor,
    stream,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vera(db: None) -> User:
    client = make_client()
    make_vendor(client)
    return client


def after(**delta: float) -> datetime:
    return NOW + timedelta(**delta)


def owe(client: User, *, linked: str | None = ALICE) -> Authorization:
    """Return an authorisation that is used up, and could not be collected."""
    spent = make_authorization(client, linked=linked, limit=USD)
    code = stream(client, wallet=ALICE_ETHEREUM)
    engine.end(code, client_id=client.pk, now=after(hours=1))
    spent.refresh_from_db()
    assert (spent.status, spent.charged_units) == (AuthorizationStatus.EXHAUSTED, USD)
    Collection.objects.create(
        authorization=spent,
        from_units=0,
        to_units=USD,
        status=CollectionStatus.FAILED,
        created_at=after(hours=1),
        finished_at=after(hours=1),
    )
    Transaction.objects.filter(authorization=spent).update(status="failed")
    return spent


def pay(debt: Authorization) -> None:
    """Let a debt have been collected, as far as who pays next is concerned."""
    Collection.objects.filter(authorization=debt).update(reason="nonce_lost")


def test_no_stream_falls_over_to_who_owes(vera: User) -> None:
    debt = owe(vera)
    make_active_permission(vera, requested=1 * ZEC, rate=1 * ZEC, now=after(hours=1))
    make_authorization(vera, now=after(hours=1))

    started = engine.start(StartRequest(ALICE, "vendor123"), client_id=vera.pk, now=after(hours=1))
    seen = live.of_session(started.session_code, client_id=vera.pk, now=after(hours=1))
    record = engine.end(started.session_code, client_id=vera.pk, now=after(hours=9))

    assert (started.fallback, seen.fallback) == (None, None)
    assert started.granted_until == after(hours=2).isoformat()
    assert (record.session.ended_at, record.end_reason) == (after(hours=2), EndReason.EXHAUSTED)
    assert [each.asset for each in record.transactions] == ["ZEC"]
    assert debt.collected_units == 0


@pytest.mark.parametrize("wallet", [ALICE, ALICE_ETHEREUM])
def test_nothing_starts_on_who_owes_until_that_is_paid(vera: User, wallet: str) -> None:
    debt = owe(vera)
    make_authorization(vera, now=after(hours=1))

    with pytest.raises(PaymentRequired):
        stream(vera, wallet=wallet, now=after(hours=1))
    pay(debt)

    code = stream(vera, wallet=wallet, now=after(hours=1))
    record = engine.end(code, client_id=vera.pk, now=after(hours=2))
    assert [(each.asset, each.amount) for each in record.transactions] == [("USDT", USD)]


def test_a_refusal_says_what_is_owed(vera: User) -> None:
    debt = owe(vera)
    make_authorization(vera, now=after(hours=1))

    with pytest.raises(AuthorizationSuspended) as refused:
        stream(vera, wallet=ALICE_ETHEREUM, now=after(hours=1))

    assert refused.value.context["authorization_id"] == str(debt.public_id)
    assert (refused.value.context["debt"], refused.value.context["asset"]) == (str(USD), "USDT")


def test_a_refusal_finds_a_debt_by_the_linked_wallet(vera: User) -> None:
    debt = owe(vera)
    other = "0x" + "44" * 20
    make_authorization(vera, wallet=other, now=after(hours=1))

    with pytest.raises(AuthorizationSuspended) as refused:
        stream(vera, wallet=other, now=after(hours=1))

    assert refused.value.context["authorization_id"] == str(debt.public_id)


def test_another_clients_viewer_owes_nothing_here(vera: User) -> None:
    owe(vera)
    other = make_client("tina-tv")
    make_vendor(other)
    make_authorization(other)

    assert stream(other, wallet=ALICE_ETHEREUM)


def test_paid_it_goes_on_or_gives_way_to_the_one_that_has_taken_its_place(vera: User) -> None:
    alone, replaced = make_authorization(vera, linked=None), make_authorization(vera, wallet="0x" + "44" * 20)
    Authorization.objects.filter(pk__in=[alone.pk, replaced.pk]).update(status=AuthorizationStatus.SUSPENDED)
    make_authorization(vera, wallet="0x" + "44" * 20)

    with db.operation():
        for each in Authorization.objects.filter(status=AuthorizationStatus.SUSPENDED):
            running.lift(each, now=after(hours=1))

    alone.refresh_from_db()
    replaced.refresh_from_db()
    assert (alone.status, replaced.status) == (AuthorizationStatus.ACTIVE, AuthorizationStatus.REVOKED)
