"""The WSGI entry point: `granian --interface wsgi paygo.wsgi:application`."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from paygo.api.edge import guarded, limit_bodies, limit_calls, limit_looks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paygo.settings")

application = guarded(get_wsgi_application())
if pool := settings.DATABASES["default"]["OPTIONS"].get("pool"):
    # A connection for whoever has a turn: neither calls nor streams wait for the other's.
    for_streams = max(1, pool["max_size"] // 4)
    limit_calls(max(1, pool["max_size"] - for_streams))
    limit_looks(for_streams)
    # Half of the threads that the server is started with.
    limit_bodies(
        max(1, (pool["max_size"] + settings.STREAM_LIMIT) // 2),
        longest=max(settings.API_MAX_BODY_BYTES, settings.DATA_UPLOAD_MAX_MEMORY_SIZE),
    )
