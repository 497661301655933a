"""Every URL of the service."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from paygo.api.problem_pages import ProblemPage

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", include("paygo.api.urls")),
    path("problems/<str:code>", ProblemPage.as_view()),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", include("paygo.backoffice.urls")),
    path("", include("paygo.pages.urls")),
]

handler400 = "paygo.api.problems.bad_request"
handler404 = "paygo.api.problems.not_found"
handler500 = "paygo.pages.answers.server_error"
