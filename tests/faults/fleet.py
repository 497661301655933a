"""Engines, web servers and payers on a PostgreSQL of their own, viewers who use them, and their journal.

What a viewer got an answer to is acknowledged: it must be true afterwards, whoever was killed meanwhile.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from paygo.devstack.postgres import PostgresCluster

ROOT = Path(__file__).resolve().parents[2]
ENGINES, WEBS, PAYERS, VIEWERS, CHAIN = 2, 2, 1, 5, 12
KINDS = ("engine",) * ENGINES + ("web",) * WEBS + ("payer",) * PAYERS
# How long a viewer goes on trying for an answer.
PATIENCE_S = 60.0
ANSWER_S = 10.0
ZEC = 100_000_000


@dataclass
class Journal:
    """What was acknowledged: codes of started sessions, and what ended ones cost in zatoshis."""

    started: list[str] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)


class Fleet:
    """Processes that serve one database; any of them may be killed, another one takes its place."""

    def __init__(self, url: str, *, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = {"DATABASE_URL": url, **(environment or {})}
        self._children: list[tuple[str, int]] = []
        self._lock = threading.Lock()
        self.kills = 0

    def __enter__(self) -> Self:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "paygo.settings",
            "PAYGO_NO_ENV_FILES": "1",
            "PAYGO_SECRET_KEY": "only-for-tests",
            "PAYGO_LOG_LEVEL": "ERROR",
            "PAYGO_LOCK_TIMEOUT_MS": "3000",
            "PAYGO_DB_POOL": "0",
            "MIN_START_SECONDS": "1",
            "ZCASH_MIN_CONFIRMATIONS": "3",
            "ZCASH_NETWORK": "regtest",
            **self._environment,
        }
        with (self._folder / "forks.log").open("ab") as log:
            self._forks = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.forks"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.port = self._answer()["port"]
        return self

    def __exit__(self, *_: object) -> None:
        self._forks.kill()
        self._forks.communicate()

    def call(self, job: str, **arguments: Any) -> Any:
        """Run a function of `lives` in a process of its own; return what it returned."""
        result = self._folder / f"{job}.json"
        if not self.finishes(job, arguments, result=result):
            raise AssertionError(f"{job} failed: {self.log()[-3000:]}")
        return json.loads(result.read_text(encoding="utf-8"))

    def finishes(
        self,
        job: str,
        arguments: dict[str, Any],
        *,
        result: Path,
        begun: Callable[[int], None] = lambda _: None,
    ) -> bool:
        """Run a function of `lives`, and tell its process id; return whether it came to its end."""
        result.unlink(missing_ok=True)
        self._fork(job, arguments, result=result, begun=begun)
        return result.exists()

    def man(self) -> None:
        """Start all processes."""
        self._children = [(kind, self._fork(kind, {})) for kind in KINDS]

    def kill_one(self, chance: random.Random) -> None:
        """Kill one of them with SIGKILL, and let another take its place."""
        place = chance.randrange(len(self._children))
        kind, pid = self._children[place]
        os.kill(pid, signal.SIGKILL)
        self.kills += 1
        self._children[place] = (kind, self._fork(kind, {}))

    def dismiss(self) -> None:
        """Kill all that are left."""
        for _, pid in self._children:
            os.kill(pid, signal.SIGKILL)
        self._children = []

    def log(self) -> str:
        """Return what the processes have written."""
        return (self._folder / "forks.log").read_text(encoding="utf-8")

    def _fork(
        self,
        job: str,
        arguments: dict[str, Any],
        *,
        result: Path | None = None,
        begun: Callable[[int], None] = lambda _: None,
    ) -> int:
        request = {"job": job, "arguments": arguments, "result": str(result) if result else None}
        assert self._forks.stdin is not None
        with self._lock:
            self._forks.stdin.write(json.dumps(request) + "\n")
            self._forks.stdin.flush()
            pid = int(self._answer()["pid"])
            begun(pid)
            if result:
                self._answer()
            return pid

    def _answer(self) -> dict[str, Any]:
        assert self._forks.stdout is not None
        line = self._forks.stdout.readline()
        if not line:
            raise AssertionError(f"no fork: {self.log()[-3000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Viewer:
    """Somebody who starts, keeps alive and ends sessions, one at a time, until told to stop."""

    def __init__(self, port: int, *, key: str, wallets: list[str], journal: Journal, seed: int) -> None:
        self._port, self._key, self._wallets, self._journal = port, key, wallets, journal
        self._chance = random.Random(seed)

    def live(self, stop: threading.Event) -> None:
        """Go on until told to stop; what was begun is finished first."""
        while not stop.is_set():
            self._one_session()

    def _one_session(self) -> None:
        chance = self._chance
        wish: dict[str, Any] = {
            "user_wallet_address": chance.choice(self._wallets),
            "vendor_id": chance.choice(["vendor123", "cheap"]),
            "client_ref": uuid4().hex,
        }
        beats = chance.random() < 0.3
        if beats:
            wish["heartbeat_seconds"] = 5
        answer = self._until_answered("/api/v1/sessions", wish)
        if "session_code" not in answer:
            time.sleep(0.02)
            return
        code = {"session_code": answer["session_code"]}
        self._journal.started.append(answer["session_code"])
        time.sleep(chance.uniform(0, 0.1))
        if beats:
            self._until_answered("/api/v1/sessions/heartbeat", code)
        if chance.random() < 0.9:
            for _ in range(chance.choice([1, 1, 2])):
                self._note_end(code["session_code"], self._until_answered("/api/v1/sessions/end", code))

    def _note_end(self, code: str, answer: dict[str, Any]) -> None:
        if "amount" not in answer:
            return
        zat = int(answer["amount"] * ZEC)
        if self._journal.ended.setdefault(code, zat) != zat:
            self._journal.unexpected.append(f"{code} ended twice: {self._journal.ended[code]} and {zat} zat")

    def _until_answered(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask again and again, as a client does that got no answer, or one that says "try again"."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                status, answer = self._ask(path, body)
            except (OSError, HTTPException, ValueError):
                self._journal.answers["none"] += 1
                time.sleep(0.01)
                continue
            self._journal.answers[str(status)] += 1
            if status == 503:
                time.sleep(0.02)
            elif status in (200, 201, 402, 409):
                return answer
            else:
                self._journal.unexpected.append(f"{path} {status} {answer}")
                return {}
        self._journal.unexpected.append(f"{path} was not answered")
        return {}

    def _ask(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_S)
        try:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read(), parse_float=Decimal, parse_int=Decimal)
            return response.status, answer
        finally:
            connection.close()


@contextmanager
def viewers(fleet: Fleet, *, world: dict[str, Any], seed: int) -> Iterator[Journal]:
    """Let viewers live during the block; what they have begun is finished at its end."""
    journal, stop = Journal(), threading.Event()
    crowd = [
        Viewer(fleet.port, key=world["key"], wallets=wallets, journal=journal, seed=seed + number)
        for number, wallets in enumerate(world["wallets"])
    ]
    threads = [threading.Thread(target=each.live, args=(stop,), daemon=True) for each in crowd]
    for thread in threads:
        thread.start()
    try:
        yield journal
    finally:
        stop.set()
        for thread in threads:
            thread.join(2 * PATIENCE_S)


def campaign(
    fleet: Fleet,
    *,
    strike: Callable[[random.Random], None],
    strikes: int,
    seed: int,
    tick: Callable[[], None],
) -> dict[str, Any]:
    """Strike so often while viewers stream; return what was acknowledged, and what is wrong afterwards."""
    chance = random.Random(seed)
    world = fleet.call("prepare", viewers=VIEWERS, chain=CHAIN)
    fleet.man()
    with viewers(fleet, world=world, seed=seed) as journal:
        for _ in range(strikes):
            time.sleep(chance.expovariate(1 / 0.04))
            strike(chance)
            tick()
        time.sleep(0.5)
    fleet.dismiss()
    found: dict[str, Any] = fleet.call("check", started=journal.started, ended=journal.ended)
    found["wrong"] += journal.unexpected
    return found | {
        "seed": seed,
        "strikes": strikes,
        "starts": len(journal.started),
        "ends": len(journal.ended),
        "answers": dict(journal.answers),
        "log": fleet.log() if found["wrong"] else "",
    }


@contextmanager
def private_cluster(folder: Path) -> Iterator[PostgresCluster]:
    """Run a PostgreSQL of one's own, to be stopped at any moment; it is deleted at the end."""
    cluster = PostgresCluster(folder / "postgres")
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.remove()


def stop_at_once(cluster: PostgresCluster) -> None:
    """Stop the server as `pg_ctl stop -m immediate` does, without a checkpoint, and start it again."""
    cluster.process.send_signal(signal.SIGQUIT)
    cluster.process.wait(30)
    cluster.start()
