"""The checkout page: a viewer pays for a permission and sees how far the payment is."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from billing import refunds
from core import clock
from core.errors import DomainError, Invalid
from paygo.pages import answers, checkout_state, checkouts
from paygo.pages.checkout_state import CheckoutState
from paygo.pages.models import Checkout
from zcash.wallets import viewers_wallet

_PARTS = {
    "progress": "pages/parts/checkout_progress.html",
    "pay": "pages/parts/checkout_pay.html",
    "refund": "pages/parts/checkout_refund.html",
}
# Once it is paid nothing changes from second to second.
_QUICK_SECONDS, _CALM_SECONDS = 2, 15


@answers.private
@require_safe
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is to be paid, and how far that is."""
    return _show(request, checkouts.find(token))


@answers.private
@require_safe
def state(request: HttpRequest, token: str) -> HttpResponse:
    """Answer the parts of the page that change."""
    found = checkout_state.read(checkouts.find(token), now=clock.now())
    return answers.parts(
        request,
        _PARTS,
        {"state": found},
        shown={"refund-form": found.takes_refund_address},
        every_seconds=_QUICK_SECONDS if found.is_open else _CALM_SECONDS,
    )


@answers.private
@require_POST
def refund_address(request: HttpRequest, token: str) -> HttpResponse:
    """Take where unused money goes back to, while no payment has been seen."""
    checkout = checkouts.find(token)
    given = request.POST.get("refund_address", "").strip()
    try:
        address = viewers_wallet(given, field="refund_address")
        refunds.set_address(
            client_id=checkout.permission.client_id,
            public_id=checkout.permission.public_id,
            address=address,
            now=clock.now(),
            actor="checkout",
            only_unpaid=True,
        )
    except Invalid as error:
        return _show(request, checkout, error=error, given=given)
    return redirect("checkout", token)


def _show(
    request: HttpRequest, checkout: Checkout, *, error: DomainError | None = None, given: str = ""
) -> HttpResponse:
    found: CheckoutState = checkout_state.read(checkout, now=clock.now())
    context = {"state": found, "error": error, "given": given}
    return render(request, "pages/checkout.html", context, status=400 if error else 200)
