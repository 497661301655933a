"""Whether idle streams slow calls: `python -m bench.streams [--streams N]` against a running stack.

Latency of `GET /api/v1/events`, one call after the other, without streams, then beside N that hear nothing.
Start the stack with STREAM_LIMIT and STREAM_LIMIT_PER_CLIENT of N at least.
"""

import argparse
import asyncio
import os
import statistics
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests

from paygo.environment import load_environment


def main() -> None:
    """Measure, and print two lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--calls", type=int, default=400)
    options = parser.parse_args()
    load_environment(Path(__file__).resolve().parent.parent)
    url, key = os.environ["PAYGO_URL"], os.environ["PAYGO_API_KEY"]
    _report("without streams", url, key, options.calls)
    asyncio.run(_beside(url, key, options))


def _report(name: str, url: str, key: str, calls: int) -> None:
    times_ms = []
    with requests.Session() as session:
        session.headers["authorization"] = f"Bearer {key}"
        for _ in range(calls):
            began = time.perf_counter()
            session.get(f"{url}/api/v1/events?after=0&limit=1").raise_for_status()
            times_ms.append((time.perf_counter() - began) * 1000)
    cuts = statistics.quantiles(times_ms, n=100)
    print(f"{name:28} p50 {cuts[49]:6.1f} ms   p95 {cuts[94]:6.1f} ms   p99 {cuts[98]:6.1f} ms")


async def _beside(url: str, key: str, options: argparse.Namespace) -> None:
    host, port = urlsplit(url).hostname, urlsplit(url).port
    request = f"GET /api/v1/events/stream HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\r\n"
    began = time.perf_counter()
    streams = []
    for _ in range(options.streams):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(request.encode())
        streams.append((reader, writer))
    heads = await asyncio.gather(*(reader.readline() for reader, _ in streams))
    opened = sum(b" 200 " in head for head in heads)
    print(f"{opened} of {options.streams} streams open after {time.perf_counter() - began:.1f} s")
    await asyncio.to_thread(_report, f"beside {opened} idle streams", url, key, options.calls)
    for _, writer in streams:
        writer.close()


if __name__ == "__main__":
    main()
