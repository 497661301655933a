"""The long campaigns of `make soak`: kills, stops of the database, races, lives and orders.

    make soak KILLS=10000 STOPS=1000 PAYOUTS=2000 RACES=100000 LIVES=50 ORDERS=5000

Each campaign has a world and a seed of its own. What is acknowledged to a viewer must be true afterwards, and
the books must balance. A bar shows how far it is; `.paygo/soak/report.md` says what was done and found.
Exits with 1 when anything is wrong, and leaves the logs beside the report.
"""

import argparse
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paygo.devstack.postgres import PostgresCluster
from tests.faults.fleet import ROOT, Fleet, campaign, private_cluster, stop_at_once

REPORT = ROOT / ".paygo" / "soak"
# A world has permissions for about so many strikes.
KILLS_A_WORLD, STOPS_A_WORLD = 200, 20
RACES_A_RUN = 1_000
ORDERS_A_RUN = 50
PAYOUTS_A_RUN = 100
_BAR = 30


@dataclass
class Tally:
    """What has been done of one kind, and what was found wrong."""

    name: str
    wanted: int
    done: int = 0
    began: float = field(default_factory=time.monotonic)
    wrong: list[str] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)

    def tick(self, count: int = 1) -> None:
        """Count what was done, and show the bar; in a log it is a line for each step of the bar."""
        before, self.done = self.done, self.done + count
        filled = _BAR * self.done // self.wanted
        if sys.stderr.isatty():
            print(f"\r{self._bar(filled)}", end="", file=sys.stderr, flush=True)
        elif filled != _BAR * before // self.wanted:
            print(self._bar(filled), file=sys.stderr, flush=True)

    def _bar(self, filled: int) -> str:
        rest_s = (time.monotonic() - self.began) / self.done * (self.wanted - self.done)
        return (
            f"{self.name:<14} [{'#' * filled}{'.' * (_BAR - filled)}] {self.done:,}/{self.wanted:,}"
            f"  wrong: {len(self.wrong)}  about {rest_s / 60:.0f} min left"
        )

    def add(self, found: dict[str, Any]) -> None:
        """Add up what one campaign has found."""
        self.wrong += [f"seed {found['seed']}: {each}" for each in found["wrong"]]
        if found["log"]:
            (REPORT / f"{self.name}-{found['seed']}.log").write_text(found["log"], encoding="utf-8")
        if found["deadlocks"]:
            self.wrong.append(f"seed {found['seed']}: {found['deadlocks']} deadlocks")
        for name in ("starts", "ends", "roll_overs", "exhausted", "deposits"):
            self.totals[name] += found[name]


def main() -> None:
    """Run what is asked for, write the report, and exit with 1 where something is wrong."""
    asked = _arguments()
    REPORT.mkdir(parents=True, exist_ok=True)
    chance = random.Random(asked.seed)
    rows: list[tuple[int, Callable[[Tally, random.Random], None], str]] = [
        (asked.kills, _kills, "kills"),
        (asked.stops, _stops, "database stops"),
        (asked.payouts, _payouts, "kills at payouts"),
        (asked.races, _races, "races"),
        (asked.lives, _lives, "runs of lives"),
        (asked.orders, _orders, "Ethereum orders"),
    ]
    tallies = []
    for wanted, run, name in rows:
        if wanted:
            tallies.append(tally := Tally(name, wanted))
            run(tally, chance)
            print(file=sys.stderr)
    text = _report(tallies, seed=asked.seed)
    (REPORT / "report.md").write_text(text, encoding="utf-8")
    print(text)
    if any(tally.wrong for tally in tallies):
        raise SystemExit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=2_000, help="processes killed with SIGKILL")
    parser.add_argument("--stops", type=int, default=200, help="immediate stops of PostgreSQL")
    parser.add_argument("--payouts", type=int, default=200, help="kills of whoever pays vendors")
    parser.add_argument("--races", type=int, default=10_000, help="races at one wallet")
    parser.add_argument(
        "--lives", type=int, default=5, help="runs of the stateful test, each with a new seed"
    )
    parser.add_argument(
        "--orders",
        type=int,
        default=500,
        help="random orders of crashes, reorgs and payments on an EVM chain",
    )
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="repeats a soak")
    return parser.parse_args()


