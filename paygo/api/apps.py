from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "paygo.api"
    label = "api"
    verbose_name = "Public API"
