"""Calls about events: what happened, in order, for whoever missed it or does not listen."""

from types import MappingProxyType

from rest_framework.request import Request
from rest_framework.response import Response

from core import clock, feed, publisher
from paygo.api.event_bodies import EventPage, EventsQuery, render_page
from paygo.api.schema import documented
from paygo.api.views import ApiView, client_id, query

READ = "events:read"


class Events(ApiView):
    """All events of a client."""

    scopes = MappingProxyType({"GET": READ})

    @documented("List events", answers={200: EventPage}, problems=(400, 503), parameters=[EventsQuery])
    def get(self, request: Request) -> Response:
        """Answer what happened after a position; ask again from `next_after` on, and nothing is missed."""
        asked = query(request, EventsQuery)
        # Whoever asks need not wait for the next round.
        publisher.publish(now=clock.now())
        page = feed.page(
            client_id=client_id(request),
            after=asked["after"],
            limit=asked["limit"],
            kinds=[asked["type"]] if "type" in asked else (),
            subject=asked.get("subject"),
        )
        return Response(render_page(page))
