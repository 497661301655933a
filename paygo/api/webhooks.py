"""Calls about webhook endpoints and what was delivered to them."""

from datetime import timedelta
from types import MappingProxyType

from rest_framework.request import Request
from rest_framework.response import Response

from core import clock
from core.webhooks import attempts, endpoints, rules
from paygo.api.fields import path_uuid
from paygo.api.schema import DELIVERY_IN_PATH, ENDPOINT_IN_PATH, documented
from paygo.api.views import ApiView, NoFields, body, client_id, query, receipt
from paygo.api.webhook_bodies import (
    DeletedEndpoint,
    DeliveriesQuery,
    DeliveryPage,
    DeliveryState,
    DeliveryWithLog,
    EndpointList,
    EndpointRequest,
    EndpointState,
    EndpointWithSecret,
    RotationRequest,
    render_deliveries,
    render_delivery,
    render_endpoint,
    render_with_log,
    render_with_secret,
)

READ, WRITE = "webhooks:read", "webhooks:write"


class WebhookEndpoints(ApiView):
    """All endpoints of a client."""

    scopes = MappingProxyType({"GET": READ, "POST": WRITE})

    @documented("List webhook endpoints", answers={200: EndpointList}, problems=(503,))
    def get(self, request: Request) -> Response:
        """Answer the client's endpoints, oldest first."""
        found = endpoints.of_client(client_id(request)).order_by("id")
        return Response({"endpoints": [render_endpoint(each) for each in found]})

    @documented(
        "Create a webhook endpoint",
        request=EndpointRequest,
        answers={201: EndpointWithSecret},
        problems=(400, 409, 422, 503),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Be told of every event from now on; the answer has the secret that its signature verifies by."""
        values = body(request, EndpointRequest)
        made = endpoints.create(
            values["url"],
            client_id=client_id(request),
            kinds=values.get("types", ()),
            description=values.get("description", ""),
            now=clock.now(),
            receipt=receipt(request, values),
        )
        headers = {"Location": f"{request.path}/{made.public_id}"}
        return Response(render_with_secret(made), status=201, headers=headers)


class WebhookEndpoint(ApiView):
    """One endpoint."""

    scopes = MappingProxyType({"GET": READ})

    @documented(
        "Show a webhook endpoint",
        answers={200: EndpointState},
        problems=(400, 404, 503),
        parameters=[ENDPOINT_IN_PATH],
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """Answer the endpoint, and since when it fails."""
        public_id = path_uuid(endpoint_id, field="endpoint_id")
        return Response(render_endpoint(endpoints.find(public_id, client_id=client_id(request))))


class WebhookRotation(ApiView):
    """Another secret for an endpoint."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Rotate the secret of a webhook endpoint",
        request=RotationRequest,
        answers={200: EndpointWithSecret},
        problems=(400, 404, 409, 422, 503),
        parameters=[ENDPOINT_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Sign with a new secret, and with those that are valid by now too until `overlap_hours` are over."""
        values = body(request, RotationRequest)
        hours = values.get("overlap_hours")
        rotated = endpoints.rotate(
            path_uuid(endpoint_id, field="endpoint_id"),
            client_id=client_id(request),
            overlap=rules.OVERLAP if hours is None else timedelta(hours=hours),
            now=clock.now(),
            receipt=receipt(request, values),
        )
        return Response(render_with_secret(rotated))


class WebhookEnabling(ApiView):
    """The return of an endpoint."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Enable a webhook endpoint",
        request=NoFields,
        answers={200: EndpointState},
        problems=(400, 404, 409, 422, 503),
        parameters=[ENDPOINT_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Send events to it again; those of the time between are in `GET /api/v1/events`."""
        values = body(request, NoFields)
        public_id = path_uuid(endpoint_id, field="endpoint_id")
        found = endpoints.enable(
            public_id, client_id=client_id(request), now=clock.now(), receipt=receipt(request, values)
        )
        return Response(render_endpoint(found))


class WebhookDisabling(ApiView):
    """The rest of an endpoint."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Disable a webhook endpoint",
        request=NoFields,
        answers={200: EndpointState},
        problems=(400, 404, 409, 422, 503),
        parameters=[ENDPOINT_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Send nothing to it, until it is enabled again."""
        values = body(request, NoFields)
        public_id = path_uuid(endpoint_id, field="endpoint_id")
        found = endpoints.disable(
            public_id, client_id=client_id(request), now=clock.now(), receipt=receipt(request, values)
        )
        return Response(render_endpoint(found))


class WebhookDeletion(ApiView):
    """The end of an endpoint."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Delete a webhook endpoint",
        request=NoFields,
        answers={200: DeletedEndpoint},
        problems=(400, 404, 409, 422, 503),
        parameters=[ENDPOINT_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Send nothing to it ever again, and forget its secret."""
        values = body(request, NoFields)
        public_id = path_uuid(endpoint_id, field="endpoint_id")
        endpoints.delete(
            public_id, client_id=client_id(request), now=clock.now(), receipt=receipt(request, values)
        )
        return Response({"endpoint_id": str(public_id)})


class WebhookDeliveries(ApiView):
    """The log of one endpoint."""

    scopes = MappingProxyType({"GET": READ})

    @documented(
        "List webhook deliveries",
        answers={200: DeliveryPage},
        problems=(400, 404, 503),
        parameters=[ENDPOINT_IN_PATH, DeliveriesQuery],
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """Answer what was and is to be delivered, newest first, a page at a time."""
        public_id = path_uuid(endpoint_id, field="endpoint_id")
        asked = query(request, DeliveriesQuery)
        endpoint = endpoints.find(public_id, client_id=client_id(request))
        found = endpoints.log_of(endpoint, before=asked.get("after"), limit=asked["limit"] + 1)
        return Response(render_deliveries(found, limit=asked["limit"]))


class WebhookDelivery(ApiView):
    """One delivery."""

    scopes = MappingProxyType({"GET": READ})

    @documented(
        "Show a webhook delivery",
        answers={200: DeliveryWithLog},
        problems=(400, 404, 503),
        parameters=[DELIVERY_IN_PATH],
    )
    def get(self, request: Request, delivery_id: str) -> Response:
        """Answer what was sent at each attempt, and what came back."""
        public_id = path_uuid(delivery_id, field="delivery_id")
        found = endpoints.find_delivery(public_id, client_id=client_id(request))
        return Response(render_with_log(found, attempts.of(found)))


class WebhookRedelivery(ApiView):
    """Another delivery of the same event."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Redeliver a webhook",
        request=NoFields,
        answers={202: DeliveryState},
        problems=(400, 404, 409, 422, 503),
        parameters=[DELIVERY_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, delivery_id: str) -> Response:
        """Send the event once more, with the same `webhook-id`; one that still waits is sent at once."""
        values = body(request, NoFields)
        public_id = path_uuid(delivery_id, field="delivery_id")
        again = endpoints.redeliver(
            public_id, client_id=client_id(request), now=clock.now(), receipt=receipt(request, values)
        )
        return Response(render_delivery(again), status=202)
