"""What is sent to webhook endpoints, for the OpenAPI document: one entry for each kind of event."""

from drf_spectacular.utils import OpenApiResponse, OpenApiWebhook, extend_schema

from paygo.api.event_bodies import EventState, SessionEndedEvent
from paygo.api.event_kinds import KINDS

_ANSWERS = {
    "2XX": OpenApiResponse(description="Taken: it is not sent again."),
    410: OpenApiResponse(description="Nothing is sent to this endpoint ever again."),
    "default": OpenApiResponse(description="Not taken: it is sent again, over three days."),
}
# Of the others `docs/events.md` says what `data` has.
_BODIES = {"session.ended": SessionEndedEvent}
WEBHOOKS = [
    OpenApiWebhook(
        name=kind,
        decorator=extend_schema(
            summary=what,
            description="Signed with `webhook-id`, `webhook-timestamp` and `webhook-signature` "
            "(Standard Webhooks). It may come twice, and later than its successor: `id`, `sequence` and "
            "`position` tell.",
            operation_id=f"on_{kind.replace('.', '_')}",
            request=_BODIES.get(kind, EventState),
            responses=_ANSWERS,
            tags=["webhooks"],
        ),
    )
    for kind, what in KINDS.items()
]
