"""Deliveries: made when an event is published, claimed an endpoint at a time, recorded after each attempt."""

import random
from datetime import datetime, timedelta

from django.db.models import QuerySet

from core import db, outbox
from core.models import WebhookDelivery, WebhookEndpoint
from core.webhooks import attempts, rules
from core.webhooks.attempts import Answer
from core.webhooks.rules import DeliveryStatus, DisabledReason, Outcome

# An attempt takes less; a process that died gives its endpoint back after so long.
LEASE = timedelta(seconds=60)

# A part of the publisher's statement: what `published` (id, client_id, kind, position) is owed to whom.
OF_PUBLISHED = """
    INSERT INTO core_webhookdelivery (public_id, endpoint_id, event_id, created_at, next_attempt_at)
    SELECT gen_random_uuid(), w.id, p.id, %(now)s, %(now)s
    FROM published p JOIN core_webhookendpoint w
        ON w.client_id = p.client_id AND w.disabled_at IS NULL AND w.deleted_at IS NULL
        AND (w.kinds = '{}' OR p.kind = ANY(w.kinds))
    ORDER BY p.position
"""

# Every event of an endpoint's kinds within positions that it has not taken and is not owed already.
_MISSED = """
FROM core_webhookendpoint w JOIN core_event e ON e.client_id = w.client_id
WHERE w.id = %(endpoint)s AND e.position > %(after)s AND e.position <= %(until)s
  AND (w.kinds = '{}' OR e.kind = ANY(w.kinds))
  AND NOT EXISTS (SELECT FROM core_webhookdelivery d WHERE d.event_id = e.id AND d.endpoint_id = w.id
                  AND (d.status = 'pending' OR (d.status = 'delivered' AND NOT %(even_taken)s)))
"""
_COUNT_REPLAY = f"SELECT count(*) {_MISSED}"
_REPLAY = f"""
INSERT INTO core_webhookdelivery
    (public_id, endpoint_id, event_id, created_at, next_attempt_at, is_redelivery)
SELECT gen_random_uuid(), w.id, e.id, %(now)s, %(now)s, true
{_MISSED}
ORDER BY e.position
ON CONFLICT (endpoint_id, event_id) WHERE status = 'pending' DO NOTHING
"""


# Endpoints that are owed something by now and that nobody sends to, healthy or failing ones: those that were
# served longest ago first, a slow one must not have every turn, and of a client no more than its share of
# lanes with those that it has already, in whichever process. What another process claims now is skipped.
_CLAIM = """
WITH owed AS MATERIALIZED (
    SELECT w.id, row_number() OVER (PARTITION BY w.client_id ORDER BY w.lane_until NULLS FIRST, w.id)
           + (SELECT count(*) FROM core_webhookendpoint o WHERE o.client_id = w.client_id
              AND o.lane_until > %(now)s AND (o.failing_since IS NULL) = %(healthy)s) AS nth
    FROM core_webhookendpoint w
    WHERE w.disabled_at IS NULL AND w.deleted_at IS NULL AND (w.failing_since IS NULL) = %(healthy)s
      AND (w.lane_until IS NULL OR w.lane_until <= %(now)s)
      AND (w.resume_at IS NULL OR w.resume_at <= %(now)s)
      AND EXISTS (SELECT FROM core_webhookdelivery d WHERE d.endpoint_id = w.id AND d.status = 'pending'
                  AND d.next_attempt_at <= %(now)s)
), chosen AS (
    SELECT w.id FROM core_webhookendpoint w JOIN owed ON owed.id = w.id
    WHERE owed.nth <= %(share)s AND (w.lane_until IS NULL OR w.lane_until <= %(now)s)
    ORDER BY w.lane_until NULLS FIRST, w.id LIMIT %(limit)s
    FOR NO KEY UPDATE OF w SKIP LOCKED
)
UPDATE core_webhookendpoint w SET lane_until = %(lease_until)s FROM chosen WHERE w.id = chosen.id
RETURNING w.id
"""


def claim_lanes(*, limit: int, share: int, healthy: bool, now: datetime) -> list[WebhookEndpoint]:
    """Take some endpoints that are owed something for this process alone, of a client at most its share."""
    asked = {"limit": limit, "share": share, "healthy": healthy, "now": now, "lease_until": now + LEASE}
    with db.operation():
        claimed = [key for (key,) in db.rows(_CLAIM, asked)]
    return list(WebhookEndpoint.objects.filter(pk__in=claimed))


