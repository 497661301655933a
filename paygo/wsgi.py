"""The WSGI entry point: `granian --interface wsgi paygo.wsgi:application`."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from paygo.api.edge import guarded, limit_calls, limit_looks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paygo.settings")

application = guarded(get_wsgi_application())
if pool := settings.DATABASES["default"]["OPTIONS"].get("pool"):
    # A connection for whoever has a turn: neither calls nor streams wait for the other's.
    for_streams = max(1, pool["max_size"] // 4)
    limit_calls(max(1, pool["max_size"] - for_streams))
    limit_looks(for_streams)
