"""Paths of the back office: the admin's own."""

from django.contrib import admin

urlpatterns, app_name, _ = admin.site.urls
