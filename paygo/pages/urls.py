"""Paths of the pages for people."""

from django.urls import path, register_converter

from paygo.pages import checkout, landing, payer


class TokenConverter:
    """A token as links have it; whatever else is there is no page, and is not looked for."""

    regex = "[A-Za-z0-9_-]{32}"

    def to_python(self, value: str) -> str:
        """Return the token."""
        return value

    def to_url(self, value: str) -> str:
        """Return the token."""
        return value


register_converter(TokenConverter, "token")

urlpatterns = [
    path("", landing.page, name="landing"),
    path("checkout/<token:token>", checkout.page, name="checkout"),
    path("checkout/<token:token>/state", checkout.state, name="checkout-state"),
    path("checkout/<token:token>/refund-address", checkout.refund_address, name="checkout-refund-address"),
    path("payer/", payer.page, name="payer"),
    path("payer/open/<token:token>", payer.open_link, name="payer-open"),
    path("payer/state", payer.state, name="payer-state"),
    path("payer/stop", payer.stop, name="payer-stop"),
    path("payer/revoke", payer.revoke, name="payer-revoke"),
    path("payer/refund-address", payer.refund_address, name="payer-refund-address"),
    path("payer/leave", payer.leave, name="payer-leave"),
]