def _kills(tally: Tally, chance: random.Random) -> None:
    for fleet, _ in _fleets(tally):
        strikes = min(KILLS_A_WORLD, tally.wanted - tally.done)
        seed = chance.randrange(2**32)
        tally.add(campaign(fleet, strike=fleet.kill_one, strikes=strikes, seed=seed, tick=tally.tick))


def _stops(tally: Tally, chance: random.Random) -> None:
    for fleet, cluster in _fleets(tally):

        def strike(_: random.Random, cluster: PostgresCluster = cluster) -> None:
            stop_at_once(cluster)

        strikes = min(STOPS_A_WORLD, tally.wanted - tally.done)
        seed = chance.randrange(2**32)
        tally.add(campaign(fleet, strike=strike, strikes=strikes, seed=seed, tick=tally.tick))


def _fleets(tally: Tally) -> Iterator[tuple[Fleet, PostgresCluster]]:
    """Give a fresh fleet as long as more is to be done; the database stays."""
    with _folder() as folder, private_cluster(folder) as cluster:
        while tally.done < tally.wanted:
            with Fleet(cluster.url(), folder=folder) as fleet:
                yield fleet, cluster


@contextmanager
def _folder() -> Iterator[Path]:
    # Open to the user that PostgreSQL runs as, where this one is root.
    with tempfile.TemporaryDirectory(prefix="paygo-soak-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _payouts(tally: Tally, chance: random.Random) -> None:
    _in_runs("tests/faults/test_killed_payouts.py", "PAYGO_SOAK_PAYOUTS", PAYOUTS_A_RUN, tally, chance)


def _races(tally: Tally, chance: random.Random) -> None:
    _in_runs("tests/concurrency/test_many_races.py", "PAYGO_SOAK_RACES", RACES_A_RUN, tally, chance)


def _in_runs(path: str, setting: str, most: int, tally: Tally, chance: random.Random) -> None:
    """Run a test that does as many as a setting says, `most` in a run; each run has a seed of its own."""
    while tally.done < tally.wanted:
        count, seed = min(most, tally.wanted - tally.done), chance.randrange(2**32)
        _test(path, {setting: str(count), "PAYGO_SOAK_SEED": str(seed)}, tally=tally, seed=seed)
        tally.tick(count)


def _lives(tally: Tally, chance: random.Random) -> None:
    while tally.done < tally.wanted:
        seed = chance.randrange(2**64)
        _test("tests/scenarios/test_zcash_world.py", {"PAYGO_WORLD_SEED": str(seed)}, tally=tally, seed=seed)
        tally.tick()


def _orders(tally: Tally, chance: random.Random) -> None:
    while tally.done < tally.wanted:
        count, seed = min(ORDERS_A_RUN, tally.wanted - tally.done), chance.randrange(2**32)
        # A chain that is not there is no order that was tried.
        environment = {
            "PAYGO_SOAK_ORDERS": str(count),
            "PAYGO_SOAK_SEED": str(seed),
            "PAYGO_REQUIRE_ALL": "1",
        }
        _test("tests/evm/test_random_orders.py", environment, tally=tally, seed=seed)
        tally.tick(count)


def _test(path: str, environment: dict[str, str], *, tally: Tally, seed: int) -> None:
    """Run a file of tests with other numbers; keep what it printed where it failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", path]
    # It would have the settings loaded before conftest.py has started a database.
    inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    ran = subprocess.run(
        command, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        log = REPORT / f"{Path(path).stem}-{seed}.log"
        log.write_text(ran.stdout + ran.stderr, encoding="utf-8")
        tally.wrong.append(f"seed {seed}: {path} failed, see {log.name}")


def _report(tallies: list[Tally], *, seed: int) -> str:
    lines = [f"# Soak of {datetime.now(tz=UTC):%Y-%m-%d %H:%M} UTC, seed {seed}", ""]
    for tally in tallies:
        counted = ", ".join(f"{count:,} {name.replace('_', '-')}" for name, count in tally.totals.items())
        lines.append(f"* {tally.done:,} {tally.name}: {len(tally.wrong)} wrong. {counted}".rstrip())
        lines += [f"    * {each}" for each in tally.wrong[:50]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
