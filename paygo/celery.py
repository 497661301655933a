"""The Celery application: `celery -A paygo worker` and `celery -A paygo beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paygo.settings")

app = Celery("paygo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
