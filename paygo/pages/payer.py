"""The payer's own page: what is left, what runs; stop it, pay more, take the rest back."""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing import engine, funding, live, refunds, session_list, statements
from billing.statements import Asked, Read
from core import clock
from core.amounts import MAX_ZAT
from core.errors import DomainError, Invalid
from paygo import statement_files
from paygo.pages import answers, payer_links, payer_state
from paygo.pages.models import PayerLink
from paygo.pages.payer_state import PayerState
from sessions_app import queries as session_queries
from zcash.errors import PermissionGone
from zcash.wallets import viewers_wallet
from zcash.zip321 import payment_uri

_PATH = "/payer/"
_PARTS = {
    "warning": "pages/parts/payer_warning.html",
    "meter": "pages/parts/payer_meter.html",
    "sessions": "pages/parts/payer_sessions.html",
    "refund": "pages/parts/payer_refund.html",
    "statement": "pages/parts/payer_statement.html",
}
_TOP_UP_HOURS = (1, 2, 5, 10)
_QUICK_SECONDS, _CALM_SECONDS = 3, 15

_NUMBER = re.compile(r"[0-9]{1,18}")

View = Callable[..., HttpResponseBase]


def _of_payer(view: View) -> View:
    """Return a view that is called with the visitor's link; without one it says how to get in."""

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        cookie = request.COOKIES.get(answers.PAYER_COOKIE, "")
        link = payer_links.of_cookie(cookie, now=clock.now()) if cookie else None
        if link is None:
            return _closed(request)
        return view(request, link, *args, **kwargs)

    return asked


@answers.private
@require_http_methods(["GET", "HEAD", "POST"])
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Exchange a link for its cookie when its holder says so: programs that look at links open none."""
    now = clock.now()
    try:
        if request.method != "POST":
            return render(request, "pages/payer_open.html", {"link": payer_links.unopened(token, now=now)})
        link, cookie = payer_links.exchange(token, now=now)
    except Http404:
        return _closed(request)
    response = redirect("payer")
    response.set_cookie(
        answers.PAYER_COOKIE,
        cookie,
        max_age=link.ends_at - now,
        path=_PATH,
        secure=settings.HTTPS,
        httponly=True,
        # A link on another site may lead here; its forms may not.
        samesite="Lax",
    )
    return response


@answers.private
@require_safe
@_of_payer
def page(request: HttpRequest, link: PayerLink) -> HttpResponse:
    """Show everything."""
    return _show(request, link)


@answers.private
@require_safe
@_of_payer
def state(request: HttpRequest, link: PayerLink) -> HttpResponse:
    """Answer the parts of the page that change."""
    found = payer_state.read(link, now=clock.now())
    return answers.parts(
        request,
        _PARTS,
        {"state": found},
        shown={"open": not found.is_over, "top-up": found.takes_money},
        every_seconds=_QUICK_SECONDS if found.burn_zat_per_hour else _CALM_SECONDS,
    )


@answers.private
@require_safe
@_of_payer
def statement(request: HttpRequest, link: PayerLink) -> HttpResponse:
    """Show every movement of the permission's money, a page at a time, to be printed."""
    found = _reader(link)(Asked(after=_after(request)))
    next_url = f"?after={found.next_after}" if found.next_after else None
    return HttpResponse(statement_files.as_page(found, next_url=next_url))


@answers.private
@require_safe
@_of_payer
def statement_table(request: HttpRequest, link: PayerLink) -> HttpResponseBase:  # noqa: ARG001
    """Answer every movement of the permission's money as CSV."""
    return statement_files.table(_reader(link), asked=Asked(), reader=link.permission.public_id)


@answers.private
@require_POST
@_of_payer
def stop(request: HttpRequest, link: PayerLink) -> HttpResponse:
    """End a session that the link's permission pays; what pays the wallet's others is not its affair."""
    permission = link.permission
    code = request.POST.get("session_code", "").replace("\0", "")
    session = session_queries.of_client(client_id=permission.client_id, code=code)
    if not session_list.is_paid_by(session, permission):
        raise Http404
    engine.end(code, client_id=permission.client_id, now=clock.now())
    return redirect("payer")


@answers.private
@require_POST
@_of_payer
def revoke(request: HttpRequest, link: PayerLink) -> HttpResponse:
    """End the permission; what is left goes back."""
    if request.POST.get("sure") != "yes":
        return _show(request, link, error=Invalid("please say that you are sure", field="sure"))
    permission = link.permission
    # Who sends the form twice means it once.
    with suppress(PermissionGone):
        funding.revoke(
            client_id=permission.client_id, public_id=permission.public_id, now=clock.now(), actor="payer"
        )
    return redirect("payer")


@answers.private
@require_POST
@_of_payer
def refund_address(request: HttpRequest, link: PayerLink) -> HttpResponse:
    """Let refunds go to another address; where money was seen that waits for a day."""
    if not link.may_redirect:
        raise Http404
    given = request.POST.get("refund_address", "").strip()
    permission = link.permission
    try:
        refunds.set_address(
            client_id=permission.client_id,
            public_id=permission.public_id,
            address=viewers_wallet(given, field="refund_address"),
            now=clock.now(),
            actor="payer",
        )
    except Invalid as error:
        return _show(request, link, error=error, given=given)
    return redirect("payer")


@answers.private
@require_POST
@_of_payer
def leave(request: HttpRequest, link: PayerLink) -> HttpResponse:
    """Close the page for good; another link opens it anew."""
    payer_links.close(link, now=clock.now())
    response = _closed(request)
    response.delete_cookie(answers.PAYER_COOKIE, path=_PATH, samesite="Lax")
    return response


def _show(
    request: HttpRequest, link: PayerLink, *, error: DomainError | None = None, given: str = ""
) -> HttpResponse:
    found = payer_state.read(link, now=clock.now())
    context = {
        "state": found,
        "link": link,
        "error": error,
        "given": given,
        "top_up_hours": _TOP_UP_HOURS,
        **_top_up(request, found),
    }
    return render(request, "pages/payer.html", context, status=400 if error else 200)


def _top_up(request: HttpRequest, found: PayerState) -> dict[str, Any]:
    """Return the payment for as many more hours as were asked for, nothing where none were."""
    hours = next((each for each in _TOP_UP_HOURS if request.GET.get("hours") == str(each)), None)
    if hours is None:
        return {}
    amount_zat = min(MAX_ZAT, hours * found.permission.rate_zat_per_hour)
    uri = payment_uri(found.permission.payment_address, amount_zat=amount_zat)
    return {"hours": hours, "top_up_zat": amount_zat, "top_up_uri": uri}


def _after(request: HttpRequest) -> int:
    given = request.GET.get("after", "")
    return int(given) if _NUMBER.fullmatch(given) else 0


def _reader(link: PayerLink) -> Read:
    """Return what reads the permission's statement as it is now, after everything that time alone brings."""
    now = clock.now()
    live.read(link.permission.pk, now=now)
    return lambda asked: statements.of_permission(link.permission, asked=asked, now=now)


def _closed(request: HttpRequest) -> HttpResponse:
    """Say that this page opens by a link; the same for a guessed, an old and a revoked one."""
    return render(request, "pages/payer_closed.html", status=403)
