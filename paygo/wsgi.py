"""The WSGI entry point: `granian --interface wsgi paygo.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paygo.settings")

application = get_wsgi_application()
