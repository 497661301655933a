"""Calls about what a vendor costs in the tokens of Ethereum authorisations."""

from types import MappingProxyType

from rest_framework.request import Request
from rest_framework.response import Response

from billing import token_prices
from core import clock
from paygo.api.schema import VENDOR_IN_PATH, documented
from paygo.api.vendor_bodies import (
    PricesQuery,
    TokenPricePage,
    TokenPriceRequest,
    TokenPriceVersion,
    render_token_price,
    render_token_prices,
)
from paygo.api.vendors import READ, WRITE, vendor_slug
from paygo.api.views import ApiView, body, client_id, query, receipt
from sessions_app import queries


class TokenPrices(ApiView):
    """The versions of one vendor's prices in tokens."""

    scopes = MappingProxyType({"GET": READ, "POST": WRITE})

    @documented(
        "List the token prices of a vendor",
        answers={200: TokenPricePage},
        problems=(400, 404, 503),
        parameters=[VENDOR_IN_PATH, PricesQuery],
    )
    def get(self, request: Request, vendor_id: str) -> Response:
        """Answer the versions, latest first, a page at a time; the first of each token is its price now."""
        slug = vendor_slug(vendor_id)
        asked = query(request, PricesQuery)
        vendor = queries.find_vendor(client_id=client_id(request), slug=slug)
        found = queries.token_prices(vendor, before=asked.get("after"), limit=asked["limit"] + 1)
        records = [token_prices.record(each) for each in found]
        return Response(render_token_prices(records, limit=asked["limit"]))

    @documented(
        "Set the price of a vendor in a token",
        request=TokenPriceRequest,
        answers={201: TokenPriceVersion},
        problems=(400, 404, 409, 422, 503),
        parameters=[VENDOR_IN_PATH],
        idempotency_key=True,
    )
    def post(self, request: Request, vendor_id: str) -> Response:
        """Add the next version, for sessions that start from now on; those that are open keep theirs."""
        slug = vendor_slug(vendor_id)
        values = body(request, TokenPriceRequest)
        client = client_id(request)
        added = token_prices.set_price(
            slug,
            token_prices.TokenPrice(values["chain_id"], values["token"], values["rate_per_hour"]),
            client_id=client,
            actor=f"client:{client}",
            now=clock.now(),
            receipt=receipt(request, values),
        )
        return Response(render_token_price(added), status=201)
