"""A method for every call of permissions. Written by clients/generate.py: do not edit."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from paygo_client import types as _types
from paygo_client.http import Transport
from paygo_client.sse import Event


class PermissionsCalls(Transport):
    """The calls of permissions; amounts are in ZEC."""

    def show_wallet_balance_and_capacity(
        self,
        address: str,
        *,
        rate_per_hour: Decimal | float | None = None,
    ) -> _types.WalletBalance:
        """Answer what is visible, and for how long it would last.

        Scope: `permissions:read`.
        """
        answer: _types.WalletBalance = self._json(
            "GET", f"/api/v1/zcash/balance/{self._part(address)}", query={"rate_per_hour": rate_per_hour}
        )
        return answer

    def create_spending_permission(
        self,
        *,
        rate_per_hour: Decimal | float,
        requested_amount: Decimal | float,
        user_wallet_address: str,
        duration_days: int | None = None,
        max_sessions: int | None = None,
        notify_email: str | None = None,
        refund_address: str | None = None,
        return_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> _types.CreatedPermission:
        """Give the viewer an address of their own to pay to.

        Scope: `permissions:write`.
        """
        answer: _types.CreatedPermission = self._json(
            "POST",
            "/api/v1/zcash/permissions",
            body=self._given(
                {
                    "rate_per_hour": rate_per_hour,
                    "requested_amount": requested_amount,
                    "user_wallet_address": user_wallet_address,
                },
                duration_days=duration_days,
                max_sessions=max_sessions,
                notify_email=notify_email,
                refund_address=refund_address,
                return_url=return_url,
            ),
            idempotency_key=idempotency_key,
        )
        return answer

    def show_active_permission_of_wallet(
        self,
        address: str,
    ) -> _types.WalletPermission:
        """Answer what is left at this very moment.

        Scope: `permissions:read`.
        """
        answer: _types.WalletPermission = self._json(
            "GET", f"/api/v1/zcash/permissions/wallet/{self._part(address)}"
        )
        return answer

    def show_permission(
        self,
        permission_id: str,
    ) -> _types.PermissionState:
        """Answer what is left at this very moment.

        Scope: `permissions:read`.
        """
        answer: _types.PermissionState = self._json(
            "GET", f"/api/v1/zcash/permissions/{self._part(permission_id)}"
        )
        return answer

    def make_payer_link(
        self,
        permission_id: str,
        *,
        lasts_minutes: int | None = None,
        valid_minutes: int | None = None,
        idempotency_key: str | None = None,
    ) -> _types.MadePayerLink:
        """Answer a link to the page where the viewer stops sessions, pays more, and takes the rest
        back.

        It is for the viewer alone: give it only to who has logged in with you. It ends with the key that
        made it. A repetition makes another, unless it has the same Idempotency-Key.

        Scope: `permissions:write`.
        """
        answer: _types.MadePayerLink = self._json(
            "POST",
            f"/api/v1/zcash/permissions/{self._part(permission_id)}/payer_links",
            body=self._given({}, lasts_minutes=lasts_minutes, valid_minutes=valid_minutes),
            idempotency_key=idempotency_key,
        )
        return answer

    def revoke_payer_links_of_permission(
        self,
        permission_id: str,
        *,
        idempotency_key: str | None = None,
    ) -> _types.RevokedPayerLinks:
        """End every link of the permission and close the pages that they have opened, at once.

        Scope: `permissions:write`.
        """
        answer: _types.RevokedPayerLinks = self._json(
            "POST",
            f"/api/v1/zcash/permissions/{self._part(permission_id)}/payer_links/revoke",
            idempotency_key=idempotency_key,
        )
        return answer

    def show_payment_of_permission_qr_code(
        self,
        permission_id: str,
        *,
        format_: Literal["png", "svg"] | None = None,
    ) -> bytes:
        """Answer the payment URI for what is missing, as an image.

        Scope: `permissions:read`.
        """
        return self._bytes(
            "GET", f"/api/v1/zcash/permissions/{self._part(permission_id)}/qr", query={"format": format_}
        )

    def change_refund_address_of_permission(
        self,
        permission_id: str,
        *,
        refund_address: str,
        idempotency_key: str | None = None,
    ) -> _types.PermissionState:
        """Take another address until the refund is sent; where money was seen, that waits for a day.

        Scope: `refunds:write`.
        """
        answer: _types.PermissionState = self._json(
            "POST",
            f"/api/v1/zcash/permissions/{self._part(permission_id)}/refund_address",
            body={"refund_address": refund_address},
            idempotency_key=idempotency_key,
        )
        return answer

    def revoke_permission(
        self,
        permission_id: str,
    ) -> _types.PermissionState:
        """End the permission and its sessions for good; a repetition answers the same.

        Scope: `permissions:write`.
        """
        answer: _types.PermissionState = self._json(
            "POST", f"/api/v1/zcash/permissions/{self._part(permission_id)}/revoke"
        )
        return answer

    def show_statement_of_permission(
        self,
        permission_id: str,
        *,
        after: int | None = None,
        format_: Literal["json", "csv", "html"] | None = None,
        limit: int | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> _types.StatementState:
        """Answer every movement of the permission's money, and what runs now.

        Scope: `permissions:read`.
        """
        answer: _types.StatementState = self._json(
            "GET",
            f"/api/v1/zcash/permissions/{self._part(permission_id)}/statement",
            query={"after": after, "format": format_, "limit": limit, "since": since, "until": until},
        )
        return answer

    def stream_permission(
        self,
        permission_id: str,
        *,
        every: int | None = None,
    ) -> Iterator[Event]:
        """Answer what `GET /permissions/{id}` does, now and whenever it has changed, as events
        `state`.

        When the permission has ended for good an event `end` follows, and the stream is over.

        Scope: `permissions:read`.
        """
        return self._stream(
            "GET", f"/api/v1/zcash/permissions/{self._part(permission_id)}/stream", query={"every": every}
        )

    def verify_payment_of_permission(
        self,
        permission_id: str,
    ) -> _types.VerifiedPermission:
        """Credit what is confirmed; 202 while the permission waits for money or confirmations.

        Scope: `permissions:write`.
        """
        answer: _types.VerifiedPermission = self._json(
            "POST", f"/api/v1/zcash/permissions/{self._part(permission_id)}/verify"
        )
        return answer
