"""Django's middlewares that only pages need: a call of the API has its key, and neither session nor form.

They are a tenth of what Django does for a call.
"""

from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseBase, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin

_API = "/api/v1/"


class _OfPages(MiddlewareMixin):
    """Leaves calls of the API alone."""

    def __call__(self, request: HttpRequest) -> Any:
        """Go on at once where the API is called."""
        if request.path_info.startswith(_API):
            return self.get_response(request)
        return super().__call__(request)


class SessionsOfPages(_OfPages, SessionMiddleware):
    """Sessions."""


class LoginsOfPages(_OfPages, AuthenticationMiddleware):
    """Who is logged in."""


class MessagesOfPages(_OfPages, MessageMiddleware):
    """Messages to who is logged in."""


class FormsOfPages(_OfPages, CsrfViewMiddleware):
    """Forms that other sites cannot send."""

    def process_view(
        self, request: HttpRequest, callback: Any, callback_args: Any, callback_kwargs: Any
    ) -> HttpResponseForbidden | None:
        """Check a form's token; the API takes no cookie that another site could use."""
        if request.path_info.startswith(_API):
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)


class PoliciesOfPages(CSPMiddleware):
    """What a page may load and run (Content-Security-Policy); other answers of the API have no need of it."""

    def __call__(self, request: HttpRequest) -> Any:
        """Leave calls of the API alone, but for the policy of a page that one answers."""
        if not request.path_info.startswith(_API):
            return super().__call__(request)
        response: Any = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            self.process_response(request, response)
        return response

    def get_policy_parts(
        self,
        request: HttpRequest,
        response: HttpResponseBase,
        report_only: bool = False,  # noqa: FBT001, FBT002  # the base class's
    ) -> PolicyParts:
        """Return the strict policy, with what pages of others need beyond it.

        A page that says what it needs, and be it nothing, gets that alone.
        """
        policy = super().get_policy_parts(request, response, report_only)
        if not response.get("Content-Type", "").startswith("text/html"):
            return policy
        for prefix, more in settings.CONTENT_SECURITY_RELAXED.items():
            if policy.update is None and request.path_info.startswith(prefix):
                policy.update = more
        return policy
