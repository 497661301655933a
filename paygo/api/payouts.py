"""Calls about what vendors have earned and are paid."""

from types import MappingProxyType

from rest_framework.request import Request
from rest_framework.response import Response

from billing import earnings, payout_records, payouts
from core import clock
from paygo.api.fields import VendorIdField, path_value
from paygo.api.payout_bodies import (
    EarningsState,
    PayoutPage,
    PayoutsQuery,
    PayoutState,
    PayoutTermsRequest,
    PayoutTermsState,
    render_earnings,
    render_payout,
    render_payouts,
    render_terms,
)
from paygo.api.schema import VENDOR_IN_PATH, documented
from paygo.api.views import ApiView, NoFields, body, client_id, query, receipt
from sessions_app import queries
from sessions_app.models import Vendor
from sessions_app.rules import PayoutSchedule

READ, WRITE = "vendors:read", "payouts:write"


class VendorEarnings(ApiView):
    """What a vendor has earned."""

    scopes = MappingProxyType({"GET": READ})

    @documented(
        "Show the earnings of a vendor",
        answers={200: EarningsState},
        problems=(400, 404, 503),
        parameters=[VENDOR_IN_PATH],
    )
    def get(self, request: Request, vendor_id: str) -> Response:
        """Answer what streams have earned, what of it can be paid out, and what was."""
        vendor = _vendor(request, vendor_id)
        earned = earnings.of_vendor(vendor, now=clock.now())
        return Response(render_earnings(vendor, earned, earnings.in_tokens(vendor)))


class Payouts(ApiView):
    """A vendor's payouts."""

    scopes = MappingProxyType({"GET": READ, "POST": WRITE})

    @documented(
        "List the payouts of a vendor",
        answers={200: PayoutPage},
        problems=(400, 404, 503),
        parameters=[VENDOR_IN_PATH, PayoutsQuery],
    )
    def get(self, request: Request, vendor_id: str) -> Response:
        """Answer the payouts, latest first, a page at a time."""
        asked = query(request, PayoutsQuery)
        vendor = _vendor(request, vendor_id)
        found = payout_records.page(vendor, before=asked.get("after"), limit=asked["limit"] + 1)
        return Response(render_payouts(found, limit=asked["limit"]))

    @documented(
        "Ask for a payout to a vendor",
        request=NoFields,
        answers={201: PayoutState},
        problems=(400, 404, 409, 422, 503),
        parameters=[VENDOR_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, vendor_id: str) -> Response:
        """Pay out all that is available, whatever schedule and minimum say."""
        slug = _slug(vendor_id)
        values = body(request, NoFields)
        made = payouts.request(
            slug, client_id=client_id(request), now=clock.now(), receipt=receipt(request, values)
        )
        return Response(render_payout(made), status=201)


class PayoutTerms(ApiView):
    """How a vendor is paid."""

    scopes = MappingProxyType({"POST": WRITE})

    @documented(
        "Set the payout terms of a vendor",
        request=PayoutTermsRequest,
        answers={200: PayoutTermsState},
        problems=(400, 404, 409, 422, 503),
        parameters=[VENDOR_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, vendor_id: str) -> Response:
        """Say where earnings go to; an address that is new is not paid before a delay is over."""
        slug = _slug(vendor_id)
        values = body(request, PayoutTermsRequest)
        vendor = payouts.set_terms(
            slug,
            client_id=client_id(request),
            address=values["payout_address"],
            schedule=PayoutSchedule(values["payout_schedule"]),
            minimum_zat=values.get("payout_minimum"),
            now=clock.now(),
            receipt=receipt(request, values),
        )
        return Response(render_terms(vendor))


def _vendor(request: Request, vendor_id: str) -> Vendor:
    return queries.find_vendor(client_id=client_id(request), slug=_slug(vendor_id))


def _slug(vendor_id: str) -> str:
    slug: str = path_value(VendorIdField(), vendor_id, name="vendor_id")
    return slug