def release_lane(endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """Give an endpoint back; others that are owed something come before it now."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(lane_until=now)


def due(endpoint: WebhookEndpoint, *, now: datetime, limit: int) -> list[WebhookDelivery]:
    """Return what an endpoint is owed by now, in order of events; nothing where it is disabled meanwhile."""
    return list(_due(now=now).filter(endpoint=endpoint).order_by("event__position")[:limit])


def still_due(delivery: WebhookDelivery, *, now: datetime) -> WebhookDelivery | None:
    """Return a delivery that was due a while ago, with its endpoint, as they are now; None: no longer."""
    return _due(now=now).filter(pk=delivery.pk).first()


def record(delivery: WebhookDelivery, answer: Answer, *, now: datetime) -> Outcome:
    """Write an attempt into the log, and what follows from it for the delivery and its endpoint.

    A repetition by a process that had lost its lease is logged, and changes nothing that is final.
    """
    outcome = rules.outcome(answer.status)
    with db.operation():
        endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=delivery.endpoint_id)
        current = WebhookDelivery.objects.select_for_update(no_key=True).get(pk=delivery.pk)
        current.attempts += 1
        attempts.write(current, answer, url=delivery.endpoint.url, now=now)
        if current.status == DeliveryStatus.PENDING:
            _follow(current, outcome, now=now)
        current.save(update_fields=["attempts", "status", "next_attempt_at", "finished_at"])
        _judge(endpoint, outcome, now=now)
    return outcome


def give_up_old(*, now: datetime) -> int:
    """Give up what has waited for its endpoint for longer than a delivery lives; return how many."""
    old = WebhookDelivery.objects.filter(status=DeliveryStatus.PENDING, created_at__lte=now - rules.LIFE)
    return old.update(status=DeliveryStatus.FAILED, next_attempt_at=None, finished_at=now)


def replay(
    endpoint: WebhookEndpoint, *, after: int, until: int, now: datetime, even_taken: bool = False
) -> int:
    """Let an endpoint have every event within positions that it has not taken; return how many."""
    with db.operation():
        return db.execute(
            _REPLAY,
            {"endpoint": endpoint.pk, "after": after, "until": until, "now": now, "even_taken": even_taken},
        )


def count_replay(endpoint: WebhookEndpoint, *, after: int, until: int, even_taken: bool) -> int:
    """Return how many events `replay` would let an endpoint have."""
    where = {"endpoint": endpoint.pk, "after": after, "until": until, "even_taken": even_taken}
    (count,) = db.row(_COUNT_REPLAY, where)
    return int(count)


def disable(endpoint: WebhookEndpoint, *, reason: DisabledReason, now: datetime) -> None:
    """Send nothing more to a locked endpoint, tell its client so, and give up what it is owed; a step."""
    db.require_transaction()
    endpoint.disabled_at, endpoint.disabled_reason = now, reason
    endpoint.save(update_fields=["disabled_at", "disabled_reason"])
    owed = WebhookDelivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING)
    given_up = owed.update(status=DeliveryStatus.FAILED, next_attempt_at=None, finished_at=now)
    outbox.emit(
        "webhook.disabled",
        client_id=endpoint.client_id,
        subject=endpoint.public_id,
        payload={
            "endpoint_id": str(endpoint.public_id),
            "url": endpoint.url,
            "reason": reason,
            "failing_since": endpoint.failing_since.isoformat() if endpoint.failing_since else None,
            "given_up": given_up,
        },
        now=now,
    )


def _due(*, now: datetime) -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.filter(
        status=DeliveryStatus.PENDING,
        next_attempt_at__lte=now,
        endpoint__disabled_at=None,
        endpoint__deleted_at=None,
    ).select_related("event", "endpoint")


def _follow(delivery: WebhookDelivery, outcome: Outcome, *, now: datetime) -> None:
    wait = rules.retry_after(delivery.attempts, chance=random.random())  # noqa: S311  # jitter, no secret
    if outcome is Outcome.TAKEN:
        delivery.status = DeliveryStatus.DELIVERED
    elif wait is None or outcome is Outcome.GONE:
        delivery.status = DeliveryStatus.FAILED
    else:
        delivery.next_attempt_at = now + wait
        return
    delivery.next_attempt_at, delivery.finished_at = None, now


def _judge(endpoint: WebhookEndpoint, outcome: Outcome, *, now: datetime) -> None:
    """Let an endpoint recover, be left alone for a while, or be switched off."""
    if outcome is Outcome.TAKEN:
        endpoint.failing_since, endpoint.failures, endpoint.resume_at = None, 0, None
    else:
        endpoint.failing_since = endpoint.failing_since or now
        endpoint.failures += 1
        endpoint.resume_at = now + rules.pause(endpoint.failures) if outcome is Outcome.DOWN else None
    endpoint.save(update_fields=["failing_since", "failures", "resume_at"])
    if not endpoint.is_enabled:
        return
    if outcome is Outcome.GONE:
        disable(endpoint, reason=DisabledReason.GONE, now=now)
    elif endpoint.failing_since and now - endpoint.failing_since >= rules.DISABLE_AFTER:
        disable(endpoint, reason=DisabledReason.FAILING, now=now)
