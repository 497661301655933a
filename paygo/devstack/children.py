"""The processes of a stack: started, watched, started again with a back-off, stopped in order."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paygo.devstack.console import LogFollower, say
from paygo.devstack.process import kill_group

LONGEST_BACK_OFF_SECONDS = 30.0
# A process that ran this long has started well: its next end begins a new back-off.
GOOD_RUN_SECONDS = 60.0


@dataclass(frozen=True)
class Service:
    """How to start one process of the stack, and how to stop it.

    Services of a lower `stage` stop first: nobody loses its database while it still works with it.
    """

    name: str
    log: Path
    spawn: Callable[[], subprocess.Popen[bytes]]
    stage: int
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 2.0
    quiet: bool = False


@dataclass
class _Child:
    service: Service
    process: subprocess.Popen[bytes]
    follower: LogFollower
    started_at: float
    failures: int = 0
    restart_at: float | None = field(default=None)


class Children:
    """The running processes of a stack; `on_change` gets their pids whenever one is started."""

    def __init__(self, *, on_change: Callable[[Mapping[str, int]], None]) -> None:
        self._children: dict[str, _Child] = {}
        self._on_change = on_change

    def start(self, service: Service) -> None:
        """Start a service and watch it from now on."""
        follower = LogFollower(service.name, service.log)
        self._children[service.name] = _Child(service, service.spawn(), follower, time.monotonic())
        self._changed()

    def adopt(self, service: Service, process: subprocess.Popen[bytes]) -> None:
        """Watch a process that is running already."""
        follower = LogFollower(service.name, service.log)
        self._children[service.name] = _Child(service, process, follower, time.monotonic())
        self._changed()

    def has_died(self, name: str) -> str | None:
        """The last words of a service that does not run, None for one that does."""
        child = self._children[name]
        return None if child.process.poll() is None else child.follower.last_line() or "no output"

    def tick(self) -> None:
        """Show new log lines and start again what has died and waited for its turn."""
        for child in self._children.values():
            if not child.service.quiet:
                child.follower.show_new()
            if child.restart_at is not None:
                self._restart_when_due(child)
            elif child.process.poll() is not None:
                self._note_death(child)

    def stop_all(self) -> None:
        """Stop every process, stage by stage; one that does not go in time is killed with its session."""
        for stage in sorted({child.service.stage for child in self._children.values()}):
            self._stop([child for child in self._children.values() if child.service.stage == stage])
        self._children.clear()

    def _note_death(self, child: _Child) -> None:
        now = time.monotonic()
        child.failures = 1 if now - child.started_at > GOOD_RUN_SECONDS else child.failures + 1
        delay = min(LONGEST_BACK_OFF_SECONDS, 0.5 * 2**child.failures)
        child.restart_at = now + delay
        # What it has started must not compete with its successor.
        kill_group(child.process.pid)
        say(f"{_how(child.process.returncode)}; starting it again in {delay:.0f} s", name=child.service.name)
        if last := child.follower.last_line():
            say(f"its last words: {last}", name=child.service.name)

    def _restart_when_due(self, child: _Child) -> None:
        if child.restart_at is None or time.monotonic() < child.restart_at:
            return
        child.restart_at = None
        child.process = child.service.spawn()
        child.started_at = time.monotonic()
        self._changed()

    def _stop(self, children: list[_Child]) -> None:
        running = [child for child in children if child.process.poll() is None]
        for child in running:
            # To main processes only: a pool's workers finish their task and are told by it.
            child.process.send_signal(child.service.stop_signal)
        for child in running:
            self._wait(child)

    def _wait(self, child: _Child) -> None:
        try:
            child.process.wait(timeout=child.service.stop_seconds)
        except subprocess.TimeoutExpired:
            say("did not stop in time and is killed", name=child.service.name)
        kill_group(child.process.pid)
        child.process.wait()

    def _changed(self) -> None:
        self._on_change({name: child.process.pid for name, child in self._children.items()})


def _how(code: int) -> str:
    return f"stopped by {signal.Signals(-code).name}" if code < 0 else f"stopped with exit code {code}"
