"""A method for every call of vendors. Written by clients/generate.py: do not edit."""

from decimal import Decimal
from typing import Literal

from paygo_client import types as _types
from paygo_client.http import Transport


class VendorsCalls(Transport):
    """The calls of vendors; amounts are in ZEC."""

    def list_vendors(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> _types.VendorPage:
        """Answer the client's vendors in order of their ids, a page at a time.

        Scope: `vendors:read`.
        """
        answer: _types.VendorPage = self._json(
            "GET", "/api/v1/vendors", query={"after": after, "limit": limit}
        )
        return answer

    def create_vendor(
        self,
        *,
        name: str,
        vendor_id: str,
        heartbeat_seconds: int | None = None,
        rate_per_hour: Decimal | float | None = None,
        idempotency_key: str | None = None,
    ) -> _types.VendorState:
        """Make somebody whose streams are paid for; 409 `vendor_exists` where the id is taken.

        Scope: `vendors:write`.
        """
        answer: _types.VendorState = self._json(
            "POST",
            "/api/v1/vendors",
            body=self._given(
                {"name": name, "vendor_id": vendor_id},
                heartbeat_seconds=heartbeat_seconds,
                rate_per_hour=rate_per_hour,
            ),
            idempotency_key=idempotency_key,
        )
        return answer

    def show_vendor(
        self,
        vendor_id: str,
    ) -> _types.VendorState:
        """Answer the vendor with its current price.

        Scope: `vendors:read`.
        """
        answer: _types.VendorState = self._json("GET", f"/api/v1/vendors/{self._part(vendor_id)}")
        return answer

    def activate_vendor(
        self,
        vendor_id: str,
        *,
        idempotency_key: str | None = None,
    ) -> _types.VendorState:
        """Let the vendor take sessions; an active one answers the same.

        Scope: `vendors:write`.
        """
        answer: _types.VendorState = self._json(
            "POST", f"/api/v1/vendors/{self._part(vendor_id)}/activate", idempotency_key=idempotency_key
        )
        return answer

    def deactivate_vendor(
        self,
        vendor_id: str,
        *,
        idempotency_key: str | None = None,
    ) -> _types.VendorState:
        """Let the vendor take no new sessions, 404 `vendor_not_found`; those that are open go on.

        Scope: `vendors:write`.
        """
        answer: _types.VendorState = self._json(
            "POST", f"/api/v1/vendors/{self._part(vendor_id)}/deactivate", idempotency_key=idempotency_key
        )
        return answer

    def show_earnings_of_vendor(
        self,
        vendor_id: str,
    ) -> _types.EarningsState:
        """Answer what streams have earned, what of it can be paid out, and what was.

        Scope: `vendors:read`.
        """
        answer: _types.EarningsState = self._json("GET", f"/api/v1/vendors/{self._part(vendor_id)}/earnings")
        return answer

    def set_payout_terms_of_vendor(
        self,
        vendor_id: str,
        *,
        payout_address: str | None,
        payout_schedule: Literal["manual", "daily", "weekly", "monthly"],
        payout_minimum: Decimal | float | None = None,
        idempotency_key: str | None = None,
    ) -> _types.PayoutTermsState:
        """Say where earnings go to; an address that is new is not paid before a delay is over.

        Scope: `payouts:write`.
        """
        answer: _types.PayoutTermsState = self._json(
            "POST",
            f"/api/v1/vendors/{self._part(vendor_id)}/payout_terms",
            body=self._given(
                {"payout_address": payout_address, "payout_schedule": payout_schedule},
                payout_minimum=payout_minimum,
            ),
            idempotency_key=idempotency_key,
        )
        return answer

    def list_payouts_of_vendor(
        self,
        vendor_id: str,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> _types.PayoutPage:
        """Answer the payouts, latest first, a page at a time.

        Scope: `vendors:read`.
        """
        answer: _types.PayoutPage = self._json(
            "GET", f"/api/v1/vendors/{self._part(vendor_id)}/payouts", query={"after": after, "limit": limit}
        )
        return answer

    def ask_for_payout_to_vendor(
        self,
        vendor_id: str,
        *,
        idempotency_key: str | None = None,
    ) -> _types.PayoutState:
        """Pay out all that is available, whatever schedule and minimum say.

        Scope: `payouts:write`.
        """
        answer: _types.PayoutState = self._json(
            "POST", f"/api/v1/vendors/{self._part(vendor_id)}/payouts", idempotency_key=idempotency_key
        )
        return answer

    def list_prices_of_vendor(
        self,
        vendor_id: str,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> _types.PricePage:
        """Answer the versions, latest first, a page at a time.

        Scope: `vendors:read`.
        """
        answer: _types.PricePage = self._json(
            "GET", f"/api/v1/vendors/{self._part(vendor_id)}/prices", query={"after": after, "limit": limit}
        )
        return answer

    def set_price_of_vendor(
        self,
        vendor_id: str,
        *,
        rate_per_hour: Decimal | float | None,
        idempotency_key: str | None = None,
    ) -> _types.PriceVersion:
        """Add the next version, for sessions that start from now on; those that are open keep theirs.

        Scope: `vendors:write`.
        """
        answer: _types.PriceVersion = self._json(
            "POST",
            f"/api/v1/vendors/{self._part(vendor_id)}/prices",
            body={"rate_per_hour": rate_per_hour},
            idempotency_key=idempotency_key,
        )
        return answer

    def show_statement_of_vendor(
        self,
        vendor_id: str,
        *,
        after: int | None = None,
        format_: Literal["json", "csv", "html"] | None = None,
        limit: int | None = None,
        payout: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> _types.StatementState:
        """Answer every movement of the vendor's money, or what one payout is made of, line by line.

        Scope: `vendors:read`.
        """
        answer: _types.StatementState = self._json(
            "GET",
            f"/api/v1/vendors/{self._part(vendor_id)}/statement",
            query={
                "after": after,
                "format": format_,
                "limit": limit,
                "payout": payout,
                "since": since,
                "until": until,
            },
        )
        return answer

    def list_token_prices_of_vendor(
        self,
        vendor_id: str,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> _types.TokenPricePage:
        """Answer the versions, latest first, a page at a time; the first of each token is its price
        now.

        Scope: `vendors:read`.
        """
        answer: _types.TokenPricePage = self._json(
            "GET",
            f"/api/v1/vendors/{self._part(vendor_id)}/token_prices",
            query={"after": after, "limit": limit},
        )
        return answer

    def set_price_of_vendor_in_token(
        self,
        vendor_id: str,
        *,
        chain_id: int,
        rate_per_hour: str | None,
        token: str,
        idempotency_key: str | None = None,
    ) -> _types.TokenPriceVersion:
        """Add the next version, for sessions that start from now on; those that are open keep theirs.

        Scope: `vendors:write`.
        """
        answer: _types.TokenPriceVersion = self._json(
            "POST",
            f"/api/v1/vendors/{self._part(vendor_id)}/token_prices",
            body={"chain_id": chain_id, "rate_per_hour": rate_per_hour, "token": token},
            idempotency_key=idempotency_key,
        )
        return answer
