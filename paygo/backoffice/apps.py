from importlib import import_module

from django.contrib.admin.apps import AdminConfig

_WINDOWS = (
    "accounts",
    "events",
    "zcash",
    "sessions_app",
    "billing",
    "books",
    "ethereum",
    "keys",
    "people",
    "token_prices",
)


class BackofficeConfig(AdminConfig):
    """The Django admin, with every window on PayGo's rows registered from this package."""

    default = False

    def ready(self) -> None:
        super().ready()
        for name in _WINDOWS:
            import_module(f"paygo.backoffice.{name}")
