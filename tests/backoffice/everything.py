"""One row of everything that a short life does not leave behind: for lists that must not ask for each row."""

import uuid
from datetime import datetime, timedelta

from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.models import Group

from billing import engine, holds, interventions, operators, refunds
from billing.interval import run_interval
from billing.ledger_models import Reconciliation
from billing.models import ForeignSend, Refund, WalletSend
from billing.models_ethereum import ChainKey, ChainSend, Collection
from billing.notice_models import Mail, Notice
from billing.operator_rules import Verb
from billing.payout_models import Payout
from core import clock, db
from core.models import Event, ReceiptRow, User, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from paygo.api import keys
from sessions_app import vendors
from sessions_app.models import Vendor
from tests.factories import (
    USD,
    ZEC,
    make_active_permission,
    make_authorization,
    make_client,
    make_vendor,
    see_deposit,
    stream,
)
from tests.tokens import CHAIN, USDT
from zcash.addresses import Network, encode_sapling
from zcash.models import AuditSeal, Deposit, SpendingPermission, WatchedChain
from zcash.unmatched_models import UnmatchedDeposit


def live(number: int, operator: User) -> SpendingPermission:
    """Let one client live a little: a permission, a session, a late deposit, a refund, a key, a hold."""
    word = operators.word(operator_id=operator.pk, name="otto", reason="to have one of each")
    vera, now = make_client(f"client-{number}"), clock.now() - timedelta(hours=5)
    make_vendor(vera, slug=f"vendor-{number}")
    keys.create(vera, name=f"key-{number}", now=now)
    permission = make_active_permission(vera, wallet=f"wallet-{number}", now=now)
    data = str(number).encode().ljust(43, b"\1")
    SpendingPermission.objects.filter(pk=permission.pk).update(
        payment_address=encode_sapling(data, network=Network.REGTEST),
        refund_address=encode_sapling(data[::-1], network=Network.REGTEST),
    )
    code = stream(vera, wallet=f"wallet-{number}", vendor=f"vendor-{number}", now=now)
    run_interval(now=now + timedelta(hours=1), engine="test", chunk_size=10)
    engine.end(code, client_id=vera.pk, now=now + timedelta(hours=2))
    holds.hold(permission.pk, word=word, now=now + timedelta(hours=2))
    holds.lift(permission.pk, word=word, now=now + timedelta(hours=3))
    interventions.revoke(permission, word=word, now=now + timedelta(hours=4))
    refunds.queue_due(now=now + timedelta(hours=4))
    see_deposit(permission, amount=ZEC, now=now + timedelta(hours=4), confirmations=0)
    permission.refresh_from_db()
    return permission


def leave(number: int, *, permission: SpendingPermission, operator: User, now: datetime) -> None:
    """Write the rows of one life."""
    event = Event.objects.filter(client=permission.client).latest("id")
    send = WalletSend.objects.create(
        account="0", policy="x", payments=[], intent_height=1, busy_height=1, created_at=now, status="failed"
    )
    Refund.objects.filter(permission=permission).update(send=send)
    payout = _payout(number, permission=permission, send=send, now=now)
    endpoint = _webhooks(event, now=now)
    owing(number, client=permission.client, now=now)
    Notice.objects.create(permission=permission, rule="x", period=str(number), told=True, created_at=now)
    Mail.objects.create(event=event, permission=permission, created_at=now, next_attempt_at=now)
    ReceiptRow.objects.create(
        client=permission.client, endpoint="x", key=str(number), body_digest=b"x", created_at=now, result={}
    )
    ForeignSend.objects.create(txid=f"{number:064x}", payments=[], seen_height=1, first_seen_at=now)
    UnmatchedDeposit.objects.create(
        txid=f"{number:064x}", pool="orchard", output_index=0, address="x", amount_zat=1, first_seen_at=now
    )
    Reconciliation.objects.create(at=now, owed_zat=0, booked_zat=0)
    AuditSeal.objects.create(
        partition=f"x{number}",
        covers_from=now,
        covers_to=now + timedelta(days=1),
        rows=1,
        last_id=1,
        digest=f"{number + 1:064x}",
        previous_digest=f"{number:064x}",
        sealed_at=now,
    )
    WatchedChain.objects.get_or_create(pk=1, defaults={"network": "regtest", "genesis_hash": "0" * 64})
    AccessAttempt.objects.create(
        username=f"name-{number}", ip_address="192.0.2.1", failures_since_start=1, get_data="", post_data=""
    )
    AccessLog.objects.create(username=f"name-{number}", ip_address="192.0.2.1")
    Group.objects.create(name=f"group-{number}")
    word = operators.word(operator_id=operator.pk, name="otto", reason="to have one of each")
    deposit = Deposit.objects.filter(permission=permission).latest("id")
    with db.operation():
        vendors.publish_in_token(
            payout.vendor_id,
            chain_id=CHAIN,
            token_address=USDT,
            price_units_per_hour=1,
            actor="tests",
            now=now,
        )
        for subject in ({"payout": payout}, {"endpoint": endpoint}, {"deposit": deposit}):
            operators.note(word, Verb.RESOLVE, permission=permission, now=now, **subject)


def _payout(number: int, *, permission: SpendingPermission, send: WalletSend, now: datetime) -> Payout:
    return Payout.objects.create(
        public_id=uuid.uuid4(),
        vendor=Vendor.objects.get(slug=f"vendor-{number}"),
        number=1,
        status="failed",
        address=permission.payment_address,
        amount_zat=2,
        fee_zat=1,
        memo="",
        earned_until=now,
        created_at=now,
        not_before=now,
        send=send,
    )


def _webhooks(event: Event, *, now: datetime) -> WebhookEndpoint:
    endpoint = WebhookEndpoint.objects.create(
        client=event.client, url="https://vera.example/hook", secret="x", created_at=now
    )
    delivery = WebhookDelivery.objects.create(
        endpoint=endpoint, event=event, created_at=now, next_attempt_at=now
    )
    WebhookAttempt.objects.create(
        delivery=delivery,
        number=1,
        started_at=now,
        duration_ms=1,
        url=endpoint.url,
        request_headers={},
        response_status=200,
    )
    return endpoint


def owing(number: int, *, client: User, now: datetime) -> Collection:
    """Write an authorisation that owes 2 tokens, and how 1.5 of them are on their way."""
    authorization = make_authorization(client, linked=None, now=now)
    authorization.charged_units = 2 * USD
    authorization.save(update_fields=["charged_units"])
    key = f"0x{number:040x}"
    ChainKey.objects.create(chain_id=CHAIN, address=key, next_nonce=1, adopted_at=now, reason="restored")
    send = ChainSend.objects.create(
        chain_id=CHAIN, sender=key, nonce=1, status="sent", to="0x", data=b"", gas=1, max_fee_wei=1,
        priority_fee_wei=1, raw=b"", hashes=[f"0x{number:064x}"], created_at=now, tried_at=now,
    )  # fmt: skip
    return Collection.objects.create(
        authorization=authorization,
        from_units=0,
        to_units=3 * USD // 2,
        status="submitted",
        send=send,
        created_at=now,
    )
