# One image for web, worker, beat, watcher and the simulated node; docker-compose.yml names the commands.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.txt .
RUN pip install -r requirements.txt

COPY . .
RUN useradd --system --no-create-home paygo && install -d -o paygo .paygo
USER paygo

EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/api/v1/health', timeout=4)"]

# 500 streams and 16 calls at once in each process: a stream has a thread, a call a connection too.
ENV PAYGO_DB_POOL=16 STREAM_LIMIT=500
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8080", "--workers", "2", \
     "--blocking-threads", "516", "--backpressure", "516", "--respawn-failed-workers", "paygo.wsgi:application"]
