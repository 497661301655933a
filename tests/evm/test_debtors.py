"""An uncollected debt blocks its viewer, whatever becomes of its authorisation, until it is paid."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from billing import engine, expiry
from billing.engine import StartRequest
from billing.errors import AuthorizationSuspended
from billing.ethereum import authorizing
from billing.ethereum.errors import DebtUnpaid
from billing.ethereum.rules import AuthorizationStatus
from billing.models_ethereum import Authorization, Collection
from billing.operator_models import OperatorAction
from billing.operators import Word
from core.models import User
from sessions_app.models import StreamingSession
from tests.evm.world import USD, World, viewer
from tests.factories import ALICE

pytestmark = pytest.mark.django_db(transaction=True)
WHO = viewer(1)


def fail(world: World, authorization: Authorization) -> None:
    """Let the wallet take its allowance away before a debt of a dollar is collected."""
    world.stream(authorization, USD)
    world.approve(WHO.address, 1)
    world.round()
    assert Collection.objects.latest("id").status == "failed"


def pay(world: World) -> None:
    world.approve(WHO.address, 50 * USD)
    world.round(seconds=601)
    world.settle()


def end(world: World, authorization: Authorization, how: str) -> None:
    if how == "revoked":
        authorizing.revoke(
            client_id=authorization.client_id, public_id=authorization.public_id, now=world.now
        )
    if how == "expired":
        world.now = authorization.expires_at + timedelta(seconds=1)
        expiry.run(now=world.now)
    authorization.refresh_from_db()
    assert authorization.status == how


@pytest.mark.parametrize("how", ["suspended", "revoked", "expired", "exhausted"])
def test_a_debt_blocks_whatever_became_of_its_authorisation(world: World, vera: User, how: str) -> None:
    limit = USD if how == "exhausted" else 100 * USD
    first = world.active(vera, WHO, limit_units=limit)
    prepared = world.asked(vera, WHO, duration_days=60)
    fail(world, first)
    end(world, first, how)

    with pytest.raises(DebtUnpaid) as refused:
        world.asked(vera, WHO)
    with pytest.raises(DebtUnpaid):
        world.signed(prepared, WHO)

    assert refused.value.context["debt"] == str(USD)
    if how != "expired":
        pay(world)
        first.refresh_from_db()
        assert first.collected_units == USD
        if how != "suspended":
            assert world.signed(prepared, WHO).status == AuthorizationStatus.ACTIVE


def test_a_debt_that_fails_after_a_new_signature_blocks_its_streams(world: World, vera: User) -> None:
    used_up = world.active(vera, WHO, limit_units=USD)
    world.stream(used_up, USD)
    fresh = world.signed(world.asked(vera, WHO), WHO)
    world.approve(WHO.address, 1)
    world.round()
    world.approve(WHO.address, 50 * USD)

    with pytest.raises(AuthorizationSuspended) as refused:
        engine.start(StartRequest(WHO.address, "vendor123"), client_id=vera.pk, now=world.now)
    pay(world)
    world.stream(fresh, 1_000)

    assert refused.value.context["authorization_id"] == str(used_up.public_id)
    assert fresh.charged_units == 1_000


def test_a_debt_that_fails_ends_what_runs_on_another_authorisation(world: World, vera: User) -> None:
    world.add_token("PLAIN", 0)
    world.configure()
    first = world.active(vera, WHO)
    world.stream(first, USD)
    end(world, first, "revoked")
    second = world.active(vera, WHO, symbol="PLAIN")
    world.active(vera, viewer(2), linked_wallet_address=ALICE)
    started = engine.start(StartRequest(WHO.address, "vendor123"), client_id=vera.pk, now=world.now)
    engine.start(StartRequest(viewer(2).address, "vendor123"), client_id=vera.pk, now=world.now)
    world.approve(WHO.address, 1)

    world.round(seconds=1)

    second.refresh_from_db()
    session = StreamingSession.objects.get(code=started.session_code)
    assert (session.end_reason, session.ended_at) == ("exhausted", world.now)
    assert (second.status, second.charged_units) == ("active", 1_000)
    assert StreamingSession.objects.filter(status="active").count() == 1


def test_another_wallet_of_the_same_viewer_is_blocked_too(world: World, vera: User) -> None:
    fail(world, world.active(vera, WHO, linked_wallet_address=ALICE))

    with pytest.raises(DebtUnpaid):
        world.asked(vera, viewer(2), linked_wallet_address=ALICE)
    assert world.asked(vera, viewer(2)).status == AuthorizationStatus.PENDING


def test_another_token_is_blocked_too(world: World, vera: User) -> None:
    world.add_token("PLAIN", 0)
    world.configure()
    fail(world, world.active(vera, WHO))

    with pytest.raises(DebtUnpaid):
        world.asked(vera, WHO, symbol="PLAIN")


def test_a_pardoned_debt_blocks_nobody_and_is_still_collected(world: World, vera: User) -> None:
    first = world.active(vera, WHO)
    fail(world, first)
    authorizing.revoke(client_id=vera.pk, public_id=first.public_id, now=world.now)

    said = io.StringIO()
    call_command("pardondebt", str(first.public_id), "--dry-run", stdout=io.StringIO())
    assert not OperatorAction.objects.exists()
    call_command("pardondebt", str(first.public_id), "--reason", "to be kind", stdout=said)
    second = world.signed(world.asked(vera, WHO), WHO)
    pay(world)
    world.stream(second, 1_000)

    first.refresh_from_db()
    written = OperatorAction.objects.get()
    assert (written.verb, written.reason) == ("pardon", "to be kind")
    assert written.details["units"] == str(USD)
    assert said.getvalue().startswith(f"{USD} units of USDT are owed")
    assert (first.collected_units, second.charged_units) == (USD, 1_000)
    with pytest.raises(CommandError, match="no collection of it has failed"):
        call_command("pardondebt", str(first.public_id))


def test_a_pardon_covers_no_later_debt(world: World, vera: User) -> None:
    authorization = world.active(vera, WHO)
    fail(world, authorization)
    word = Word(None, "shell:olga", "to be kind")
    authorizing.pardon(authorization.public_id, word=word, now=world.now)
    pay(world)
    world.stream(authorization, USD)
    world.approve(WHO.address, 1)
    world.round()

    with pytest.raises(DebtUnpaid):
        world.asked(vera, WHO)


@pytest.mark.parametrize("reason", ["nonce_lost", "batch_reverted"])
def test_what_failed_without_its_fault_blocks_nobody(world: World, vera: User, reason: str) -> None:
    authorization = world.active(vera, WHO)
    world.stream(authorization, USD)
    Collection.objects.create(
        authorization=authorization,
        from_units=0,
        to_units=USD,
        status="failed",
        reason=reason,
        created_at=world.now,
        finished_at=world.now,
    )

    world.stream(authorization, 1_000)

    assert authorization.charged_units == USD + 1_000
