"""The round of events as Celery and `manage.py bill` both call it: safe twice, and at the same time."""

from datetime import datetime

from core import clock, publisher
from core.models import Event
from core.webhooks import deliveries
from core.webhooks.courier import courier


def event_round() -> int:
    """Publish what has happened and start to deliver what is due; return how many events were published.

    Deliveries go on in threads of this process: a receiver that hangs holds up nobody.
    """
    published = publisher.publish_all(now=clock.now())
    deliveries.give_up_old(now=clock.now())
    courier.dispatch(now=clock.now())
    return published


def oldest_unpublished() -> datetime | None:
    """Return when the oldest event happened that no reader can see yet, None where there is none."""
    waiting = Event.objects.filter(position=None).order_by("id")
    return waiting.values_list("created_at", flat=True).first()
