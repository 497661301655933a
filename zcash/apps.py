from django.apps import AppConfig


class ZcashConfig(AppConfig):
    name = "zcash"
    verbose_name = "Zcash"
