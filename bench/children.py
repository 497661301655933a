"""Engines in processes of their own, which wait for the same instant and then bill."""

import multiprocessing
import os
import resource
import time
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Self

from bench.slices import CHUNK

_SHARED_S = 45


class Children:
    """So many engine processes; each bills when it is told to."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(count):
            mine, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            self._pipes.append(mine)
            self._processes.append(process)

    def __enter__(self) -> Self:
        for pipe in self._pipes:
            assert pipe.recv() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join(10)

    def bill(self, now: datetime, *, count: int) -> float:
        """Let the first so many engines run an interval; return the seconds until the last one is done."""
        began = time.perf_counter()
        for pipe in self._pipes[:count]:
            pipe.send(now)
        for pipe in self._pipes[:count]:
            pipe.recv()
        return time.perf_counter() - began

    def peak_megabytes(self) -> float:
        """Return the most memory that the first engine has had."""
        self._pipes[0].send("peak")
        peak: float = self._pipes[0].recv()
        return peak


def _serve(pipe: Connection) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "paygo.settings"
    import django

    django.setup()
    from datetime import timedelta

    from billing.interval import run_interval
    from core import db

    db.row("SELECT 1")
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        if order == "peak":
            pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            continue
        run = run_interval(
            now=order, engine=f"bench-{os.getpid()}", chunk_size=CHUNK, fresh_for=timedelta(seconds=_SHARED_S)
        )
        pipe.send(run.permissions)
