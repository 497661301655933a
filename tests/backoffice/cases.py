"""Rows in the states in which an operator does something to them."""

import itertools
from datetime import timedelta

from billing import engine, interventions, payouts, refunds
from billing.models import Refund
from billing.operators import Word
from billing.payout_models import Payout
from core import clock, db, outbox, publisher
from core.models import User, WebhookDelivery
from core.webhooks import endpoints
from sessions_app.models import StreamingSession, Vendor
from tests.factories import ALICE, ZEC, make_active_permission, stream
from zcash.addresses import Network, encode_sapling
from zcash.models import SpendingPermission

_numbers = itertools.count(1)


def active(vera: User, *, requested: int = 10 * ZEC) -> SpendingPermission:
    """Return a permission of now, of a wallet of its own, paid at a real address."""
    permission = make_active_permission(
        vera, wallet=f"wallet-{next(_numbers)}", requested=requested, now=clock.now()
    )
    data = str(permission.pk).encode().ljust(43, b"\1")
    address, wallet = (encode_sapling(each, network=Network.REGTEST) for each in (data, data[::-1]))
    rows = SpendingPermission.objects.filter(pk=permission.pk)
    rows.update(payment_address=address, wallet_address=wallet)
    permission.refresh_from_db()
    return permission


def revoked(vera: User, word: Word, *, requested: int = 10 * ZEC) -> SpendingPermission:
    """Return a permission that an operator has withdrawn; its refund is queued, if it is no rest."""
    permission = active(vera, requested=requested)
    interventions.revoke(permission, word=word, now=clock.now())
    refunds.queue_due(now=clock.now())
    permission.refresh_from_db()
    return permission


def failed(vera: User, word: Word) -> Refund:
    """Return a refund that the wallet has refused to pay."""
    refund = Refund.objects.get(permission=revoked(vera, word))
    Refund.objects.filter(pk=refund.pk).update(status="failed", attempts=1, reason="insufficient funds (-6)")
    return Refund.objects.get(pk=refund.pk)


def silent(vera: User) -> StreamingSession:
    """Return a session that has run for three hours without a heartbeat."""
    permission = active(vera)
    three_hours_ago = clock.now() - timedelta(hours=3)
    SpendingPermission.objects.filter(pk=permission.pk).update(settled_at=three_hours_ago)
    return StreamingSession.objects.get(
        code=stream(vera, wallet=permission.wallet_address, now=three_hours_ago)
    )


def payable(vera: User) -> Payout:
    """Return the queued payout of 1 ZEC, which a client's vendor123 has earned."""
    Vendor.objects.filter(client=vera).update(payout_address=ALICE)
    since = clock.now() - timedelta(days=3)
    permission = make_active_permission(vera, rate=ZEC, now=since)
    SpendingPermission.objects.filter(pk=permission.pk).update(payment_address=ALICE)
    engine.end(stream(vera, now=since), client_id=vera.pk, now=since + timedelta(hours=1))
    payouts.request("vendor123", client_id=vera.pk, now=clock.now())
    return Payout.objects.get(vendor__client=vera)


def delivered(vera: User) -> WebhookDelivery:
    """Return the delivery of an event to a client's webhook endpoint."""
    now = clock.now()
    endpoint = endpoints.create("https://vera.example/hook", client_id=vera.pk, now=now)
    with db.operation():
        outbox.emit("webhook.test", client_id=vera.pk, subject=endpoint.public_id, payload={}, now=now)
    publisher.publish_all(now=now)
    return WebhookDelivery.objects.get(endpoint=endpoint)
