"""The WSGI entry point: `granian --interface wsgi paygo.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

from paygo.api.edge import guarded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paygo.settings")

application = guarded(get_wsgi_application())
