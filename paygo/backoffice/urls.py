"""Paths of the back office: its own pages, then the admin's."""

from django.contrib import admin
from django.urls import path

from paygo.backoffice import acting, queues

_admin_paths, app_name, _ = admin.site.urls

urlpatterns = [
    path("queues/", admin.site.admin_view(queues.overview), name="queues"),
    path("queues/<str:name>/", admin.site.admin_view(queues.one), name="queue"),
    path("act/<str:name>/<int:pk>/", admin.site.admin_view(acting.act), name="act"),
    *_admin_paths,
]
