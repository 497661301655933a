"""Calls about vendors and their prices."""

from types import MappingProxyType

from rest_framework.request import Request
from rest_framework.response import Response

from core import clock
from paygo.api.fields import VendorIdField, path_value
from paygo.api.schema import VENDOR_IN_PATH, documented
from paygo.api.vendor_bodies import (
    PricePage,
    PriceRequest,
    PricesQuery,
    PriceVersion,
    VendorPage,
    VendorRequest,
    VendorsQuery,
    VendorState,
    render_price,
    render_prices,
    render_vendor,
    render_vendors,
)
from paygo.api.views import ApiView, NoFields, body, client_id, query, receipt
from sessions_app import queries, vendors

READ, WRITE = "vendors:read", "vendors:write"


class Vendors(ApiView):
    """All vendors of a client."""

    scopes = MappingProxyType({"GET": READ, "POST": WRITE})

    @documented("List vendors", answers={200: VendorPage}, problems=(400, 503), parameters=[VendorsQuery])
    def get(self, request: Request) -> Response:
        """Answer the client's vendors in order of their ids, a page at a time."""
        asked = query(request, VendorsQuery)
        found = queries.vendors_of_client(
            client_id=client_id(request), after=asked.get("after", ""), limit=asked["limit"] + 1
        )
        return Response(render_vendors([vendors.record(each) for each in found], limit=asked["limit"]))

    @documented(
        "Create a vendor",
        request=VendorRequest,
        answers={201: VendorState},
        problems=(400, 409, 422, 503),
        idempotency_key=True,
    )
    def post(self, request: Request) -> Response:
        """Make somebody whose streams are paid for; 409 `vendor_exists` where the id is taken."""
        values = body(request, VendorRequest)
        client = client_id(request)
        made = vendors.create(
            values["vendor_id"],
            client_id=client,
            name=values["name"],
            price_zat_per_hour=values.get("rate_per_hour"),
            heartbeat_seconds=values.get("heartbeat_seconds"),
            actor=f"client:{client}",
            now=clock.now(),
            receipt=receipt(request, values),
        )
        headers = {"Location": f"{request.path}/{made.vendor_id}"}
        return Response(render_vendor(made), status=201, headers=headers)


class Vendor(ApiView):
    """One vendor."""

    scopes = MappingProxyType({"GET": READ})

    @documented(
        "Show a vendor",
        answers={200: VendorState},
        problems=(400, 404, 503),
        parameters=[VENDOR_IN_PATH],
    )
    def get(self, request: Request, vendor_id: str) -> Response:
        """Answer the vendor with its current price."""
        found = queries.find_vendor(client_id=client_id(request), slug=vendor_slug(vendor_id))
        return Response(render_vendor(vendors.record(found)))


class Prices(ApiView):
    """The versions of one vendor's price."""

    scopes = MappingProxyType({"GET": READ, "POST": WRITE})

    @documented(
        "List the prices of a vendor",
        answers={200: PricePage},
        problems=(400, 404, 503),
        parameters=[VENDOR_IN_PATH, PricesQuery],
    )
    def get(self, request: Request, vendor_id: str) -> Response:
        """Answer the versions, latest first, a page at a time."""
        slug = vendor_slug(vendor_id)
        asked = query(request, PricesQuery)
        vendor = queries.find_vendor(client_id=client_id(request), slug=slug)
        found = queries.prices(vendor, before=asked.get("after"), limit=asked["limit"] + 1)
        return Response(render_prices([vendors.price_record(each) for each in found], limit=asked["limit"]))

    @documented(
        "Set the price of a vendor",
        request=PriceRequest,
        answers={201: PriceVersion},
        problems=(400, 404, 409, 422, 503),
        parameters=[VENDOR_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, vendor_id: str) -> Response:
        """Add the next version, for sessions that start from now on; those that are open keep theirs."""
        slug = vendor_slug(vendor_id)
        values = body(request, PriceRequest)
        client = client_id(request)
        added = vendors.set_price(
            slug,
            client_id=client,
            price_zat_per_hour=values["rate_per_hour"],
            actor=f"client:{client}",
            now=clock.now(),
            receipt=receipt(request, values),
        )
        return Response(render_price(added), status=201)


class Activation(ApiView):
    """A vendor's return."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Activate a vendor",
        request=NoFields,
        answers={200: VendorState},
        problems=(400, 404, 409, 422, 503),
        parameters=[VENDOR_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, vendor_id: str) -> Response:
        """Let the vendor take sessions; an active one answers the same."""
        return _set_active(request, vendor_id, is_active=True)


class Deactivation(ApiView):
    """A vendor's leave."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Deactivate a vendor",
        request=NoFields,
        answers={200: VendorState},
        problems=(400, 404, 409, 422, 503),
        parameters=[VENDOR_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, vendor_id: str) -> Response:
        """Let the vendor take no new sessions, 404 `vendor_not_found`; those that are open go on."""
        return _set_active(request, vendor_id, is_active=False)


def _set_active(request: Request, vendor_id: str, *, is_active: bool) -> Response:
    slug = vendor_slug(vendor_id)
    values = body(request, NoFields)
    found = vendors.set_active(
        slug,
        client_id=client_id(request),
        is_active=is_active,
        now=clock.now(),
        receipt=receipt(request, values),
    )
    return Response(render_vendor(found))


def vendor_slug(vendor_id: str) -> str:
    """Return the vendor that a path names."""
    slug: str = path_value(VendorIdField(), vendor_id, name="vendor_id")
    return slug
