"""The landing page: what is here."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Say what PayGo is and where everything is."""
    context = {"url": settings.PAYGO_URL, "has_demo": bool(settings.PAYGO_DEMO_CLIENT)}
    return render(request, "pages/landing.html", context)
