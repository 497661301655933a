"""The Celery application: `celery -A paygo worker` and `celery -A paygo beat`."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paygo.settings")

app = Celery("paygo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _log_as_the_service_does(**_: Any) -> None:
    """Keep Celery from putting its own form around the lines: one JSON object each, as everywhere."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
