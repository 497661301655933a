"""Measure the billing engine: everything that bench/RESULTS.md says, by one command.

    .venv/bin/python -m bench [--quick] [--rows floor,pairs] [--sizes 10000,100000,1000000]

Ratios of one run count; rates are of this machine. A whole run takes about half an hour; with --quick three
minutes, at 10,000 running sessions. The last line on the standard output is JSON.
"""

import argparse
import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.database import bench_database
from bench.results import Figure, Report, say

_HERE = Path(__file__).resolve().parent
# The past is made up, and the rungs below the product send its statements and check nothing.
_UNBALANCED = ("past", "pairs")


def main() -> None:
    """Run the rows that are asked for; write RESULTS.md if that was all of them at full size."""
    asked = _arguments()
    report = Report()
    with bench_database():
        from bench import intervals, latency, requests
        from bench.intervals import Scale

        rows: dict[str, Callable[[Scale, Report], None]] = {
            "floor": intervals.against_the_floor,
            "orm": intervals.against_the_orm,
            "past": intervals.with_a_past,
            "shared": intervals.shared,
            "engines": intervals.two_engines,
            "latency": latency.ends_while_billing,
            "storage": intervals.storage,
            "memory": intervals.memory,
            "pairs": requests.pairs,
        }
        names = asked.rows.split(",") if asked.rows else list(rows)
        scale = _scale(asked)
        for number, name in enumerate(names, start=1):
            say(f"[{number}/{len(names)}] {name}")
            _run(name, rows[name], scale, report)
        machine = _machine()
    print(_table(report))
    if not asked.quick and not asked.rows and not report.failed:
        _write(report, machine)
    print(json.dumps({"machine": machine, "figures": [_plain(each) for each in report.figures]}))
    if report.failed or any(each.verdict == "MISSED" for each in report.figures):
        raise SystemExit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", default="", help="only these")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="numbers of running sessions")
    parser.add_argument("--rounds", type=int, default=7, help="slices of each kind")
    parser.add_argument("--past-rows", type=int, default=20_000_000, help="audit rows of the past")
    parser.add_argument(
        "--busy", type=int, default=500_000, help="sessions of the rows `engines` and `latency`"
    )
    parser.add_argument("--quick", action="store_true", help="10,000 sessions, a million rows of the past")
    return parser.parse_args()


def _scale(asked: argparse.Namespace):  # type: ignore[no-untyped-def]
    from bench.intervals import Scale

    if asked.quick:
        return Scale(sizes=(2_000, 10_000), rounds=3, past_rows=1_000_000, busy=20_000)
    sizes = tuple(int(each) for each in asked.sizes.split(","))
    return Scale(sizes=sizes, rounds=asked.rounds, past_rows=asked.past_rows, busy=asked.busy)


def _run(name: str, row: Callable[..., None], scale: object, report: Report) -> None:
    """Run a row; one that fails is told and the others go on."""
    try:
        row(scale, report)
        if name not in _UNBALANCED:
            _check_the_books()
    except Exception as error:  # noqa: BLE001  # the other rows are worth having
        report.failed[name] = str(error)
        say(traceback.format_exc())


def _check_the_books() -> None:
    """A fast wrong run counts nothing."""
    from billing import audit

    wrong = [each.name for each in audit.run(late=None, timeout_s=900) if each.violations]
    if wrong:
        raise AssertionError(f"the books do not balance: {wrong}")


def _machine() -> dict[str, str]:
    import os
    import platform

    from core import db

    cpu = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "date": f"{datetime.now(tz=UTC):%Y-%m-%d}",
        "cores": str(os.cpu_count()),
        "cpu": cpu[0] if cpu else platform.machine(),
        "memory": f"{memory_kb / 2**20:.0f} GiB",
        "postgresql": db.row("SHOW server_version")[0],
        "fsync": db.row("SHOW fsync")[0],
    }


def _table(report: Report) -> str:
    lines = ["| what | required | aim | measured | | |", "| --- | --- | --- | --- | --- | --- |"]
    for each in report.figures:
        required, aim = each.goal.text(each.goal.required), each.goal.text(each.goal.aim)
        lines.append(
            f"| {each.what} | {required} | {aim} | {each.shown()} | {each.verdict} | {each.detail} |"
        )
    lines += [f"| {name} | | | | FAILED | {error.splitlines()[0]} |" for name, error in report.failed.items()]
    return "\n".join(lines)


def _write(report: Report, machine: dict[str, str]) -> None:
    from bench import plot

    (_HERE / "interval.svg").write_text(plot.svg(report.curves))
    (_HERE / "RESULTS.md").write_text(
        f"# Measured\n\n`make bench` on {machine['date']}: {machine['cores']} cores ({machine['cpu']}),"
        f" {machine['memory']}, embedded PostgreSQL {machine['postgresql']}, fsync {machine['fsync']}.\n\n"
        f"{(_HERE / 'method.md').read_text()}\n{_table(report)}\n\n"
        "![Settlements a second, by running sessions](interval.svg)\n"
    )


def _plain(figure: Figure) -> dict[str, object]:
    return {"what": figure.what, "value": round(figure.value, 4), "verdict": figure.verdict}


if __name__ == "__main__":
    main()
