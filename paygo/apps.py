from importlib import import_module

from django.apps import AppConfig


class PaygoConfig(AppConfig):
    name = "paygo"
    verbose_name = "PayGo"

    def ready(self) -> None:
        import_module("paygo.checks")
        import_module("paygo.backoffice.roles").connect()
