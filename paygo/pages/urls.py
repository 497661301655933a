"""Paths of the pages for people."""

from django.templatetags.static import static
from django.urls import path, register_converter
from django.views.generic import RedirectView

from paygo.pages import checkout, demo, landing, mail_stop, payer


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
    path("mail/stop/<str:token>", mail_stop.page, name="mail-stop"),
    path("", landing.page, name="landing"),
    # What browsers ask for by themselves, on pages that name no icon.
    path("favicon.ico", RedirectView.as_view(url=static("pages/icon.svg"))),
    path("checkout/<token:token>", checkout.page, name="checkout"),
    path("checkout/<token:token>/state", checkout.state, name="checkout-state"),
    path("checkout/<token:token>/refund-address", checkout.refund_address, name="checkout-refund-address"),
    path("demo/", demo.landing, name="demo"),
    path("demo/begin", demo.begin, name="demo-begin"),
    path("demo/<token:token>", demo.player, name="demo-player"),
    path("demo/<token:token>/state", demo.state, name="demo-state"),
    path("demo/<token:token>/beat", demo.beat, name="demo-beat"),
    path("demo/<token:token>/<slug:verb>", demo.act, name="demo-act"),
    path("payer/", payer.page, name="payer"),
    path("payer/open/<token:token>", payer.open_link, name="payer-open"),
    path("payer/state", payer.state, name="payer-state"),
    path("payer/statement", payer.statement, name="payer-statement"),
    path("payer/statement.csv", payer.statement_table, name="payer-statement-csv"),
    path("payer/stop", payer.stop, name="payer-stop"),
    path("payer/revoke", payer.revoke, name="payer-revoke"),
    path("payer/refund-address", payer.refund_address, name="payer-refund-address"),
    path("payer/leave", payer.leave, name="payer-leave"),
]
