# One image for all processes; docker-compose.yml names the commands of the others.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.txt .
RUN pip install -r requirements.txt

COPY . .
# A number that is known outside: files with secrets belong to it (docs/operators/production.md).
RUN useradd --system --uid 10001 --no-create-home paygo && install -d -o paygo .paygo
USER paygo

EXPOSE 8080
# Asked by a name that the service answers to, and as a proxy that has ended TLS asks.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import os, urllib.request as web; \
     host = os.environ.get('PAYGO_ALLOWED_HOSTS', '').split(',')[0].lstrip('.*') or 'localhost'; \
     headers = {'Host': host, 'X-Forwarded-Proto': 'https'}; \
     web.urlopen(web.Request('http://127.0.0.1:8080/api/v1/health', headers=headers), timeout=4)"]

# Streams have threads beside those of calls (docs/operators/production.md).
ENV PAYGO_DB_POOL=16 STREAM_LIMIT=500
CMD ["granian", "--interface", "wsgi", "--http", "1", "--host", "0.0.0.0", "--port", "8080", "--workers", "2", \
     "--blocking-threads", "516", "--backpressure", "516", "--workers-kill-timeout", "2", \
     "--respawn-failed-workers", "paygo.wsgi:application"]
