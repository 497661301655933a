"""The processes of a stack that are not databases: node, web, worker, beat, late-watcher."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paygo.devstack.children import Service
from paygo.devstack.datadir import DataDir
from paygo.devstack.process import spawn

# Threads per web process; each may hold one connection of the pool.
WEB_THREADS = 16
# Streams that a web process holds open besides.
WEB_STREAMS = 500
# What Python is told; docker-compose.yml tells it the same.
_CELERY = ("-m", "celery", "-A", "paygo")
WORKER = (*_CELERY, "worker", "-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle")
BEAT = (*_CELERY, "beat", "-l", "INFO", "--pidfile=")
WATCHER = ("manage.py", "bill", "--loop", "--when-late")
COLLECTOR = ("manage.py", "collect", "--loop")
# Stages of Service: what works with something stops before it.
CLOCKWORK, WORKERS, NODE, BROKER, DATABASE = range(5)


@dataclass(frozen=True)
class Launcher:
    """Starts Python processes of this checkout with the environment of the stack."""

    base_dir: Path
    data: DataDir

    def python(
        self, name: str, args: Sequence[str], *, env: Mapping[str, str], stage: int, seconds: float = 2.0
    ) -> Service:
        """A service that runs this Python with `args`, its log named after it."""
        log = self.data.log(name)
        command = [sys.executable, *args]
        complete = dict(env)
        return Service(
            name=name,
            log=log,
            spawn=lambda: spawn(command, log=log, env=complete, cwd=self.base_dir),
            stage=stage,
            stop_seconds=seconds,
        )


def node(
    launcher: Launcher, *, port: int, node_port: int | None, block_seconds: str, env: Mapping[str, str]
) -> Service:
    """The simulated Zcash node; user and password are in its environment, not in its arguments.

    With a second port it is zallet on the first and its zebrad on the second, else zcashd.
    """
    datadir = launcher.data.path / "zcashnode"
    args = ["manage.py", "runzcashnode", "--port", str(port), "--datadir", str(datadir)]
    args += ["--block-seconds", block_seconds]
    if node_port is not None:
        args += ["--dialect", "zallet", "--node-port", str(node_port)]
    return launcher.python("node", args, env=env, stage=NODE)


def web_command(*, host: str, port: int, workers: int, threads: int, streams: int) -> list[str]:
    """Return what Python is told to serve the web with.

    Streams have threads beside those of calls; the server starts them when they are needed.
    """
    together = str(threads + streams)
    return [
        # HTTP/2 may leave out a body's length, and WSGI has no body without one.
        *("-m", "granian", "--interface", "wsgi", "--http", "1"),
        *("--host", host, "--port", str(port)),
        *("--workers", str(workers), "--blocking-threads", together, "--backpressure", together),
        *("--workers-kill-timeout", "2", "--respawn-failed-workers", "paygo.wsgi:application"),
    ]


def web(launcher: Launcher, *, host: str, port: int, env: Mapping[str, str]) -> Service:
    """The WSGI server: PAYGO_WEB_WORKERS processes, each with a pool of threads and of connections."""
    threads = env.get("PAYGO_WEB_THREADS", str(WEB_THREADS))
    workers = env.get("PAYGO_WEB_WORKERS", str(min(4, os.cpu_count() or 1)))
    streams = env.get("STREAM_LIMIT", str(WEB_STREAMS))
    args = web_command(host=host, port=port, workers=int(workers), threads=int(threads), streams=int(streams))
    return launcher.python(
        "web",
        args,
        env={"PAYGO_DB_POOL": threads, "STREAM_LIMIT": streams, **env},
        stage=WORKERS,
        seconds=3.0,
    )


def evm_chain(launcher: Launcher, command: Sequence[str]) -> Service:
    """The local EVM chain, whose state its own folder keeps."""
    log = launcher.data.log("evm")
    words = list(command)
    return Service(name="evm", log=log, spawn=lambda: spawn(words, log=log), stage=NODE, stop_seconds=3.0)


def collector(launcher: Launcher, *, env: Mapping[str, str], key_file: Path) -> Service:
    """What collects on EVM chains: the one process that is told where the service's key is."""
    complete = {**env, "ETHEREUM_KEY_FILE": str(key_file)}
    return launcher.python("collector", COLLECTOR, env=complete, stage=CLOCKWORK)


def upkeep(launcher: Launcher, *, env: Mapping[str, str]) -> list[Service]:
    """Celery's worker and beat, and the watcher that takes over when they are late."""
    return [
        launcher.python("worker", WORKER, env=env, stage=WORKERS, seconds=3.0),
        launcher.python("beat", BEAT, env=env, stage=CLOCKWORK),
        launcher.python("watcher", WATCHER, env=env, stage=CLOCKWORK),
    ]
