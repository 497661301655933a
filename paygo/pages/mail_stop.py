"""The end of mails, from the link in each: by a button, or by one click of a mail program (RFC 8058)."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from billing import mails
from paygo.pages.answers import private


@csrf_exempt
@private
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Ask, and end them on POST; the token is all that it takes, so no form's token is asked for."""
    done = request.method == "POST"
    if done and not mails.stop(token):
        raise Http404
    return render(request, "pages/mail_stop.html", {"done": done})
