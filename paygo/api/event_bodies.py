"""Bodies of the calls about events."""

from typing import Any

from rest_framework import serializers

from core import feed
from core.feed import FeedPage
from paygo.api.event_kinds import KINDS
from paygo.api.fields import ChoiceField, StrictSerializer, UuidTextField, WholeTextField
from paygo.api.session_bodies import AssetTotal
from sessions_app.rules import EndReason

_LIMIT, _MOST = 100, 500
LAST_POSITION = 10**15
_POSITION = "Its place among all events of the service; a client's later ones have higher ones."
_SEQUENCE = "Counts the events of one subject from 1, without a gap."


class EventsQuery(StrictSerializer):
    """Which of a client's events."""

    after = WholeTextField(
        low=0, high=LAST_POSITION, default=0, help_text="Those after this position; 0: from the first on."
    )
    limit = WholeTextField(low=1, high=_MOST, default=_LIMIT, help_text="Events on a page.")
    type = ChoiceField(KINDS, required=False, help_text="Those of one kind.")
    subject = UuidTextField(required=False, help_text="Those about one permission, session or endpoint.")


class EventState(serializers.Serializer[Any]):
    """An event; a webhook's body is one, and a stream's data. It never changes."""

    id = serializers.UUIDField(help_text="A webhook has it as `webhook-id`: know it to act once.")
    type = serializers.CharField()
    timestamp = serializers.DateTimeField(help_text="When it was booked")
    position = serializers.IntegerField(help_text=_POSITION)
    sequence = serializers.IntegerField(help_text=_SEQUENCE)
    subject = serializers.UUIDField(help_text="The permission, the session or the endpoint that it is about")
    data = serializers.DictField()  # type: ignore[assignment]


class SessionCost(serializers.Serializer[Any]):
    """A session that has ended, and what it cost."""

    session_id = serializers.UUIDField()
    session_code = serializers.CharField()
    user_wallet_address = serializers.CharField()
    vendor_id = serializers.CharField()
    rate_per_hour = serializers.CharField(allow_null=True, help_text="In ZEC; null: a token alone paid")
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    end_reason = ChoiceField([each.value for each in EndReason])
    duration_seconds = serializers.FloatField(help_text="Billed, to the millisecond")
    amount = serializers.CharField(help_text="In ZEC, to the zatoshi")
    totals = AssetTotal(many=True, help_text="What it cost in each asset that paid")


class SessionEndedEvent(EventState):
    """The event that a session has ended."""

    data = SessionCost()  # type: ignore[assignment]


class EventPage(serializers.Serializer[Any]):
    """Some of a client's events, in order."""

    events = EventState(many=True)
    next_after = serializers.IntegerField(help_text="`after` of the next page, now or later")
    has_more = serializers.BooleanField(help_text="Whether there is a next page already")


def render_page(page: FeedPage) -> dict[str, Any]:
    """Return a page of events."""
    return {
        "events": [feed.envelope(each) for each in page.events],
        "next_after": page.next_after,
        "has_more": page.has_more,
    }
