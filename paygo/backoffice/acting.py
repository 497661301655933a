"""The page on which an operator says why, and then does it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme

from core.errors import DomainError, Invalid
from paygo.backoffice.actions import ACTIONS, Action, facts, page_of
from paygo.backoffice.reasons import ReasonForm, word_of


def act(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Ask for the reason of an action, and do it."""
    action = ACTIONS.get(name)
    if action is None:
        raise Http404
    if not action.is_allowed(request):
        raise PermissionDenied
    row = get_object_or_404(action.model, pk=pk)
    form = action.form(request.POST or None, initial=action.form.shown(row))
    if request.method == "POST" and form.is_valid() and _do(request, action, row, form):
        return HttpResponseRedirect(_back(request, row))
    context = {
        **admin.site.each_context(request),
        "title": action.title,
        "action": action,
        "row": row,
        "kind": action.model._meta.verbose_name,
        "is_possible": action.is_possible(row),
        "form": form,
        "facts": facts(row),
        "next": request.POST.get("next") or request.GET.get("next", ""),
        "back": _back(request, row),
    }
    return TemplateResponse(request, "backoffice/act.html", context)


def _do(request: HttpRequest, action: Action, row: Model, form: ReasonForm) -> bool:
    """Do it; False where it could not be done, and the form says why.

    What an old page offered may be out of place by now; the verb itself looks again, under its lock.
    """
    data: dict[str, Any] = form.cleaned_data
    if not action.is_possible(row):
        form.add_error(None, f"In its present state this cannot be done: {row}.")
        return False
    try:
        messages.success(request, action.call(row, word_of(request, data), data))
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, error.detail)
    except DomainError as error:
        form.add_error(None, f"{error.title}: {error.detail}")
    else:
        return True
    return False


def _back(request: HttpRequest, row: Model) -> str:
    """Return where the operator came from, if that is a page of ours, else the row's page."""
    asked = request.POST.get("next") or request.GET.get("next", "")
    if asked and url_has_allowed_host_and_scheme(asked, allowed_hosts=None):
        return asked
    return page_of(row)
